//! The state file: what a cluster is made of, written before it is made.
//!
//! JSON, replaced as a whole by rename, so that a reader sees one state or the next. It is not
//! synced to the disk: what it is about does not outlive the machine either, and a state from
//! before the last boot is known by its boot id.
//!
//! Whoever holds the cluster's lock writes it; anybody of the same user reads it.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::network::Network;
use super::{ClusterName, RunDir};
use xc_net::user::UserNet;
use xc_topology::{Counts, Node, Ways};
use xc_vm::command::Accel;
use xc_vm::process::ProcessId;

/// The format that this xcbuild writes and reads.
const FORMAT: u32 = 1;

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
    #[serde(default)]
    pub network: Network,
    /// The public half of the ssh key without which nobody gets in; anybody does if there is none.
    #[serde(default)]
    pub key: Option<String>,
    /// Where its logs are.
    pub logs: PathBuf,
    /// What its nodes boot from, as it was when the cluster was started.
    #[serde(default)]
    pub images: Vec<Image>,
    /// The DNS proxy on the host, if the cluster has one.
    pub dns: Option<Helper>,
    /// Whether its nodes say when they are ready; those of an image of the user's don't.
    #[serde(default = "yes")]
    pub waits: bool,
    /// How many nodes of each role its nodes are told that there are.
    pub counts: Counts,
    /// Its nodes by number.
    pub nodes: BTreeMap<u8, NodeState>,
}

/// A file that nodes boot from, and what changes with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// The file.
    pub path: PathBuf,
    /// Its device, inode, and time in nanoseconds: a file that is made anew has others.
    stamp: (u64, u64, i64, i64),
}

impl Image {
    /// The file as it is now; `None` if it is not there.
    pub fn of(path: &Path) -> Option<Self> {
        let m = fs::metadata(path).ok()?;
        Some(Self { path: path.into(), stamp: (m.dev(), m.ino(), m.mtime(), m.mtime_nsec()) })
    }

    /// Whether the file is another by now.
    pub fn has_changed(&self) -> bool {
        Self::of(&self.path).as_ref() != Some(self)
    }
}

fn yes() -> bool {
    true
}

/// A process beside the nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Helper {
    /// Its command.
    pub argv: Vec<String>,
    /// The process, once it is known.
    pub process: Option<ProcessId>,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeState {
    /// Its host name.
    pub name: String,
    /// Its role: `vm`, `router`, `tester`.
    pub role: String,
    /// Its interfaces in order, eth0 first.
    pub interfaces: Vec<InterfaceState>,
    /// Its memory in MiB.
    pub memory_mib: u32,
    /// Its processors.
    pub cpus: u32,
    /// The qemu command that runs it.
    pub argv: Vec<String>,
    /// Its qemu, once it is known.
    pub process: Option<ProcessId>,
    /// Milliseconds from the start of its qemu until it said that it is ready.
    pub ready_ms: Option<u64>,
    /// Whether we have stopped its processors for now.
    pub paused: bool,
    /// How often its qemu was started again.
    #[serde(default)]
    pub restarts: u32,
}

/// One interface of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceState {
    /// The network's number.
    pub network: u8,
    /// The MAC address.
    pub mac: String,
    /// The IPv4 address, where the topology gives one.
    pub ipv4: Option<Ipv4Addr>,
    /// The IPv6 address, where the topology gives one.
    pub ipv6: Option<Ipv6Addr>,
    /// Whether its link was taken down live.
    #[serde(default)]
    pub down: bool,
    /// What its link does to packets.
    #[serde(default)]
    pub impaired: Ways,
    /// How much the node had said when that was set live: what it says later is of another boot.
    /// `None` where the topology's own impairments hold, which the node sets itself.
    #[serde(default)]
    pub impaired_at: Option<u64>,
    /// What the topology has it do, and so every boot.
    #[serde(default)]
    pub impaired_at_boot: Ways,
}

impl NodeState {
    /// A node that is about to be started by that command.
    pub fn new(node: &Node, argv: Vec<String>) -> Self {
        let interfaces = node.interfaces.iter().map(|i| InterfaceState {
            network: i.network.0,
            mac: i.mac.to_string(),
            ipv4: i.ipv4,
            ipv6: i.ipv6,
            down: false,
            impaired: i.impaired.clone(),
            impaired_at: None,
            impaired_at_boot: i.impaired.clone(),
        });
        Self {
            name: node.id.to_string(),
            role: node.id.role().to_string(),
            interfaces: interfaces.collect(),
            memory_mib: node.memory_mib,
            cpus: node.cpus,
            argv,
            process: None,
            ready_ms: None,
            paused: false,
            restarts: 0,
        }
    }
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
            network: Network::User,
            key: None,
            logs,
            images: Vec::new(),
            dns: None,
            waits: true,
            counts: Counts { vm: 0, routers: 0, testers: 0 },
            nodes: BTreeMap::new(),
        })
    }

    /// Reads a cluster's state; `None` if there is no cluster.
    ///
    /// # Errors
    /// When the file can't be read, is damaged, or of another format.
    pub fn load(run: &RunDir) -> Result<Option<Self>> {
        let path = run.state_file();
        let bytes = match fs::read(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            bytes => bytes?,
        };
        let damaged = || {
            let stop = run.name().command("stop");
            format!("`{}` is damaged; {stop} ends the cluster all the same", path.display())
        };
        let state: Self = serde_json::from_slice(&bytes).with_context(damaged)?;
        if state.format != FORMAT {
            bail!(
                "`{}` was written by another xcbuild (format {}, not {FORMAT})",
                path.display(),
                state.format
            );
        }
        Ok(Some(state))
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

    /// Whether anything of it runs, or the xcbuild that starts it does.
    pub fn is_alive(&self) -> bool {
        let starts = self.phase == Phase::Starting && self.owner.is_alive();
        starts || self.processes().any(ProcessId::is_alive)
    }

    /// The recorded processes: nodes' and helpers'.
    pub fn processes(&self) -> impl Iterator<Item = ProcessId> {
        let nodes = self.nodes.values().filter_map(|n| n.process);
        let helpers = self.dns.as_ref().and_then(|d| d.process);
        nodes.chain(helpers).chain(self.network.processes())
    }
}

fn boot_id() -> Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().into())
}

#[cfg(test)]
mod tests {
    use super::State;
    use crate::RunDir;
    use crate::state::{Helper, NodeState};
    use xc_net::user::UserNet;
    use xc_report::Reporter;
    use xc_topology::fixture::node;
    use xc_vm::command::Accel;

    #[test]
    fn what_is_saved_is_loaded_and_nothing_else_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::new(dir.path(), &"c".parse().unwrap(), &Reporter::silent()).unwrap();
        assert_eq!(State::load(&run).unwrap(), None);
        run.create().unwrap();
        let mut state = State::new(&run, Accel::Tcg, UserNet::default(), "/logs".into()).unwrap();
        state.dns = Some(Helper { argv: vec!["dns".into()], process: Some(state.owner) });
        state.nodes.insert(201, NodeState::new(&node(201, &[0, 1]), vec!["qemu".into()]));
        state.save(&run).unwrap();
        assert_eq!(State::load(&run).unwrap(), Some(state.clone()));
        assert!(!state.is_from_another_boot().unwrap());
        assert_eq!(state.processes().collect::<Vec<_>>(), [state.owner]);
        assert_eq!(std::fs::read_dir(run.path()).unwrap().count(), 1);
    }

    #[test]
    fn damaged_and_foreign_states_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::new(dir.path(), &"c".parse().unwrap(), &Reporter::silent()).unwrap();
        run.create().unwrap();
        let mut state = State::new(&run, Accel::Tcg, UserNet::default(), "/logs".into()).unwrap();
        state.format += 1;
        state.save(&run).unwrap();
        let error = State::load(&run).unwrap_err().to_string();
        assert!(error.contains("written by another xcbuild"), "{error}");
        std::fs::write(run.state_file(), "{").unwrap();
        let error = State::load(&run).unwrap_err().to_string();
        assert!(error.contains("is damaged; `xcbuild stop --cluster=c`"), "{error}");
    }
}
