//! `xcbuild scalein`: fewer nodes in a running cluster.

use std::process::ExitCode;

use anyhow::Result;

use super::cluster::{self, ClusterOption};
use crate::settings::{Settings, Variables, set_options};
use crate::ui;
use xc_cluster::life::scale_in;
use xc_topology::address::NodeId;

/// Take nodes out of the running cluster
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    cluster: ClusterOption,
    /// The nodes, as in 5 or vm-005
    #[arg(required = true, value_name = "N")]
    nodes: Vec<NodeId>,
}

/// Runs the verb.
///
/// # Errors
/// When a node is not in the cluster, or can't be ended.
pub fn run(arguments: &Arguments, mut variables: Variables) -> Result<ExitCode> {
    set_options(&mut variables, &arguments.cluster);
    let settings = Settings::resolve(variables)?;
    let nodes = cluster::distinct(&arguments.nodes);
    scale_in(&cluster::run_directory(&settings)?, &nodes)?;
    nodes.iter().for_each(|node| ui::status("Stopped", node));
    Ok(ExitCode::SUCCESS)
}
