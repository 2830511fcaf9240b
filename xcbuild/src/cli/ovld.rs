//! `xcbuild ovld`: where an overlay is.

use std::process::ExitCode;

use anyhow::Result;
use clap_complete::ArgValueCompleter;

use super::completions;
use super::overlays;
use crate::settings::{Settings, Variables};
use crate::ui;

/// Print an overlay's directory
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The overlay
    #[arg(add = ArgValueCompleter::new(completions::overlays))]
    overlay: String,
}

/// Runs the verb.
///
/// # Errors
/// When there is no such overlay.
pub fn run(arguments: &Arguments, variables: Variables) -> Result<ExitCode> {
    let settings = Settings::resolve(variables)?;
    ui::result(overlays::directory(&settings, &arguments.overlay)?.display());
    Ok(ExitCode::SUCCESS)
}
