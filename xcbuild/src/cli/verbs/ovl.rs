//! `xcbuild ovl`: looking at overlays.

use std::fmt::Write as _;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use xc_report::visible;

use anyhow::{Context, Result, bail};
use clap_complete::ArgValueCompleter;

use crate::cli::build::overlays::{self, description};
use crate::cli::completion;
use crate::cli::verb::Verb;
use crate::settings::{Invocation, Settings};
use crate::ui;
use xc_overlay::Params;
use xc_overlay::build::layers;
use xc_overlay::inspect::{show, why};
use xc_overlay::lint::lint;
use xc_overlay::plan::Planned;
use xc_overlay::recipe::Origin;
use xc_store::store::Store;
use xc_store::tree::{Entry, Kind, TreePath};

/// Look at overlays: which there are, what they bring, who wins
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Subcommand,
}

impl Verb for Arguments {
    const NAME: &'static str = "ovl";
    const TAKES_SETTINGS: bool = true;

    /// Runs the verb.
    ///
    /// # Errors
    /// When an overlay is unknown, wrong, or can't be built.
    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        let settings = invocation.settings()?;
        match &self.verb {
            Subcommand::List { names } => list(&settings, *names),
            Subcommand::Show { overlay } => show_overlay(&settings, overlay),
            Subcommand::Lint { overlays } => lint_overlays(&settings, overlays),
            Subcommand::Why { path, overlays } => why_path(&settings, path, overlays),
            Subcommand::Index => index(&settings),
            Subcommand::Tar { overlay, file } => tar(&settings, overlay, file),
        }
    }
}

#[derive(Debug, clap::Subcommand)]
enum Subcommand {
    /// List the overlays that are found by name
    List {
        /// Only their names
        #[arg(long)]
        names: bool,
    },
    /// List all that an overlay puts into a node, with sizes and where it comes from
    Show {
        /// The overlay
        #[arg(add = ArgValueCompleter::new(completion::overlays))]
        overlay: String,
    },
    /// Say what is probably wrong with overlays
    Lint {
        /// The overlays; all that are found by name, if none are given
        #[arg(add = ArgValueCompleter::new(completion::overlays))]
        overlays: Vec<String>,
    },
    /// Say which overlay a path comes from, and which ones it hides
    Why {
        /// The path in a node
        path: String,
        /// The overlays, in their order
        #[arg(required = true, add = ArgValueCompleter::new(completion::overlays))]
        overlays: Vec<String>,
    },
    /// Print an index page of all overlays, in Markdown
    Index,
    /// Write what an overlay puts into a node as a tar
    Tar {
        /// The overlay
        #[arg(add = ArgValueCompleter::new(completion::overlays))]
        overlay: String,
        /// The file; - is standard output
        #[arg(default_value = "-")]
        file: PathBuf,
    },
}

fn list(settings: &Settings, names: bool) -> Result<ExitCode> {
    let search = overlays::search(settings)?;
    for overlay in search.all() {
        if names {
            ui::result(&overlay.name);
            continue;
        }
        let description = description(&search, &overlay);
        ui::result(format_args!("{:24} {}", overlay.name, visible(description)));
    }
    Ok(ExitCode::SUCCESS)
}

fn show_overlay(settings: &Settings, name: &str) -> Result<ExitCode> {
    let (params, store) = params(settings)?;
    let origins = show(name, &params, &store)?;
    for origin in &origins {
        ui::result(line(origin));
    }
    let files = origins.iter().filter(|o| !o.entry.is_directory()).count();
    let bytes: u64 = origins.iter().map(|o| size(&o.entry)).sum();
    ui::status("Total", format_args!("{files} files, {}", ui::size(bytes)));
    Ok(ExitCode::SUCCESS)
}

fn line(origin: &Origin) -> String {
    let Origin { path, entry, step } = origin;
    let mut name = format!("/{}", visible(path.as_bytes()));
    match &entry.kind {
        Kind::Directory => name.push('/'),
        Kind::Symlink(to) => name += &format!(" -> {}", visible(to)),
        Kind::Hardlink(to) => name += &format!(" = /{}", visible(to.as_bytes())),
        _ => {}
    }
    let owner = format!("{}:{}", entry.uid, entry.gid);
    format!("{:04o} {owner:>5} {:>10} {name:60} {step}", entry.mode, size(entry))
}

fn size(entry: &Entry) -> u64 {
    match &entry.kind {
        Kind::File(content) => content.len(),
        _ => 0,
    }
}

fn lint_overlays(settings: &Settings, names: &[String]) -> Result<ExitCode> {
    let search = overlays::search(settings)?;
    let all = || search.all().into_iter().map(|o| o.name).collect();
    let names: Vec<String> = if names.is_empty() { all() } else { names.to_vec() };
    let mut count = 0;
    for name in &names {
        for finding in lint(&Planned::find(&search, name)?)? {
            let path = visible(finding.path.as_os_str().as_encoded_bytes());
            ui::result(format_args!("{path}: {}", finding.message));
            count += 1;
        }
    }
    if count > 0 {
        bail!("{count} findings in {} overlays", names.len());
    }
    ui::status("Checked", format_args!("{} overlays", names.len()));
    Ok(ExitCode::SUCCESS)
}

fn why_path(settings: &Settings, path: &str, names: &[String]) -> Result<ExitCode> {
    let (params, store) = params(settings)?;
    let path = TreePath::new(path)?;
    let claims = why(&path, names, &params, &store)?;
    if claims.is_empty() {
        bail!("none of these overlays has `/{path}`");
    }
    for claim in claims {
        let what = if claim.wins { "a node gets it" } else { "hidden by a later one" };
        let (mode, size) = (claim.entry.mode, size(&claim.entry));
        ui::result(format_args!("{:24} {mode:04o} {size:>10} {what}", claim.overlay));
    }
    Ok(ExitCode::SUCCESS)
}

fn index(settings: &Settings) -> Result<ExitCode> {
    let search = overlays::search(settings)?;
    let mut text = String::from("# Overlays\n\n| overlay | what it is for |\n|---|---|\n");
    for overlay in search.all() {
        let description = description(&search, &overlay).replace('|', "\\|");
        // Writing to a String can't fail.
        let _ = writeln!(text, "| [{0}]({0}/README.md) | {description} |", overlay.name);
    }
    ui::result(text.trim_end());
    Ok(ExitCode::SUCCESS)
}

fn tar(settings: &Settings, name: &str, to: &Path) -> Result<ExitCode> {
    let (params, store) = params(settings)?;
    let plan = [Planned::find(&params.search, name)?];
    let built = layers(&plan, &params, &store)?;
    let blob = built.first().map(|layer| store.blob(&layer.blob.digest)).transpose()?.flatten();
    let blob = blob.context("the layer went missing from the store")?;
    if to == Path::new("-") {
        let mut file = fs_err::File::open(blob)?;
        std::io::copy(&mut file, &mut ui::stdout())?;
    } else {
        fs_err::copy(blob, to)?;
        fs_err::set_permissions(to, Permissions::from_mode(0o644))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn params(settings: &Settings) -> Result<(Params, Store)> {
    let store = Store::open(&settings.places.store, &ui::reporter())?;
    let (current, program) = (std::env::current_dir()?, std::env::current_exe()?);
    let params = crate::cli::build::overlay_params::of(settings, &store, &current, &program)?;
    Ok((params, store))
}
