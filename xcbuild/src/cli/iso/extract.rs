//! `xcbuild iso extract`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use fs_err as fs;
use xc_iso::read::{Extract, extract};

use super::{open, warn_of_problems};

/// Extract an image into a directory
///
/// Nothing that is there is overwritten, and no link leads outside of the directory. Exit code 1 if
/// something could not be extracted, or is left out because the image is wrong about it.
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
    /// Make devices (root only); without it an image with devices is an error
    #[arg(long)]
    devices: bool,
}

/// Runs the verb.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let reader = open(&arguments.image)?;
    // A directory that is there keeps its own mode and time.
    let root = !arguments.directory.exists();
    fs::create_dir_all(&arguments.directory)?;
    let Arguments { owners, devices, .. } = *arguments;
    let options = Extract { owners, devices, root };
    extract(&reader, &arguments.directory, options)?;
    let failed = warn_of_problems(&arguments.image, &reader);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
