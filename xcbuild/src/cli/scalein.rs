//! `xcbuild scalein`: fewer nodes in a running cluster.

use std::process::ExitCode;

use anyhow::Result;

use super::cluster::{self, ClusterName};
use crate::cluster::life::scale_in;
use crate::settings::{Settings, Variables};
use crate::topology::address::NodeId;
use crate::ui;

/// Take nodes out of the running cluster
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    cluster: ClusterName,
    /// The nodes, as in 5 or vm-005
    #[arg(required = true, value_name = "N")]
    nodes: Vec<NodeId>,
}

/// Runs the verb.
///
/// # Errors
/// When a node is not in the cluster, or can't be ended.
pub fn run(arguments: &Arguments, mut variables: Variables) -> Result<ExitCode> {
    variables.set_options(&arguments.cluster);
    let settings = Settings::resolve(variables)?;
    let nodes = cluster::distinct(&arguments.nodes);
    scale_in(&cluster::run_directory(&settings)?, &nodes)?;
    nodes.iter().for_each(|node| ui::status("Stopped", node));
    Ok(ExitCode::SUCCESS)
}
