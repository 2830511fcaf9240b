//! `xcbuild scalein`: fewer nodes in a running cluster.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::cluster;
use crate::cli::verb::Verb;
use crate::settings::Invocation;
use crate::ui;
use xc_cluster::Cluster;
use xc_topology::address::NodeId;

/// Take nodes out of the running cluster
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The nodes, as in 5 or vm-005
    #[arg(required = true, value_name = "N")]
    nodes: Vec<NodeId>,
}

impl Verb for Arguments {
    const NAME: &'static str = "scalein";

    /// Runs the verb.
    ///
    /// # Errors
    /// When a node is not in the cluster, or can't be ended.
    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        let settings = invocation.settings()?;
        let nodes = cluster::distinct(&self.nodes);
        Cluster::lock(&cluster::run_directory(&settings)?)?.scale_in(&nodes)?;
        nodes.iter().for_each(|node| ui::status("Stopped", node));
        Ok(ExitCode::SUCCESS)
    }
}
