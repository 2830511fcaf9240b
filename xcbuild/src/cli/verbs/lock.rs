//! `xcbuild lock`: the Debian packages that everything is built from.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use anyhow::Result;
use fs_err as fs;

use crate::cli::build::base;
use crate::cli::verb::Verb;
use crate::settings::{Invocation, Settings};
use crate::ui;
use xc_image::debian::{LockFile, Package};
use xc_store::store::Store;
use xc_sys::files;

/// Print which Debian packages are pinned, or bring them up to date
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Resolve anew, with the versions that the archive has now: the sets with these packages, or
    /// all of them
    #[arg(long)]
    update: bool,
    /// Packages
    #[arg(requires = "update")]
    packages: Vec<String>,
}

impl Verb for Arguments {
    const NAME: &'static str = "lock";

    /// Runs the verb.
    ///
    /// # Errors
    /// When a package is in no set, or can't be had.
    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        let settings = invocation.settings()?;
        let store = Store::open(&settings.places.store, &ui::reporter())?;
        let packages = base::packages(&settings, &store);
        let path = settings.places.package_lock();
        let locked = packages.locked()?;
        if self.update {
            return update(&self.packages, &settings, &store, &locked);
        }
        if locked.packages().is_empty() {
            ui::hint(format_args!(
                "`{}` pins nothing yet; the next build writes it",
                path.display()
            ));
        }
        for package in locked.packages() {
            let Package { name, version, architecture, size, sha256, .. } = package;
            ui::result(format_args!("{name} {version} {architecture} {size} {sha256}"));
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Resolves into a lock file beside the user's, which takes its place only when all went well.
fn update(
    names: &[String],
    settings: &Settings,
    store: &Store,
    before: &LockFile,
) -> Result<ExitCode> {
    let path = settings.places.package_lock();
    let beside = path.with_extension("lock.new");
    files::write_atomic(&beside, before.render().as_bytes())?;
    let packages = base::packages_of(&beside, store);
    let resolved = packages.forget(names).and_then(|()| {
        base::build_from(&packages, settings)?;
        packages.locked()
    });
    let after = match resolved {
        Ok(after) => after,
        Err(e) => {
            let _ = fs::remove_file(&beside);
            return Err(e.context(format!("`{}` is as it was", path.display())));
        }
    };
    fs::rename(&beside, &path)?;
    let changes = changes(before, &after);
    ui::status("Updated", format_args!("{}, {} changes", path.display(), changes.len()));
    changes.iter().for_each(ui::result);
    Ok(ExitCode::SUCCESS)
}

/// What is other now: `nftables 1.0.6-2 -> 1.0.6-3`. Sets of overlays are resolved again when they
/// are built next, so what is gone now may come back then.
fn changes(before: &LockFile, after: &LockFile) -> Vec<String> {
    let versions = |lock: &LockFile| -> BTreeMap<String, String> {
        lock.packages().iter().map(|p| (p.name.clone(), p.version.clone())).collect()
    };
    let (before, after) = (versions(before), versions(after));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let change = |name: &String| match (before.get(name), after.get(name)) {
        (Some(old), Some(new)) if old == new => None,
        (Some(old), Some(new)) => Some(format!("{name} {old} -> {new}")),
        (None, Some(new)) => Some(format!("{name} {new} is new")),
        (Some(_), None) => Some(format!("{name} is not resolved yet")),
        (None, None) => None,
    };
    names.into_iter().filter_map(change).collect()
}
