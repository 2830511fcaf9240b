//! `xcbuild iso verify`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use xc_iso::read::{Names, verify, verify_contents};

use super::{open, open_as};
use crate::ui;

/// Check an image: its structure, all names it has, and that every content can be read
///
/// Exit code 1 if something is wrong; stdout says what.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The image
    image: PathBuf,
}

/// Runs the verb.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let reader = open(&arguments.image)?;
    let mut problems = verify(&reader)?;
    if reader.has_joliet() && reader.names() != Names::Joliet {
        problems.extend(verify(&open_as(&arguments.image, Some(Names::Joliet))?)?);
    }
    problems.extend(verify_contents(&reader));
    for problem in &problems {
        ui::result(problem);
    }
    let count = reader.entries().len();
    ui::status("Checked", format_args!("{count} entries, {} problems", problems.len()));
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
