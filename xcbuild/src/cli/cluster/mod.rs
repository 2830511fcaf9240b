//! What verbs of clusters share: the cluster's name, its run directory.

pub mod caller;
pub mod checks;
pub mod dns_zone;
pub mod exit_codes;
pub mod host_programs;
pub mod images;
pub mod params;
pub mod remote_command;
pub mod start;
pub mod tables;
pub mod terminal;
pub mod topology_file;

use std::collections::BTreeSet;

use anyhow::{Result, bail};

use crate::settings::Settings;
use xc_cluster::start::StartError;
use xc_cluster::{RunDir, status};
use xc_topology::address::NodeId;

/// The run directory that the settings name.
///
/// # Errors
/// When it can't be one: another user's, or a path too long for sockets.
pub fn run_directory(settings: &Settings) -> Result<RunDir> {
    RunDir::new(&settings.places.run, &settings.cluster.name, &crate::ui::reporter())
}

/// Refuses a second cluster of the name, before the long work; a start does so again, with the lock.
///
/// # Errors
/// [`StartError::Running`] when one runs.
pub fn refuse_running(settings: &Settings) -> Result<()> {
    // One whose state can't be read is no hindrance to a start.
    let alive = status(&run_directory(settings)?).map_or(0, |status| status.alive());
    if alive > 0 {
        bail!(StartError::Running { cluster: settings.cluster.name.clone(), alive });
    }
    Ok(())
}

/// The nodes that were named, each once.
pub fn distinct(nodes: &[NodeId]) -> Vec<NodeId> {
    let mut seen = BTreeSet::new();
    nodes.iter().copied().filter(|id| seen.insert(*id)).collect()
}

/// Nodes of a cluster that a command line names.
#[derive(Debug, clap::Args)]
pub struct Nodes {
    /// The nodes, as in 1 or vm-001
    #[arg(required = true, value_name = "N")]
    nodes: Vec<NodeId>,
}

impl Nodes {
    /// The nodes, each once.
    pub fn distinct(&self) -> Vec<NodeId> {
        distinct(&self.nodes)
    }
}
