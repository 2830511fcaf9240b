//! `xcbuild ovld`: where an overlay is.

use std::process::ExitCode;

use anyhow::Result;

use super::overlays;
use crate::settings::{Settings, Variables};
use crate::ui;

/// Print an overlay's directory
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The overlay
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
