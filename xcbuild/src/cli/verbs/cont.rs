//! `xcbuild cont`: lets paused nodes go on.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::cluster::{self, Nodes};
use crate::cli::verb::Verb;
use crate::settings::Invocation;
use crate::ui;
use xc_cluster::Cluster;

/// Let paused nodes go on
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    nodes: Nodes,
}

impl Verb for Arguments {
    const NAME: &'static str = "cont";

    /// # Errors
    /// When a node does not run.
    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        let run = cluster::run_directory(&invocation.settings()?)?;
        for node in self.nodes.distinct() {
            Cluster::lock(&run)?.resume(node)?;
            ui::status("Resumed", node);
        }
        Ok(ExitCode::SUCCESS)
    }
}
