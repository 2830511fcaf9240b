//! Admission by memory: whether the host has what the nodes may use, and waiting until it has.
//!
//! A node's memory is taken from the host only as it is touched, so what the host has available now
//! is partly promised already, to nodes that have yet to touch theirs. Clusters that fit on paper
//! next to those of the user's that run, fit; one that doesn't might, until the host kills something.
//! That is refused, or waited for, unless the user says otherwise.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::host::{Memory, NodeHost, Watch};
use super::start::Admission;
use super::status::{NodeCondition, NodeStatus};
use super::{ClusterName, Event, RunDir, Status, status};
use xc_topology::Node;
use xc_vm::command::Accel;
use xc_vm::process::{Held, ProcessId};

/// How often memory is looked at while it is waited for: other users' programs free it without
/// telling.
const LOOK: Duration = Duration::from_secs(2);

/// What a qemu needs besides its node's memory, in MiB: its program, device state, and the code that
/// it has translated (measured after a boot).
fn qemu_mib(accel: Accel) -> u64 {
    match accel {
        Accel::Kvm => 48,
        Accel::Tcg => 160,
    }
}

/// Why nodes are not admitted: more memory than there is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct InsufficientMemory {
    /// How many nodes are to be started.
    pub nodes: usize,
    /// MiB for themselves.
    pub memory: u64,
    /// MiB for each one's qemu.
    pub qemu: u64,
    /// MiB that the host has available.
    pub available: u64,
    /// MiB of these that running nodes may still come to use.
    pub promised: u64,
    /// MiB that the host has in all: what needs more is not worth a wait.
    pub total: u64,
    /// The user's clusters that run, with how many nodes.
    pub running: Vec<(String, usize)>,
}

impl InsufficientMemory {
    fn needed(&self) -> u64 {
        self.memory + self.qemu * self.nodes as u64
    }
}

impl fmt::Display for InsufficientMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { nodes, memory, qemu, available, promised, .. } = self;
        let needed = self.needed();
        write!(
            f,
            "{nodes} nodes need {needed} MiB of memory ({memory} for themselves, {qemu} each for \
             qemu), and the host has {available} MiB available"
        )?;
        if *promised > 0 {
            write!(f, ", {promised} of them promised to nodes that run")?;
        }
        let running = self.running.iter().map(|(name, nodes)| format!("`{name}` ({nodes})"));
        let running = running.collect::<Vec<_>>().join(", ");
        f.write_str("; start fewer (--nvm, --nrouters, --ntesters) or smaller ones (--mem), ")?;
        if !running.is_empty() {
            write!(f, "stop a cluster that runs: {running}, wait for that (--queue=SECONDS), ")?;
        }
        f.write_str("or start all the same with --overcommit")
    }
}

/// A cluster of the user's that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Running {
    name: String,
    /// How many of its nodes run; none are counted of the cluster that is to get more.
    alive: usize,
    /// MiB that its nodes may still come to use.
    promised: u64,
}

impl Running {
    fn of(cluster: &Status, own: &ClusterName) -> Self {
        let qemu = cluster.accel.map_or(0, qemu_mib);
        let left = |node: &NodeStatus| {
            let all = u64::from(node.memory_mib) + qemu;
            left(all, node.condition, node.usage.map(|used| used.memory_mib))
        };
        let promised = cluster.nodes.iter().map(left).sum();
        let alive = if cluster.cluster == *own { 0 } else { cluster.alive() };
        Self { name: cluster.cluster.to_string(), alive, promised }
    }
}

/// What a node may still come to use of what it needs in all.
fn left(all: u64, condition: NodeCondition, used: Option<u64>) -> u64 {
    match (condition, used) {
        (NodeCondition::Waiting, _) => all,
        (_, Some(used)) => all.saturating_sub(used),
        (_, None) => 0,
    }
}

/// Nodes that ask for memory, and what they are executed by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Demand<'a> {
    /// The nodes that are to be started.
    pub(super) nodes: &'a [Node],
    /// What executes them.
    pub(super) accel: Accel,
    /// Whether the cluster that runs is about to be replaced, so that what it has comes free.
    pub(super) replaces: bool,
}

/// Looks whether the memory of nodes is available, besides what the user's clusters have; or in place
/// of what the cluster itself has, if that is about to be replaced.
///
/// # Errors
/// [`InsufficientMemory`].
pub(super) fn check(
    run: &RunDir,
    host: &dyn NodeHost,
    admission: Admission,
    demand: Demand<'_>,
) -> Result<()> {
    if admission.overcommit {
        return Ok(());
    }
    let mut memory = host.memory()?;
    let (leaving, staying): (Vec<_>, Vec<_>) =
        clusters(run)?.into_iter().partition(|c| demand.replaces && c.cluster == *run.name());
    let given_back = leaving.iter().flat_map(|cluster| &cluster.nodes);
    memory.available += given_back.filter_map(|n| Some(n.usage?.memory_mib)).sum::<u64>();
    let running: Vec<_> = staying.iter().map(|c| Running::of(c, run.name())).collect();
    fits(demand.nodes, qemu_mib(demand.accel), memory, &running)
}

/// The user's clusters. One whose state can't be read promises nothing that could be known.
fn clusters(run: &RunDir) -> Result<Vec<Status>> {
    let all = run.of_all_clusters()?;
    Ok(all.iter().filter_map(|cluster| status(cluster).ok()).collect())
}

fn fits(nodes: &[Node], qemu: u64, host: Memory, running: &[Running]) -> Result<()> {
    let named = running.iter().filter(|cluster| cluster.alive > 0);
    let needs = InsufficientMemory {
        nodes: nodes.len(),
        memory: nodes.iter().map(|n| u64::from(n.memory_mib)).sum(),
        qemu,
        available: host.available,
        total: host.total,
        promised: running.iter().map(|cluster| cluster.promised).sum(),
        running: named.map(|cluster| (cluster.name.clone(), cluster.alive)).collect(),
    };
    if needs.needed() + needs.promised <= needs.available {
        return Ok(());
    }
    bail!(needs)
}

/// Starts something, and tries again as long as there is no room for it, the user would wait, and
/// there are clusters that may give memory back. Nothing sleeps: that a node of another cluster has ended is noticed at once.
///
/// # Errors
/// Those of `start`, the last [`InsufficientMemory`], or [`xc_sys::cancel::Cancelled`].
pub(super) fn queued<T>(
    run: &RunDir,
    patience: Option<Duration>,
    progress: &dyn Fn(Event),
    start: impl Fn() -> Result<T>,
) -> Result<T> {
    let until = Instant::now() + patience.unwrap_or_default();
    let mut told = false;
    loop {
        let error = match start() {
            Err(error) if Instant::now() < until => error,
            result => return result,
        };
        let may_come = |needs: &&InsufficientMemory| {
            needs.needed() <= needs.total && !needs.running.is_empty()
        };
        let needs = error.downcast_ref::<InsufficientMemory>().filter(may_come);
        let Some(needs) = needs else { return Err(error) };
        if !std::mem::replace(&mut told, true) {
            progress(Event::Queued(needs.clone()));
        }
        wait_for_an_end(run, until.min(Instant::now() + LOOK))?;
    }
}

/// Waits until some node of the user's ends, or the time is up.
fn wait_for_an_end(run: &RunDir, until: Instant) -> Result<()> {
    let all = clusters(run)?;
    let pids = all.iter().flat_map(|cluster| cluster.nodes.iter().filter_map(|node| node.pid));
    let held: Vec<Held> =
        pids.filter_map(|pid| ProcessId::of(pid)?.hold().ok().flatten()).collect();
    Watch::new(&[])?.wait(&held.iter().collect::<Vec<_>>(), until)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{InsufficientMemory, Memory, Running, fits, left};
    use crate::status::NodeCondition;
    use xc_topology::fixture::node;

    const fn host(available: u64) -> Memory {
        Memory { total: 1000, available }
    }

    #[test]
    fn nodes_and_their_qemus_have_to_fit_beside_what_is_promised() {
        let nodes = [node(1, &[0]), node(2, &[0])];
        assert!(fits(&nodes, 64, host(384), &[]).is_ok());
        let error = fits(&nodes, 64, host(383), &[]).unwrap_err().to_string();
        assert!(error.starts_with("2 nodes need 384 MiB of memory (256 for"), "{error}");
        assert!(!error.contains("--queue"), "nothing to wait for: {error}");

        let other = [Running { name: "ci".into(), alive: 1, promised: 488 }];
        assert!(fits(&nodes, 64, host(384 + 488), &other).is_ok());
        let error = fits(&nodes, 64, host(384 + 487), &other).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("488 of them promised to nodes that run"), "{text}");
        assert!(text.contains("stop a cluster that runs: `ci` (1), wait for that"), "{text}");
        assert_eq!(error.downcast::<InsufficientMemory>().unwrap().needed(), 384);
    }

    #[test]
    fn nodes_may_come_to_use_what_they_have_not_touched() {
        let rows = [
            (NodeCondition::Waiting, None, 288),
            (NodeCondition::Ready, Some(88), 200),
            (NodeCondition::Ready, Some(300), 0),
            (NodeCondition::Dead, None, 0),
        ];
        for (condition, used, expected) in rows {
            assert_eq!(left(288, condition, used), expected, "{condition} {used:?}");
        }
    }
}
