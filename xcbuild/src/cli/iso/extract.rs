//! `xcbuild iso extract`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use fs_err as fs;
use xc_iso::read::{Extract, extract};

use super::open;
use crate::ui;

/// Extract an image into a directory
///
/// Nothing that is there is overwritten, and no link leads outside of the directory.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The image
    image: PathBuf,
    /// Where to; made if it is not there
    #[arg(short = 'C', long, default_value = ".", value_name = "DIR")]
    directory: PathBuf,
    /// Give entries to their owners (root only)
    #[arg(long)]
    owners: bool,
    /// Make devices (root only); without it they are an error
    #[arg(long)]
    devices: bool,
}

/// Runs the verb.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let reader = open(&arguments.image)?;
    fs::create_dir_all(&arguments.directory)?;
    let options = Extract { owners: arguments.owners, devices: arguments.devices };
    extract(&reader, &arguments.directory, options)?;
    for problem in reader.problems() {
        ui::warn(format_args!("left out {problem}"));
    }
    let failed = !reader.problems().is_empty();
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
