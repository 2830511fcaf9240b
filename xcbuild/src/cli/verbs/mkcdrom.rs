//! `xcbuild mkcdrom`: overlays into the ISO that nodes get.

use std::process::ExitCode;

use anyhow::Result;
use clap_complete::ArgValueCompleter;

use crate::cli::build::cdrom::{build_report, params};
use crate::cli::build::work::WorkOptions;
use crate::cli::cluster::images;
use crate::cli::completion;
use crate::cli::verb::Verb;
use crate::settings::table::verbs::CdromSettings;
use crate::settings::{Invocation, Settings};
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
    options: ReportOptions,
    #[command(flatten)]
    work: WorkOptions,
    /// The overlays, in order: a later one overrides an earlier one
    #[arg(value_name = "OVL", add = ArgValueCompleter::new(completion::overlays))]
    overlays: Vec<String>,
}

impl Verb for Arguments {
    const NAME: &'static str = "mkcdrom";
    const TAKES_SETTINGS: bool = true;

    /// Runs the verb.
    ///
    /// # Errors
    /// When an overlay is unknown or can't be built, or the ISO can't be written.
    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        let options = &self.options;
        let _recording = self.work.begin(&invocation)?;
        let settings = invocation.settings()?;
        let store = Store::open(&settings.places.store, &ui::reporter())?;
        let names = [self.overlays.as_slice(), &settings.build.always].concat();
        let iso: CdromSettings = invocation.read()?;
        let usual = if images::is_own(&settings)? { Layout::Tar } else { Layout::Tree };
        let iso = Options {
            label: iso.label.as_deref(),
            layout: iso.layout.unwrap_or(usual),
            script: iso.script.as_deref(),
            cidata: iso.cidata.as_deref(),
        };
        if let Some(directory) = iso.cidata.filter(|d| !d.join(META_DATA).is_file()) {
            ui::warn(format_args!(
                "`{}` has no `{META_DATA}`, and cloud-init ignores a seed without it; an empty file will do",
                directory.display()
            ));
        }
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

/// What is told of it.
#[derive(Debug, clap::Args)]
struct ReportOptions {
    /// Say why each layer was built
    #[arg(long)]
    explain: bool,
    /// Only say what would be built, and why
    #[arg(long)]
    dry_run: bool,
    /// Print a report in JSON instead of the path
    #[arg(long)]
    json: bool,
}

/// The file that makes a directory a seed of cloud-init's.
const META_DATA: &str = "meta-data";

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
