//! Waiting until nodes of a running cluster are ready.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::cluster::{Cluster, not_in_cluster};
use super::status::{DEAD, NodeCondition, NodeStatus, Status};
use xc_topology::address::NodeId;
use xc_vm::process::ProcessId;

impl Cluster {
    /// Waits until all nodes are ready, or the given ones.
    ///
    /// # Errors
    /// When one is not in the cluster, has failed or died, when the time is up, or when the user
    /// cancels.
    pub fn wait_ready(&self, nodes: &[NodeId], timeout: Duration) -> Result<Status> {
        let deadline = Instant::now() + timeout;
        // A panic is on the console, and a node that waits is started by who owns the cluster.
        let directory = self.run().path();
        let watch = self.host().watch(&[&directory, &self.state().logs])?;
        let owner = self.state().owner.hold()?;
        loop {
            let now = super::status(self.run())?;
            let pending = match pending(&now, nodes)? {
                pending if pending.is_empty() => return Ok(now),
                pending => pending,
            };
            if Instant::now() >= deadline {
                let names: Vec<_> = pending.iter().map(|n| n.name.as_str()).collect();
                bail!("{} not ready within {} s", names.join(", "), timeout.as_secs());
            }
            let processes = pending.iter().filter_map(|n| ProcessId::of(n.pid?));
            let held = processes.map(|process| self.host().hold(process));
            let held = held.collect::<Result<Vec<_>>>()?;
            if held.iter().any(Option::is_none) {
                // One has ended since we looked.
                continue;
            }
            let starts = owner.iter().filter(|owner| !owner.wait(Instant::now()));
            let all: Vec<_> = held.iter().flatten().chain(starts).collect();
            watch.wait(&all, deadline)?;
        }
    }
}

/// The nodes that are waited for and not ready yet: of those given, or of all.
fn pending<'a>(now: &'a Status, nodes: &[NodeId]) -> Result<Vec<&'a NodeStatus>> {
    let is_member = |id: &NodeId| now.nodes.iter().any(|n| n.number == *id);
    if let Some(id) = nodes.iter().find(|id| !is_member(id)) {
        bail!(not_in_cluster(*id, now.nodes.iter().map(|n| n.number)));
    }
    let wanted = |n: &&NodeStatus| nodes.is_empty() || nodes.contains(&n.number);
    let mut pending = Vec::new();
    for node in now.nodes.iter().filter(wanted) {
        match node.condition {
            NodeCondition::Ready => {}
            NodeCondition::Dead | NodeCondition::Failed => {
                let why = node.failure.as_deref().unwrap_or(DEAD);
                bail!("{} will not be ready: {why}", node.name);
            }
            _ => pending.push(node),
        }
    }
    Ok(pending)
}
