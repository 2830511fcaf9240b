//! `xcbuild restart`: nodes from power-on again.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::cluster::start::show;
use crate::cli::cluster::{self, Nodes};
use crate::cli::verb::Verb;
use crate::settings::Invocation;
use crate::ui::Progress;
use xc_cluster::Cluster;

/// End nodes' virtual machines, start them again, and wait until they are ready
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    nodes: Nodes,
}

impl Verb for Arguments {
    const NAME: &'static str = "restart";

    /// # Errors
    /// When a node is not in the cluster, or does not come up.
    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        let run = cluster::run_directory(&invocation.settings()?)?;
        let nodes = self.nodes.distinct();
        let bar = Progress::sized("restarting", nodes.len() as u64, false);
        Cluster::lock(&run)?.restart(&nodes, None, &|event| show(run.name(), &bar, &event))?;
        Ok(ExitCode::SUCCESS)
    }
}
