//! `xcbuild cache`: the store, and overlays that are built into the cache by hand.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use anyhow::{Result, bail};
use clap_complete::ArgValueCompleter;

use crate::cli::build::cdrom;
use crate::cli::build::work::WorkOptions;
use crate::cli::completion;
use crate::cli::verb::Verb;
use crate::settings::table::verbs::CacheSettings;
use crate::settings::value::decimal_bytes;
use crate::settings::{Invocation, Settings};
use crate::ui;
use xc_overlay::archive;
use xc_store::collect::{self, Contents, Limits};
use xc_store::store::Store;

/// Look after the cache; with overlays, build them into it by hand, as tar.xz
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Option<Subcommand>,
    #[command(flatten)]
    work: WorkOptions,
    /// The overlays
    #[arg(value_name = "OVL", add = ArgValueCompleter::new(completion::overlays))]
    overlays: Vec<String>,
}

impl Verb for Arguments {
    const NAME: &'static str = "cache";
    const TAKES_SETTINGS: bool = true;

    /// Runs the verb.
    ///
    /// # Errors
    /// When the store is in use by others (`gc`, `clear`), or can't be read or written.
    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        let _recording = self.work.begin(&invocation)?;
        let settings = invocation.settings()?;
        let root = settings.places.store.clone();
        match &self.verb {
            None => by_hand(&self.overlays, &invocation.read()?, &settings)?,
            Some(Subcommand::Path) => ui::result(root.display()),
            Some(verb) => {
                // Makes it, if it isn't there; the lock is given back at once.
                drop(Store::open(&root, &ui::reporter())?);
                in_store(verb, &root)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Debug, clap::Subcommand)]
enum Subcommand {
    /// List the results in the store: last use in hours, size, what it is
    List,
    /// Print how much is in the store
    Size,
    /// Remove what was not used for longest
    Gc {
        /// Until it has at most so many bytes (with K, M or G)
        #[arg(long, value_name = "BYTES", value_parser = decimal_bytes)]
        max_size: Option<u64>,
        /// And what was not used for so many days
        #[arg(long, value_name = "DAYS")]
        max_age: Option<u64>,
    },
    /// Check every file in the store, and move what is damaged out of the way
    Verify,
    /// Remove everything from the store
    Clear,
    /// Print where the store is
    Path,
}

fn in_store(verb: &Subcommand, root: &Path) -> Result<()> {
    match verb {
        Subcommand::List => list(root)?,
        Subcommand::Size => {
            let contents = Contents::of(root)?;
            let (records, blobs) = (contents.records.len(), contents.blobs.len());
            let size = ui::size(contents.size());
            let facts = contents.facts.len();
            ui::result(format_args!(
                "{size} in {blobs} blobs, {records} records, {facts} facts of this machine"
            ));
        }
        Subcommand::Gc { max_size, max_age } => {
            if max_size.is_none() && max_age.is_none() {
                bail!("say what may stay: --max-size=10G, --max-age=30");
            }
            let age = max_age.map(|days| Duration::from_secs(days * 86_400));
            let limits = Limits { size: *max_size, age };
            let done = collect::collect(root, limits, SystemTime::now())?;
            let size = ui::size(done.bytes);
            ui::status("Removed", format_args!("{size} in {} blobs", done.blobs));
        }
        Subcommand::Verify => {
            let damaged = collect::verify(root)?;
            for path in &damaged {
                ui::warn(format_args!("damaged, moved to `{}`", path.display()));
            }
            ui::status("Checked", format_args!("{} damaged files", damaged.len()));
            if !damaged.is_empty() {
                bail!("the store had damaged files; the next build makes them again");
            }
        }
        Subcommand::Clear => {
            collect::clear(root)?;
            ui::status("Removed", "everything in the store");
        }
        Subcommand::Path => {}
    }
    Ok(())
}

fn list(root: &Path) -> Result<()> {
    let mut records = Contents::of(root)?.records;
    records.sort_by_key(|r| std::cmp::Reverse(r.used));
    for record in records {
        let used = SystemTime::now().duration_since(record.used).unwrap_or_default();
        let hours = used.as_secs() / 3600;
        let key = record.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(action) = record.action else {
            ui::result(format_args!("{hours:>6} h {:>10} {} damaged", "", &key[..12]));
            continue;
        };
        let size: u64 = action.blobs.values().map(|b| b.size).sum();
        let names: Vec<&str> = action.blobs.keys().map(String::as_str).collect();
        let facts: Vec<&str> = action.facts.values().map(String::as_str).collect();
        let what = [names, facts].concat().join(" ");
        ui::result(format_args!("{hours:>6} h {size:>10} {} {what}", &key[..12]));
    }
    Ok(())
}

/// The contract's cache: `$__cached/<SETUP or default>/<overlay>.tar.xz`.
fn by_hand(overlays: &[String], wanted: &CacheSettings, settings: &Settings) -> Result<()> {
    let directory = directory(settings);
    if wanted.list {
        archive::list(&directory)?.iter().for_each(ui::result);
    } else if wanted.clear {
        archive::clear(&directory, overlays)?;
    } else if overlays.is_empty() {
        bail!("name overlays, or one of list, size, gc, verify, clear, path");
    } else {
        let store = Store::open(&settings.places.store, &ui::reporter())?;
        let params = cdrom::params(settings, &store)?;
        for path in archive::build(overlays, &params, &store, &directory)? {
            ui::result(path.display());
        }
    }
    Ok(())
}

fn directory(settings: &Settings) -> PathBuf {
    let setup = settings.build.setup.join(",");
    let setup = if setup.is_empty() { "default".to_owned() } else { setup };
    settings.places.cached.join(setup)
}
