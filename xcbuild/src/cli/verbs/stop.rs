//! `xcbuild stop`: ends the cluster and all that belongs to it.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::cluster;
use crate::cli::verb::Verb;
use crate::settings::Invocation;
use crate::ui;
use xc_cluster::{RunDir, stop};

/// Stop the cluster and leave nothing of it
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Stop all clusters of the user on this host
    #[arg(long, conflicts_with = "__cluster")]
    all: bool,
}

impl Verb for Arguments {
    const NAME: &'static str = "stop";

    /// Runs the verb. That there is no cluster is a success: it is as the user wants it.
    ///
    /// # Errors
    /// When something of the cluster can't be ended or removed.
    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        let settings = invocation.settings()?;
        if self.all {
            let all = RunDir::all(&settings.places.run, &ui::reporter())?;
            all.iter().try_for_each(end)?;
        } else {
            end(&cluster::run_directory(&settings)?)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn end(run: &RunDir) -> Result<()> {
    let name = run.name();
    if stop(run)?.existed {
        ui::status("Stopped", format_args!("cluster `{name}`"));
    } else {
        ui::status("Stopped", format_args!("nothing: no cluster `{name}`"));
    }
    Ok(())
}
