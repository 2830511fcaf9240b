//! `xcbuild cploader`: the dynamic loader for overlays' scripts.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;

use crate::cli::verb::Verb;
use crate::settings::Variables;
use xc_image::elf::install::Destination;

/// Copy the dynamic loader
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The root of the tree to copy it into
    #[arg(long, value_name = "DIR")]
    dest: PathBuf,
}

impl Verb for Arguments {
    const NAME: &'static str = "cploader";

    /// # Errors
    /// When the loader can't be copied.
    fn run(&self, variables: Variables) -> Result<ExitCode> {
        let loader = variables.or("__loader", "/lib64/ld-linux-x86-64.so.2");
        let to = Destination { directory: &self.dest, base_libraries: None };
        to.place(Path::new(&loader))?;
        Ok(ExitCode::SUCCESS)
    }
}
