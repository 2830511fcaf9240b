//! The state file: what a cluster is made of, written before it is made.
//!
//! JSON, replaced as a whole by rename, so that a reader sees one state or the next. It is not
//! synced to the disk: what it is about does not outlive the machine either, and a state from
//! before the last boot is known by its boot id.
//!
//! It holds facts, by their types: nothing is read back out of a command line. A state of another
//! version is refused, but by `stop`, which reads what is the same in all ([`remains`]).
//!
//! Whoever holds the cluster's lock writes it; any process of the same user reads it.

mod helper;
mod image;
mod node;
mod remains;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::network::{self, Network};
use super::{ClusterError, ClusterName, ErrorKind, RunDir};
pub use helper::{Dns, DnsProgram, DnsService, Helper};
pub use image::Image;
pub use node::{InterfaceState, NodeState};
pub(crate) use remains::Remains;
use xc_net::user::UserNet;
use xc_topology::Counts;
use xc_topology::address::NodeId;
use xc_vm::command::Accel;
use xc_vm::process::ProcessId;

/// The format that this xcbuild writes and reads.
const FORMAT: u32 = 2;

/// How far a cluster has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Its owner starts it, or was killed while it did.
    Starting,
    /// All nodes were ready once.
    Running,
}

/// All that a cluster is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The format of the file.
    pub format: u32,
    /// The cluster's name.
    pub cluster: ClusterName,
    /// The machine's boot in which the cluster was started.
    pub boot_id: String,
    /// The xcbuild that started it, or changed it last: who has the lock while it is taken.
    pub owner: ProcessId,
    /// How far it has come.
    pub phase: Phase,
    /// When it was started, in seconds since 1970.
    pub started: u64,
    /// What executes the nodes.
    pub accel: Accel,
    /// Why that is not KVM, where it was tried.
    pub fallback: Option<String>,
    /// Its ports.
    pub net: UserNet,
    /// What carries its networks.
    pub network: Network,
    /// The public half of the ssh key without which no user gets in; every user does if there is none.
    pub key: Option<String>,
    /// Where its logs are.
    pub logs: PathBuf,
    /// What its nodes boot from, as it was when the cluster was started.
    pub images: Vec<Image>,
    /// The DNS proxy on the host, if the cluster has one.
    pub dns: Option<Dns>,
    /// Whether its nodes say when they are ready; those of an image of the user's don't.
    pub reports_ready: bool,
    /// How many nodes of each role its nodes are told that there are.
    pub counts: Counts,
    /// Its nodes by number.
    pub nodes: BTreeMap<NodeId, NodeState>,
}

impl State {
    /// A cluster of no nodes yet, started now by this process.
    ///
    /// # Errors
    /// When `/proc` does not tell about this boot or process.
    pub fn new(run: &RunDir, accel: Accel, net: UserNet, logs: PathBuf) -> Result<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Self {
            format: FORMAT,
            cluster: run.name().clone(),
            boot_id: boot_id()?,
            owner: ProcessId::own().context("/proc does not show this process")?,
            phase: Phase::Starting,
            started: now.as_secs(),
            accel,
            fallback: None,
            net,
            network: Network::default(),
            key: None,
            logs,
            images: Vec::new(),
            dns: None,
            reports_ready: true,
            counts: Counts { vm: 0, routers: 0, testers: 0 },
            nodes: BTreeMap::new(),
        })
    }

    /// Reads a cluster's state; `None` if there is no cluster.
    ///
    /// # Errors
    /// When the file is damaged, another version's, or can't be read.
    pub fn load(run: &RunDir) -> Result<Option<Self>> {
        let bytes = match fs::read(run.state_file()) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            bytes => bytes?,
        };
        Ok(Some(Self::parse(run, &bytes)?))
    }

    /// The state in a file's bytes. The format is looked at first: the rest may be different in
    /// another version.
    fn parse(run: &RunDir, bytes: &[u8]) -> Result<Self, ClusterError> {
        let cluster = run.name();
        let damaged = |error: serde_json::Error| {
            let file = run.state_file();
            let message = format!("`{}` is damaged: {error}", file.display());
            let stop = cluster.command("stop").hint("ends the cluster all the same");
            ClusterError::new(ErrorKind::Damaged, message).with_hint(stop)
        };
        match serde_json::from_slice(bytes).map_err(damaged)? {
            Head { format: FORMAT } => {}
            Head { format } => {
                let found = format!("has format {format}, this version reads {FORMAT}");
                return Err(of_another_version(cluster, &found));
            }
        }
        if let Some(kind) = network::unknown_kind(bytes) {
            let found = format!("has a network of the kind `{kind}`, which this version lacks");
            return Err(of_another_version(cluster, &found));
        }
        serde_json::from_slice(bytes).map_err(damaged)
    }

    /// Writes the state.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn save(&self, run: &RunDir) -> Result<()> {
        let failed = || format!("can't write `{}`", run.state_file().display());
        let bytes = serde_json::to_vec_pretty(self).with_context(failed)?;
        let mut file = tempfile::NamedTempFile::new_in(run.path()).with_context(failed)?;
        file.write_all(&bytes).with_context(failed)?;
        file.persist(run.state_file()).with_context(failed)?;
        Ok(())
    }

    /// Whether the machine has booted since, so that no process of it can live.
    ///
    /// # Errors
    /// When `/proc` does not tell about this boot.
    pub fn is_from_another_boot(&self) -> Result<bool> {
        Ok(boot_id()? != self.boot_id)
    }

    /// The recorded processes: nodes' and helpers'.
    pub fn processes(&self) -> impl Iterator<Item = ProcessId> {
        let nodes = self.nodes.values().filter_map(|n| n.process);
        let helpers = self.dns.as_ref().and_then(|d| d.helper.process);
        nodes.chain(helpers).chain(self.network.processes())
    }
}

/// What every version's state begins with.
#[derive(Deserialize)]
struct Head {
    format: u32,
}

fn of_another_version(cluster: &ClusterName, found: &str) -> ClusterError {
    let message = format_args!(
        "the cluster `{cluster}` was started by another version of xcbuild: its state {found}"
    );
    let stop = cluster.command("stop").hint("ends it");
    ClusterError::new(ErrorKind::OtherVersion, message).with_hint(stop)
}

fn boot_id() -> Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().into())
}

#[cfg(test)]
mod tests;
