//! `xcbuild iso verify`.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use xc_iso::read::{Kind, Names, Reader, verify};

use super::open;
use crate::ui;

/// Check an image: its structure, all names it has, and that every content can be read
///
/// Exit code 1 if something is wrong; stdout says what.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The image
    image: PathBuf,
}

/// Runs the verb.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let reader = open(&arguments.image)?;
    let mut problems = verify(&reader)?;
    if reader.has_joliet() && reader.names() != Names::Joliet {
        let file = std::fs::File::open(&arguments.image)?;
        problems.extend(verify(&Reader::open_as(file, Some(Names::Joliet))?)?);
    }
    for entry in reader.entries().iter().filter(|entry| entry.kind == Kind::File) {
        let mut content = reader.content(entry)?;
        io::copy(&mut content, &mut io::sink()).with_context(|| reader.path(entry).to_string())?;
    }
    for problem in &problems {
        ui::result(problem);
    }
    let count = reader.entries().len();
    ui::status("Checked", format_args!("{count} entries, {} problems", problems.len()));
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
