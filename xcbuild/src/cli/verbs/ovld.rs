//! `xcbuild ovld`: where an overlay is.

use std::process::ExitCode;

use anyhow::Result;
use clap_complete::ArgValueCompleter;

use crate::cli::build::overlays;
use crate::cli::completion;
use crate::cli::verb::Verb;
use crate::settings::Invocation;
use crate::ui;

/// Print an overlay's directory
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The overlay
    #[arg(add = ArgValueCompleter::new(completion::overlays))]
    overlay: String,
}

impl Verb for Arguments {
    const NAME: &'static str = "ovld";

    /// Runs the verb.
    ///
    /// # Errors
    /// When there is no such overlay.
    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        let settings = invocation.settings()?;
        ui::result(overlays::directory(&settings, &self.overlay)?.display());
        Ok(ExitCode::SUCCESS)
    }
}
