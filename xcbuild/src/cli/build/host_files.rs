//! What `install_prog`, `cplib`, `libs` and `cploader` share: overlays' scripts call them for programs
//! of the host.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::settings::Invocation;
use crate::settings::table::verbs::InstallSettings;
use crate::ui;
use xc_image::elf::Closure;
use xc_image::elf::install::Destination;

/// Where files are copied to.
///
/// # Errors
/// When it is not said.
pub(crate) fn destination(invocation: &Invocation) -> Result<PathBuf> {
    let dest = invocation.read::<InstallSettings>()?.dest;
    dest.context("say where to copy to: --dest=DIR")
}

/// Copies, and warns of what is missing.
///
/// # Errors
/// When a file can't be copied.
pub(crate) fn copy(
    invocation: &Invocation,
    copy: impl FnOnce(&Destination<'_>) -> Result<Closure>,
) -> Result<ExitCode> {
    let (directory, settings) = (destination(invocation)?, invocation.settings()?);
    let base = Some(settings.places.base_libraries.as_path());
    warn_of_missing(&copy(&Destination { directory: &directory, base_libraries: base })?);
    Ok(ExitCode::SUCCESS)
}

/// Warns of libraries that are needed and not here.
pub(crate) fn warn_of_missing(needed: &Closure) {
    for (library, by) in &needed.missing {
        ui::warn(format_args!("`{}` needs `{library}`, which is not here", by.display()));
    }
}
