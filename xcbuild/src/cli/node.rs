//! What is done to single nodes: `restart`, `reset_vm`, `stop_vm`, `cont`, and `wait` for them.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;

use super::cluster::{self, ClusterOption};
use super::start::show;
use crate::settings::{Settings, Variables, set_options};
use crate::ui::{self, Progress};
use xc_cluster::{RunDir, life};
use xc_topology::address::NodeId;

/// How long `wait` waits unless told otherwise, in seconds.
const WAIT: u64 = 300;

/// Nodes, each as in 1 or vm-001, of a cluster.
#[derive(Debug, clap::Args)]
pub struct Nodes {
    #[command(flatten)]
    cluster: ClusterOption,
    /// The nodes, as in 1 or vm-001
    #[arg(required = true, value_name = "N")]
    nodes: Vec<NodeId>,
}

/// All nodes of a cluster, or some.
#[derive(Debug, clap::Args)]
pub struct Waiting {
    #[command(flatten)]
    cluster: ClusterOption,
    /// How many seconds to wait
    #[arg(long, value_name = "SECONDS", default_value_t = WAIT)]
    timeout: u64,
    /// The nodes, as in 1 or vm-001 [default: all]
    #[arg(value_name = "N")]
    nodes: Vec<NodeId>,
}

/// `restart`: ends nodes' qemus and starts them anew.
///
/// # Errors
/// When a node is not in the cluster, or does not come up.
pub fn restart(arguments: &Nodes, variables: Variables) -> Result<ExitCode> {
    let run = run_directory(&arguments.cluster, variables)?;
    let nodes = cluster::distinct(&arguments.nodes);
    let bar = Progress::sized("restarting", nodes.len() as u64, false);
    life::restart(&run, &nodes, None, &|event| show(run.name(), &bar, &event))?;
    Ok(ExitCode::SUCCESS)
}

/// `reset_vm`: presses nodes' reset buttons and lets them go on.
///
/// # Errors
/// When a node does not run, or does not come up.
pub fn reset(arguments: &Nodes, variables: Variables) -> Result<ExitCode> {
    let run = run_directory(&arguments.cluster, variables)?;
    let nodes = cluster::distinct(&arguments.nodes);
    let bar = Progress::sized("resetting", nodes.len() as u64, false);
    for node in nodes {
        life::reset(&run, node, None, &|event| show(run.name(), &bar, &event))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// `stop_vm`: stops nodes' processors for now.
///
/// # Errors
/// When a node does not run.
pub fn pause(arguments: &Nodes, variables: Variables) -> Result<ExitCode> {
    let run = run_directory(&arguments.cluster, variables)?;
    for node in &arguments.nodes {
        life::pause(&run, *node)?;
        ui::status("Paused", node);
    }
    Ok(ExitCode::SUCCESS)
}

/// `cont`: lets paused nodes go on.
///
/// # Errors
/// When a node does not run.
pub fn resume(arguments: &Nodes, variables: Variables) -> Result<ExitCode> {
    let run = run_directory(&arguments.cluster, variables)?;
    for node in &arguments.nodes {
        life::resume(&run, *node)?;
        ui::status("Resumed", node);
    }
    Ok(ExitCode::SUCCESS)
}

/// `wait`: returns when nodes are ready.
///
/// # Errors
/// When one has failed or died, or the time is up.
pub fn wait(arguments: &Waiting, variables: Variables) -> Result<ExitCode> {
    let run = run_directory(&arguments.cluster, variables)?;
    let status = life::wait(&run, &arguments.nodes, Duration::from_secs(arguments.timeout))?;
    ui::status("Ready", format_args!("cluster `{}`", status.cluster));
    Ok(ExitCode::SUCCESS)
}

fn run_directory(name: &ClusterOption, mut variables: Variables) -> Result<RunDir> {
    set_options(&mut variables, name);
    cluster::run_directory(&Settings::resolve(variables)?)
}
