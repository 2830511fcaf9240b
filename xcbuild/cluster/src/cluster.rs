//! A cluster that exists, as one value: its run directory, its state, and the machine that its nodes
//! run on.
//!
//! [`Cluster`] is how the cluster was when it was opened, and can't change it. [`LockedCluster`] holds
//! the cluster's lock as well: only by it can state be changed and saved, so that two xcbuilds never
//! write it at once.

use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::host::{self, NodeHost, length};
use super::lock::ClusterLock;
use super::rundir::RunDir;
use super::state::{InterfaceState, NodeState, Phase, State};
use super::status::DEAD;
use super::{ClusterError, ClusterName, ErrorKind};
use xc_topology::address::{NetworkId, NodeId};
use xc_vm::command::Paths;
use xc_vm::process::{Held, ProcessId};
use xc_vm::qmp::{Qmp, QmpError};

/// A cluster, as it was when it was opened.
#[derive(Debug, Clone)]
pub struct Cluster {
    run: RunDir,
    state: State,
    /// Whether the machine has not booted since, so that its processes may live.
    of_this_boot: bool,
    host: Arc<dyn NodeHost>,
}

impl Cluster {
    /// The cluster of a run directory.
    ///
    /// # Errors
    /// When there is none, or its state can't be read.
    pub fn open(run: &RunDir) -> Result<Self> {
        Ok(Self::find(run)?.ok_or_else(|| run.name().not_running())?)
    }

    /// The cluster of a run directory, if there is one.
    ///
    /// # Errors
    /// When its state can't be read.
    pub fn find(run: &RunDir) -> Result<Option<Self>> {
        let Some(state) = State::load(run)? else { return Ok(None) };
        let of_this_boot = !state.is_from_another_boot()?;
        Ok(Some(Self { run: run.clone(), state, of_this_boot, host: host::local() }))
    }

    /// The cluster of a run directory, to be changed; waits for whoever changes it now: most changes
    /// take but a moment.
    ///
    /// # Errors
    /// When there is none, it is of another boot of the machine, or its state can't be read.
    pub fn lock(run: &RunDir) -> Result<LockedCluster> {
        let absent = || run.name().not_running();
        if !run.state_file().exists() {
            bail!(absent());
        }
        let lock = run.lock()?;
        // It may have gone while we waited.
        if !run.state_file().exists() {
            lock.remove()?;
            bail!(absent());
        }
        let cluster = Self::open(run)?;
        if !cluster.of_this_boot {
            bail!(absent());
        }
        let mut cluster = LockedCluster { cluster, lock };
        let own = ProcessId::own().context("/proc does not show this process")?;
        cluster.update(|state| state.owner = own)?;
        Ok(cluster)
    }

    /// Its name.
    pub fn name(&self) -> &ClusterName {
        self.run.name()
    }

    /// Its run directory.
    pub fn run(&self) -> &RunDir {
        &self.run
    }

    /// What is saved of it.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The machine that its nodes run on.
    pub fn host(&self) -> &Arc<dyn NodeHost> {
        &self.host
    }

    /// The files of a node.
    pub(crate) fn files(&self, node: NodeId) -> Paths {
        self.run.node(node, &self.state.logs)
    }

    /// What is saved of a node.
    ///
    /// # Errors
    /// When it is not in the cluster.
    pub(crate) fn node(&self, node: NodeId) -> Result<&NodeState> {
        match self.state.nodes.get(&node) {
            Some(state) => Ok(state),
            None => bail!(not_in_cluster(node, self.state.nodes.keys().copied())),
        }
    }

    /// Refuses nodes that are not in the cluster.
    ///
    /// # Errors
    /// For the first of them.
    pub(crate) fn ensure_members(&self, nodes: &[NodeId]) -> Result<()> {
        nodes.iter().try_for_each(|node| self.node(*node).map(drop))
    }

    /// What is saved of a node's interface on a network.
    ///
    /// # Errors
    /// When the node is not in the cluster, or not on that network.
    pub(crate) fn interface(&self, node: NodeId, network: NetworkId) -> Result<&InterfaceState> {
        let state = self.node(node)?;
        state.interface(network).with_context(|| {
            let on: Vec<_> = state.interfaces.iter().map(|i| i.network.to_string()).collect();
            format!("{node} is not on network {network}; it is on {}", on.join(", "))
        })
    }

    /// A node's qemu, recorded or not, if it runs.
    pub(crate) fn process(&self, node: NodeId) -> Option<ProcessId> {
        let recorded = self.state.nodes.get(&node)?.process.filter(|p| self.is_alive(*p));
        recorded.or_else(|| self.strays().get(&node).copied())
    }

    /// Whether a process of it still runs.
    pub(crate) fn is_alive(&self, process: ProcessId) -> bool {
        self.of_this_boot && self.host.is_alive(process)
    }

    /// Whether anything of it runs, or the xcbuild that starts it does.
    pub(crate) fn is_running(&self) -> bool {
        let starts = self.state.phase == Phase::Starting && self.state.owner.is_alive();
        self.of_this_boot && (starts || self.state.processes().any(|p| self.host.is_alive(p)))
    }

    /// Whether the machine has not booted since the cluster was started.
    pub(crate) fn is_of_this_boot(&self) -> bool {
        self.of_this_boot
    }

    /// Takes hold of a node's qemu, if it runs.
    ///
    /// # Errors
    /// When the host refuses.
    pub(crate) fn hold(&self, node: NodeId) -> Result<Option<Held>> {
        Ok(self.process(node).map(|process| self.host.hold(process)).transpose()?.flatten())
    }

    /// Connects to the control socket of a node's qemu.
    ///
    /// # Errors
    /// When the node is not in the cluster, does not run, or its qemu does not answer.
    pub(crate) fn qmp(&self, node: NodeId) -> Result<Qmp> {
        self.node(node)?;
        if self.process(node).is_none() {
            let restart = self.name().command(format_args!("restart {}", node.number()));
            let message = format_args!("{node} does not run: {DEAD}");
            bail!(
                ClusterError::new(ErrorKind::NodeUnavailable, message)
                    .with_hint(restart.hint("starts it"))
            );
        }
        connect(&*self.host, &self.files(node).qmp)
    }

    /// How much a node has said on its agent port, in bytes.
    pub(crate) fn said(&self, node: NodeId) -> u64 {
        length(&*self.host, &self.files(node).agent_log)
    }
}

/// A cluster, with the right to change it.
#[derive(Debug)]
pub struct LockedCluster {
    cluster: Cluster,
    lock: ClusterLock,
}

impl LockedCluster {
    /// A cluster that is about to be made, by the state that was saved for it.
    pub(crate) fn new(lock: ClusterLock, state: State, host: Arc<dyn NodeHost>) -> Self {
        let run = lock.run().clone();
        Self { cluster: Cluster { run, state, of_this_boot: true, host }, lock }
    }

    /// Changes the state and saves it.
    ///
    /// # Errors
    /// When it can't be written.
    pub(crate) fn update(&mut self, change: impl FnOnce(&mut State)) -> Result<()> {
        change(&mut self.cluster.state);
        self.cluster.state.save(&self.cluster.run)
    }

    /// Changes what is saved of a node.
    ///
    /// # Errors
    /// When the node is not in the cluster, or the state can't be written.
    pub(crate) fn update_node(
        &mut self,
        node: NodeId,
        change: impl FnOnce(&mut NodeState),
    ) -> Result<()> {
        self.cluster.node(node)?;
        self.update(|state| {
            if let Some(node) = state.nodes.get_mut(&node) {
                change(node);
            }
        })
    }

    /// The lock alone, where there is no cluster any more.
    pub(crate) fn into_lock(self) -> ClusterLock {
        self.lock
    }
}

impl Deref for LockedCluster {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}

/// How long qemu may take to answer.
const QMP_LIMIT: Duration = Duration::from_secs(10);

/// Connects to a qemu's control socket on a host.
///
/// # Errors
/// When nobody listens, answers in time, or speaks QMP.
pub(crate) fn connect(host: &dyn NodeHost, socket: &Path) -> Result<Qmp> {
    Ok(Qmp::over(host.connect(socket).map_err(QmpError::from)?, QMP_LIMIT)?)
}

/// That a node is not among those of a cluster.
pub(crate) fn not_in_cluster(node: NodeId, members: impl Iterator<Item = NodeId>) -> String {
    let names: Vec<_> = members.map(|member| member.number().to_string()).collect();
    format!("{node} is not in the cluster; its nodes are {}", names.join(", "))
}
