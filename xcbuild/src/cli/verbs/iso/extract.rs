//! `xcbuild iso extract`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use fs_err as fs;
use xc_iso::read::{Extract, ReadError, extract};

use super::{open, warn_of_problems};
use crate::settings::value::decimal_bytes;
use crate::ui;

/// Extract an image into a directory
///
/// Nothing that is there is overwritten, and no link leads outside of the directory. Exit code 1 if
/// something could not be extracted, or is left out because the image is wrong about it.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
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
    /// The bytes that all files may have, as 20G [default: 16 times the image, at least 1G]
    #[arg(long, value_name = "BYTES", value_parser = decimal_bytes)]
    unpack_max: Option<u64>,
}

/// Runs the verb.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let reader = open(&arguments.image)?;
    // A directory that is there keeps its own mode and time.
    let root = !arguments.directory.exists();
    fs::create_dir_all(&arguments.directory)?;
    let Arguments { owners, devices, unpack_max, .. } = *arguments;
    let usual = reader.size().saturating_mul(16).max(1_000_000_000);
    let bytes_max = unpack_max.unwrap_or(usual);
    let options = Extract { owners, devices, root, bytes_max: Some(bytes_max) };
    extract(&reader, &arguments.directory, options).map_err(|error| {
        let is_large = matches!(error, ReadError::TooLarge { .. });
        let hint = if is_large { "; if it is none, --unpack-max takes more" } else { "" };
        anyhow::anyhow!("`{}`: {}{hint}", arguments.image.display(), ui::causes(&error.into()))
    })?;
    let failed = warn_of_problems(&arguments.image, &reader);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
