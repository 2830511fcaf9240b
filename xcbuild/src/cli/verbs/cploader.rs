//! `xcbuild cploader`: the dynamic loader for overlays' scripts.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::build::host_files::destination;
use crate::cli::verb::Verb;
use crate::settings::Invocation;
use xc_image::elf::install::Destination;

/// Copy the dynamic loader
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

impl Verb for Arguments {
    const NAME: &'static str = "cploader";

    /// # Errors
    /// When the loader can't be copied.
    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        let settings = invocation.settings()?;
        let directory = destination(&invocation)?;
        let to = Destination { directory: &directory, base_libraries: None };
        to.place(&settings.places.loader)?;
        Ok(ExitCode::SUCCESS)
    }
}
