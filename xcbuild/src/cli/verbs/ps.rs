//! `xcbuild ps`: all clusters of the user on this host.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::cluster::tables;
use crate::cli::verb::Verb;
use crate::settings::Invocation;
use crate::ui;
use xc_cluster::{RunDir, status};

/// List all clusters of the user on this host
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// All that is known, for programs: a list of what `status --json` prints of each
    #[arg(long)]
    json: bool,
}

impl Verb for Arguments {
    const NAME: &'static str = "ps";

    /// Runs the verb.
    ///
    /// # Errors
    /// When the run directories can't be read.
    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        let settings = invocation.settings()?;
        let mut all = Vec::new();
        for run in RunDir::all(&settings.places.run, &ui::reporter())? {
            match status(&run) {
                Ok(status) if status.exists => all.push(status),
                Ok(_) => {}
                Err(e) => ui::warn(format_args!("{e:#}")),
            }
        }
        if self.json {
            ui::result(serde_json::to_string_pretty(&all)?);
        } else {
            ui::result(tables::clusters(&all));
        }
        Ok(ExitCode::SUCCESS)
    }
}
