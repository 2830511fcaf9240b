//! `xcbuild mkcdrom`: overlays into the ISO that nodes get.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::builder::NonEmptyStringValueParser;
use clap_complete::ArgValueCompleter;
use serde::Serialize;

use crate::cli::build::cdrom::{build_report, params};
use crate::cli::build::work::WorkOptions;
use crate::cli::cluster::images;
use crate::cli::completion;
use crate::cli::verb::Verb;
use crate::settings::{Settings, Variables, set_options};
use crate::ui;
use xc_image::cdrom::{Layout, Options};
use xc_overlay::build::Layer;
use xc_overlay::inspect::Hidden;
use xc_overlay::mkcdrom::{self, Report};
use xc_store::store::Store;

/// Build overlays into the ISO that nodes get, and print its path; without anything, remove it
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    options: BuildOptions,
    #[command(flatten)]
    work: WorkOptions,
    /// The overlays, in order: a later one overrides an earlier one
    #[arg(value_name = "OVL", add = ArgValueCompleter::new(completion::overlays))]
    overlays: Vec<String>,
}

impl Verb for Arguments {
    const NAME: &'static str = "mkcdrom";

    /// Runs the verb.
    ///
    /// # Errors
    /// When an overlay is unknown or can't be built, or the ISO can't be written.
    fn run(&self, mut variables: Variables) -> Result<ExitCode> {
        let options = &self.options;
        set_options(&mut variables, options);
        let _recording = self.work.begin(&variables)?;
        let settings = Settings::resolve(variables)?;
        let store = Store::open(&settings.places.store, &ui::reporter())?;
        let names = [self.overlays.as_slice(), &settings.build.always].concat();
        let iso = Options {
            label: options.label.as_deref(),
            layout: match options.layout {
                Some(LayoutName::Tree) => Layout::Tree,
                Some(LayoutName::Tar) => Layout::Tar,
                None if images::is_own(&settings)? => Layout::Tar,
                None => Layout::Tree,
            },
            script: options.script.as_deref(),
            cidata: options.cidata.as_deref(),
        };
        if options.dry_run {
            return dry_run(&settings, &store, &names);
        }
        match build_report(&settings, &store, &names, &iso, options.explain)? {
            Some(report) if options.json => ui::result(json(&report, &settings)),
            Some(_) => ui::result(settings.places.cdrom.display()),
            None => {}
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Debug, clap::Args, Serialize)]
struct BuildOptions {
    /// The ISO's volume id [default: xcluster, or cidata with --cidata]
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    label: Option<String>,
    /// A file that becomes `script` in the ISO, which nodes run before their services
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// A cloud-init directory whose content goes into the ISO
    #[arg(long, value_name = "DIR")]
    cidata: Option<PathBuf>,
    /// Write the ISO here
    #[arg(long, value_name = "FILE")]
    cdrom: Option<String>,
    /// How overlays lie in the ISO: stacked by nodes of our base image, or tars that any unpacks
    /// [default: tree, or tar where __image is an image of your own]
    #[arg(long, value_name = "LAYOUT")]
    layout: Option<LayoutName>,
    /// The image that the ISO is for
    #[arg(long, value_name = "FILE")]
    image: Option<String>,
    /// End a script that takes longer than so many seconds [default: 1800]
    #[arg(long, value_name = "SECONDS")]
    script_timeout: Option<u32>,
    /// The bytes that a compressed tar may become, as 20G [default: 100 times its own, 1G to 16G]
    #[arg(long, value_name = "BYTES")]
    unpack_max: Option<String>,
    /// Say why each layer was built
    #[arg(long)]
    #[serde(skip)]
    explain: bool,
    /// Only say what would be built, and why
    #[arg(long)]
    #[serde(skip)]
    dry_run: bool,
    /// Print a report in JSON instead of the path
    #[arg(long)]
    #[serde(skip)]
    json: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum LayoutName {
    Tree,
    Tar,
}

fn dry_run(settings: &Settings, store: &Store, names: &[String]) -> Result<ExitCode> {
    for forecast in mkcdrom::dry_run(names, &params(settings, store)?, store)? {
        match forecast.reason {
            None => ui::result(format_args!("{:24} cached", forecast.name)),
            Some(reason) => ui::result(format_args!("{:24} {reason}", forecast.name)),
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn json(report: &Report, settings: &Settings) -> serde_json::Value {
    let layer = |l: &Layer| {
        let reason = l.built.as_ref().map(ToString::to_string);
        serde_json::json!({
            "name": l.name, "digest": l.blob.digest, "size": l.blob.size,
            "cached": l.built.is_none(), "reason": reason, "seconds": l.took.as_secs_f64(),
        })
    };
    let hidden = |h: &Hidden| serde_json::json!({ "path": h.path.to_string(), "by": h.by });
    serde_json::json!({
        "cdrom": settings.places.cdrom, "digest": report.iso.digest, "size": report.iso.size,
        "cached": report.cached, "seconds": report.took.as_secs_f64(),
        "layers": report.layers.iter().map(layer).collect::<Vec<_>>(),
        "hidden": report.hidden.iter().map(hidden).collect::<Vec<_>>(),
    })
}
