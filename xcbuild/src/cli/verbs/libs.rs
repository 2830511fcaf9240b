//! `xcbuild libs`: which shared libraries files need.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use crate::cli::build::host_files::warn_of_missing;
use crate::cli::verb::Verb;
use crate::settings::Invocation;
use crate::ui;
use xc_image::elf::{Directories, closure};

/// Print the shared libraries that files need
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Programs or libraries
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

impl Verb for Arguments {
    const NAME: &'static str = "libs";

    /// # Errors
    /// When a file can't be read.
    fn run(&self, _: Invocation) -> Result<ExitCode> {
        let needed = closure(&self.files, &Directories::of_host())?;
        for library in &needed.libraries {
            ui::result(library.display());
        }
        warn_of_missing(&needed);
        Ok(ExitCode::SUCCESS)
    }
}
