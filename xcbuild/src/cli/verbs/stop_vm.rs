//! `xcbuild stop_vm`: stops nodes' processors for now.

use std::process::ExitCode;

use anyhow::Result;

use clap::Command;

use crate::cli::cluster::{self, Nodes};
use crate::cli::verb::Verb;
use crate::settings::Invocation;
use crate::ui;
use xc_cluster::Cluster;

/// Pause nodes
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    nodes: Nodes,
}

impl Verb for Arguments {
    const NAME: &'static str = "stop_vm";

    fn configure(command: Command) -> Command {
        command.visible_alias("stop-vm")
    }

    /// # Errors
    /// When a node does not run.
    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        let run = cluster::run_directory(&invocation.settings()?)?;
        for node in self.nodes.distinct() {
            Cluster::lock(&run)?.pause(node)?;
            ui::status("Paused", node);
        }
        Ok(ExitCode::SUCCESS)
    }
}
