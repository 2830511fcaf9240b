//! Starting a cluster: plan, DNS proxy, nodes; all of it or nothing.
//!
//! What fails or is cancelled on the way is undone before the error is returned. What an xcbuild
//! that was killed left behind is undone by the next start or stop.

mod event;
mod params;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

pub use event::{Event, Report, StartError};
pub use params::{
    Admission, BootParams, BringUp, DnsParams, MachineParams, NetworkParams, StartParams,
};

use super::boot::{self, BootKind, Limits, NodeFailed};
use super::cluster::LockedCluster;
use super::lock::ClusterLock;
use super::memory::{self, Demand};
use super::plan::{self, Preflight};
use super::rundir::private_directory;
use super::state::Phase;
use super::{ErrorKind, RunDir, dns, hint, network, stop};
use xc_sys::cancel;
use xc_topology::address::NodeId;

/// Starts a cluster and returns when all its nodes are ready.
///
/// # Errors
/// [`StartError`], [`memory::InsufficientMemory`], [`NodeFailed`], [`xc_net::policy::PortsTaken`],
/// [`cancel::Cancelled`], or what else is missing or refused. Nothing of the cluster is left then
/// but its logs.
pub fn start(params: &StartParams, progress: &dyn Fn(Event)) -> Result<Report> {
    let preflight = plan::preflight(params)?;
    let queue = params.admission.queue;
    memory::queued(&params.run, queue, progress, || start_now(params, &preflight, progress))
}

fn start_now(
    params: &StartParams,
    preflight: &Preflight,
    progress: &dyn Fn(Event),
) -> Result<Report> {
    let run = &params.run;
    let Some(lock) = run.try_lock()? else {
        bail!(StartError::Busy(run.name().clone()));
    };
    let demand = Demand { nodes: &params.nodes, accel: preflight.accel(), replaces: true };
    let admitted = refuse_running(run, params.admission.replace)
        .and_then(|()| memory::check(run, &*params.host, params.admission, demand));
    match admitted {
        Ok(()) => {}
        Err(error) if run.path().exists() => return Err(error),
        Err(error) => return Err(roll_back(lock, error)),
    }
    stop_previous(&lock, progress)?;
    let (state, claim) = match plan::cluster(run, params, preflight, progress) {
        Ok(planned) => planned,
        Err(error) => return Err(roll_back(lock, error)),
    };
    let mut cluster = LockedCluster::new(lock, state, params.host.clone());
    let nodes: Vec<NodeId> = params.nodes.iter().map(|node| node.id).collect();
    let limits = Limits::of(preflight.accel(), params.host.cores(), &params.bring_up)
        .waiting(params.boot.reports_ready && !params.bring_up.detach);
    let up = bring_up(&mut cluster, &nodes, &limits, progress);
    drop(claim);
    match up {
        Ok((boot_time, failed)) => {
            let (accel, net) = (cluster.state().accel, cluster.state().net.clone());
            Ok(Report { status: cluster.status(), accel, net, boot_time, failed })
        }
        Err(error) => {
            progress(Event::Unwinding);
            Err(roll_back(cluster.into_lock(), error))
        }
    }
}

/// A running cluster is only replaced where that is wanted.
fn refuse_running(run: &RunDir, replace: bool) -> Result<()> {
    let alive = match super::status(run) {
        Ok(status) => status.alive(),
        // Its nodes may run, and can't be counted.
        Err(error) if !replace && hint::kind(&error) == Some(ErrorKind::OtherVersion) => {
            return Err(error);
        }
        // A damaged state is no hindrance: what is left of the cluster is ended.
        Err(_) => 0,
    };
    if alive > 0 && !replace {
        bail!(StartError::Running { cluster: run.name().clone(), alive });
    }
    Ok(())
}

/// Ends what there is of a former cluster of the name.
fn stop_previous(lock: &ClusterLock, progress: &dyn Fn(Event)) -> Result<()> {
    if !lock.run().path().exists() {
        return Ok(());
    }
    progress(Event::Stopping);
    stop::undo(lock)?;
    Ok(())
}

fn bring_up(
    cluster: &mut LockedCluster,
    nodes: &[NodeId],
    limits: &Limits,
    progress: &dyn Fn(Event),
) -> Result<(Duration, Vec<NodeFailed>)> {
    private_directory(&cluster.state().logs)?;
    network::make(cluster)?;
    if cluster.state().dns.is_some() {
        dns::start(cluster)?;
        progress(Event::Dns(cluster.state().net.dns_port));
    }
    let began = Instant::now();
    let launched: Vec<_> = nodes.iter().map(|id| (*id, BootKind::Launch)).collect();
    let failed = boot::nodes(cluster, &launched, limits, progress)?;
    cluster.update(|state| state.phase = Phase::Running)?;
    cancel::check()?;
    Ok((began.elapsed(), failed))
}

/// Undoes a start; the error that led to it stays the one that is told, with what could not be
/// undone.
fn roll_back(lock: ClusterLock, error: anyhow::Error) -> anyhow::Error {
    match stop::undo(&lock).and_then(|_| lock.remove()) {
        Ok(()) => error,
        Err(left) => error.context(format!("and not all of it could be undone: {left:#}")),
    }
}
