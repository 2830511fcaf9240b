//! What verbs of clusters share: the cluster's name, its run directory.

pub(super) mod caller;
pub(super) mod checks;
pub(super) mod dns_zone;
pub(super) mod exit_codes;
pub(super) mod host_programs;
pub(super) mod images;
pub(super) mod params;
pub(super) mod remote_command;
pub(super) mod start;
pub(super) mod tables;
pub(super) mod terminal;
pub(super) mod topology_file;

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
pub(super) fn run_directory(settings: &Settings) -> Result<RunDir> {
    RunDir::new(&settings.places.run, &settings.cluster.name, &crate::ui::reporter())
}

/// Refuses a second cluster of the name, before the long work; a start does so again, with the lock.
///
/// # Errors
/// [`StartError::Running`] when one runs.
pub(super) fn refuse_running(settings: &Settings) -> Result<()> {
    // One whose state can't be read is no hindrance to a start.
    let alive = status(&run_directory(settings)?).map_or(0, |status| status.alive());
    if alive > 0 {
        bail!(StartError::Running { cluster: settings.cluster.name.clone(), alive });
    }
    Ok(())
}

/// The nodes that were named, each once.
pub(super) fn distinct(nodes: &[NodeId]) -> Vec<NodeId> {
    let mut seen = BTreeSet::new();
    nodes.iter().copied().filter(|id| seen.insert(*id)).collect()
}

/// Nodes of a cluster that a command line names.
#[derive(Debug, clap::Args)]
pub(super) struct Nodes {
    /// The nodes, as in 1 or vm-001
    #[arg(required = true, value_name = "N")]
    nodes: Vec<NodeId>,
}

impl Nodes {
    /// The nodes, each once.
    pub(super) fn distinct(&self) -> Vec<NodeId> {
        distinct(&self.nodes)
    }
}
