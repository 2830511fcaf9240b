//! `xcbuild cplib`: shared libraries of the host for overlays' scripts.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use crate::cli::build::host_files::copy;
use crate::cli::verb::Verb;
use crate::settings::Invocation;

/// Copy the shared libraries that files need
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Programs or libraries
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

impl Verb for Arguments {
    const NAME: &'static str = "cplib";

    /// # Errors
    /// When something can't be copied.
    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        copy(&invocation, |to| to.libraries(&self.files))
    }
}
