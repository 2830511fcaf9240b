//! `xcbuild reset_vm`: presses nodes' reset buttons.

use std::process::ExitCode;

use anyhow::Result;

use clap::Command;

use crate::cli::cluster::start::show;
use crate::cli::cluster::{self, Nodes};
use crate::cli::verb::Verb;
use crate::settings::Invocation;
use crate::ui::Progress;
use xc_cluster::Cluster;

/// Press nodes' reset buttons, let them go on if paused, and wait until they are ready
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    nodes: Nodes,
}

impl Verb for Arguments {
    const NAME: &'static str = "reset_vm";

    fn configure(command: Command) -> Command {
        command.visible_alias("reset-vm")
    }

    /// # Errors
    /// When a node does not run, or does not come up.
    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        let run = cluster::run_directory(&invocation.settings()?)?;
        let nodes = self.nodes.distinct();
        let bar = Progress::sized("resetting", nodes.len() as u64, false);
        for node in nodes {
            Cluster::lock(&run)?.reset(node, None, &|event| show(run.name(), &bar, &event))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
