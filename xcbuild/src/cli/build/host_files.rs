//! What `install_prog`, `cplib`, `libs` and `cploader` share: overlays' scripts call them for programs
//! of the host.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use crate::settings::{Settings, Variables};
use crate::ui;
use xc_image::elf::Closure;
use xc_image::elf::install::Destination;

/// Where host files are copied to.
#[derive(Debug, clap::Args)]
pub struct To {
    /// The root of the tree to copy into
    #[arg(long, value_name = "DIR")]
    dest: PathBuf,
    /// A list of paths that the base image has [default: $__base_libs]
    #[arg(long, value_name = "FILE")]
    base_libs: Option<PathBuf>,
}

impl To {
    /// Copies, and warns of what is missing.
    ///
    /// # Errors
    /// When a file can't be copied.
    pub fn run(
        &self,
        variables: Variables,
        copy: impl FnOnce(&Destination<'_>) -> Result<Closure>,
    ) -> Result<ExitCode> {
        let settings = Settings::resolve(variables)?;
        let listed = settings.contract().into_iter().find(|(name, _)| *name == "__base_libs");
        let base = self.base_libs.clone().or(listed.map(|(_, path)| path.into()));
        let to = Destination { directory: &self.dest, base_libraries: base.as_deref() };
        warn_of_missing(&copy(&to)?);
        Ok(ExitCode::SUCCESS)
    }
}

/// Warns of libraries that are needed and not here.
pub fn warn_of_missing(needed: &Closure) {
    for (library, by) in &needed.missing {
        ui::warn(format_args!("`{}` needs `{library}`, which is not here", by.display()));
    }
}
