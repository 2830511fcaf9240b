//! More nodes for a running cluster, and fewer.

use anyhow::{Result, bail};

use super::boot::{self, BootKind, Limits, NodeFailed};
use super::cluster::{Cluster, LockedCluster};
use super::{ClusterError, ErrorKind, Event, StartParams, Status, console, memory, network, plan};
use xc_topology::address::NodeId;

/// A cluster that got more nodes.
#[derive(Debug, Clone)]
pub struct Scaled {
    /// All of its nodes.
    pub status: Status,
    /// New ones that did not come up, where the others were to go on.
    pub failed: Vec<NodeFailed>,
}

/// Adds nodes to a running cluster and returns when they are ready. If one can't be brought up, all
/// new ones are taken out again, unless those that can are to go on. The parameters' nodes are the
/// new ones; ports and accelerator are the cluster's.
///
/// # Errors
/// As [`super::start()`], and when a node is there already or there is no cluster.
pub fn scale_out(params: &StartParams, progress: &dyn Fn(Event)) -> Result<Scaled> {
    let queue = params.admission.queue;
    memory::queued(&params.run, queue, progress, || scale_out_now(params, progress))
}

fn scale_out_now(params: &StartParams, progress: &dyn Fn(Event)) -> Result<Scaled> {
    let mut cluster = Cluster::lock(&params.run)?;
    let ids: Vec<NodeId> = params.nodes.iter().map(|n| n.id).collect();
    if let Some(node) = ids.iter().find(|id| cluster.state().nodes.contains_key(id)) {
        let remove = cluster.name().command(format_args!("scalein {}", node.number()));
        let message = format_args!("{node} is in the cluster already");
        bail!(
            ClusterError::new(ErrorKind::Conflict, message).with_hint(remove.hint("takes it out"))
        );
    }
    plan::more(&mut cluster, params)?;
    cluster.report_changed_images(progress);
    match bring_up(&mut cluster, params, &ids, progress) {
        Ok(failed) => Ok(Scaled { status: cluster.status(), failed }),
        Err(error) => {
            progress(Event::Unwinding);
            Err(match cluster.remove_nodes(&ids) {
                Ok(()) => error,
                Err(left) => error.context(format!("and not all of it could be undone: {left:#}")),
            })
        }
    }
}

fn bring_up(
    cluster: &mut LockedCluster,
    params: &StartParams,
    ids: &[NodeId],
    progress: &dyn Fn(Event),
) -> Result<Vec<NodeFailed>> {
    network::make(cluster)?;
    let state = cluster.state();
    let limits = Limits::of(state.accel, cluster.host().cores(), &params.bring_up);
    let limits = limits.waiting(params.boot.reports_ready && !params.bring_up.detach);
    let launched: Vec<_> = ids.iter().map(|id| (*id, BootKind::Launch)).collect();
    boot::nodes(cluster, &launched, &limits, progress)
}

/// Adds nodes to the cluster if it runs, else starts it with them. Of several that do so at once,
/// each waits for those before it.
///
/// # Errors
/// Those of [`super::start()`] and [`scale_out`].
pub fn boot_one(params: &StartParams, progress: &dyn Fn(Event)) -> Result<Status> {
    let run = &params.run;
    let _queue = run.lock_boot_queue()?;
    if run.path().exists() && super::status(run)?.alive() > 0 {
        return Ok(scale_out(params, progress)?.status);
    }
    Ok(super::start(params, progress)?.status)
}

impl LockedCluster {
    /// Takes nodes out of a running cluster.
    ///
    /// # Errors
    /// When a node is not in it, or can't be ended.
    pub fn scale_in(&mut self, nodes: &[NodeId]) -> Result<()> {
        self.ensure_members(nodes)?;
        self.remove_nodes(nodes)
    }

    /// Ends nodes and forgets them.
    fn remove_nodes(&mut self, nodes: &[NodeId]) -> Result<()> {
        self.end(nodes)?;
        network::unplug(self, nodes)?;
        for id in nodes {
            let paths = self.files(*id);
            let lock = console::lock_of(&paths.console);
            for file in [paths.console, paths.qmp, paths.agent_log, lock] {
                self.host().remove(&file)?;
            }
        }
        self.update(|state| state.nodes.retain(|id, _| !nodes.contains(id)))
    }
}
