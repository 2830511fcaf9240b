//! The truth about a cluster: what is recorded, held against what runs.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Serialize;

use super::network::{Endpoint, HostPorts};
use super::state::{InterfaceState, NodeState, Phase, State};
use super::tail::length;
use super::words::{Agent, panicked};
use super::{ClusterName, RunDir, key, stop};
use xc_net::user::UserNet;
use xc_topology::Ways;
use xc_topology::address::{NetworkId, NodeId, Role};
use xc_vm::command::{Accel, Paths};
use xc_vm::process::ProcessId;
use xc_vm::usage::{Usage, usage};

/// What is said of a node whose qemu is no more.
pub(super) const DEAD: &str = "its qemu has ended";

/// What a node is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeCondition {
    /// Its qemu has not been started yet, by an xcbuild that is about to.
    Waiting,
    /// It boots.
    Booting,
    /// It said that it is ready.
    Ready,
    /// It said that something failed, or its kernel has panicked.
    Failed,
    /// We have stopped its processors for now.
    Paused,
    /// Its qemu has ended, or was never started since the xcbuild that was to do it has ended.
    Dead,
}

impl fmt::Display for NodeCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Waiting => "waiting",
            Self::Booting => "booting",
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Paused => "paused",
            Self::Dead => "dead",
        })
    }
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NodeStatus {
    /// Its number.
    pub number: NodeId,
    /// Its host name.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// What it is doing.
    pub condition: NodeCondition,
    /// What it said that failed, its kernel's last words, or that it never ran.
    pub failure: Option<String>,
    /// Its qemu, while that runs.
    pub pid: Option<i32>,
    /// Milliseconds from the start of its qemu until it was ready.
    pub ready_ms: Option<u64>,
    /// How often it has booted again since it was first started, by whomever.
    pub restarts: u32,
    /// What its qemu takes of the host, while that runs.
    pub usage: Option<Usage>,
    /// Its addresses on each network that gives it some.
    pub addresses: Vec<(NetworkId, Option<Ipv4Addr>, Option<Ipv6Addr>)>,
    /// Its links, eth0's first.
    pub links: Vec<LinkStatus>,
    /// Its memory in MiB.
    pub memory_mib: u32,
    /// Its processors.
    pub cpus: u32,
    /// Where ssh and telnet to it are: 127.0.0.1, or its own address where a bridge carries that.
    pub address: Ipv4Addr,
    /// The port of ssh to it.
    pub ssh_port: u16,
    /// The port of telnet to it.
    pub telnet_port: u16,
}

/// A node's link to a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LinkStatus {
    /// The network.
    pub network: NetworkId,
    /// Whether it was not taken down.
    pub up: bool,
    /// What it does to packets.
    pub impaired: Ways,
    /// The node has booted anew by itself since, and does that no more.
    pub lost: bool,
}

impl LinkStatus {
    /// A recorded link of a node that has said so much.
    pub(super) fn of(interface: &InterfaceState, said: u64) -> Self {
        Self {
            network: interface.network,
            up: !interface.down,
            impaired: interface.impaired.clone(),
            lost: interface.impaired_at.is_some_and(|at| at != said),
        }
    }

    /// What is wrong with it; empty if nothing is.
    pub fn faults(&self) -> String {
        let mut faults = self.impaired.to_string();
        if self.lost && !faults.is_empty() {
            faults = format!("({faults}) lost when the node booted");
        }
        let down = if self.up { None } else { Some("down".to_owned()) };
        let faults = Some(faults).filter(|text| !text.is_empty());
        down.into_iter().chain(faults).collect::<Vec<_>>().join(", ")
    }
}

impl NodeStatus {
    /// Whether its qemu runs.
    pub fn is_alive(&self) -> bool {
        self.pid.is_some()
    }
}

/// A cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Its name.
    pub cluster: ClusterName,
    /// Whether there is one.
    pub exists: bool,
    /// Whether its start was broken off, by a kill or a power cut.
    pub interrupted: bool,
    /// Whether the host has booted since, so that nothing of it can run.
    pub of_another_boot: bool,
    /// What executes the nodes.
    pub accel: Option<Accel>,
    /// When it was started, in seconds since 1970.
    pub started: Option<u64>,
    /// Its ports.
    pub net: Option<UserNet>,
    /// What carries its networks.
    pub network: Option<String>,
    /// Which of those ports the host lends it.
    #[serde(skip)]
    pub host_ports: HostPorts,
    /// The file of the ssh key that nodes ask for; they ask for none if there is none.
    pub ssh_key: Option<PathBuf>,
    /// The words before a command that is to reach the nodes' addresses, where they are in another
    /// namespace than ours.
    #[serde(rename = "through")]
    pub netns_prefix: Vec<String>,
    /// Whether its DNS proxy runs; `None` if it has none.
    pub dns: Option<bool>,
    /// Its nodes, by number.
    pub nodes: Vec<NodeStatus>,
}

impl Status {
    /// How many nodes are alive: the exit status of the contract's `status`.
    pub fn alive(&self) -> usize {
        self.nodes.iter().filter(|n| n.is_alive()).count()
    }

    /// The contract's lines: `alive N` or `dead  N` for each node, then the sum.
    pub fn contract_lines(&self) -> String {
        let line = |n: &NodeStatus| {
            let word = if n.is_alive() { "alive" } else { "dead " };
            format!("{word} {}\n", n.number.number())
        };
        let lines: String = self.nodes.iter().map(line).collect();
        format!("{lines}Alive; {}", self.alive())
    }
}

/// Looks what has become of a cluster.
///
/// # Errors
/// When its state is there and can't be read.
pub fn status(run: &RunDir) -> Result<Status> {
    let Some(state) = State::load(run)? else {
        return Ok(none(run));
    };
    let another_boot = state.is_from_another_boot()?;
    let alive = |p: Option<ProcessId>| p.filter(|p| !another_boot && p.is_alive());
    let strays = strays(run, &state);
    let nodes = state.nodes.iter().map(|(id, node)| {
        let process = alive(node.process).or_else(|| strays.get(id).copied());
        node_status(run, &state, *id, node, process)
    });
    Ok(Status {
        cluster: state.cluster.clone(),
        exists: true,
        of_another_boot: another_boot,
        interrupted: state.phase == Phase::Starting && alive(Some(state.owner)).is_none(),
        accel: Some(state.accel),
        started: Some(state.started),
        net: Some(state.net.clone()),
        network: Some(state.network.kind().to_string()),
        host_ports: state.network.host_ports(),
        ssh_key: state.key.as_ref().map(|_| key::path(run)),
        netns_prefix: state.network.netns_prefix(),
        dns: state.dns.as_ref().map(|dns| alive(dns.helper.process).is_some()),
        nodes: nodes.collect(),
    })
}

fn none(run: &RunDir) -> Status {
    Status {
        cluster: run.name().clone(),
        exists: false,
        interrupted: false,
        of_another_boot: false,
        accel: None,
        started: None,
        net: None,
        network: None,
        host_ports: HostPorts::default(),
        ssh_key: None,
        netns_prefix: Vec::new(),
        dns: None,
        nodes: Vec::new(),
    }
}

/// A node's qemu, if it runs.
pub(super) fn process(run: &RunDir, state: &State, node: NodeId) -> Option<ProcessId> {
    let recorded = state.nodes.get(&node)?.process.filter(|p| p.is_alive());
    recorded.or_else(|| strays(run, state).get(&node).copied())
}

/// Processes of nodes that are not recorded: only looked for where some node's is missing.
fn strays(run: &RunDir, state: &State) -> BTreeMap<NodeId, ProcessId> {
    if state.nodes.values().all(|n| n.process.is_some()) {
        return BTreeMap::new();
    }
    let number =
        |process, path: PathBuf| Some((path.file_stem()?.to_str()?.parse().ok()?, process));
    stop::find(run).into_iter().filter_map(|(process, path)| number(process, path)).collect()
}

fn node_status(
    run: &RunDir,
    state: &State,
    id: NodeId,
    node: &NodeState,
    process: Option<ProcessId>,
) -> NodeStatus {
    let paths = run.node(id, &state.logs);
    let (condition, failure) = match process {
        None if node.process.is_none() && state.owner.is_alive() => (NodeCondition::Waiting, None),
        None if node.process.is_none() => {
            (NodeCondition::Dead, Some("it was never started".to_owned()))
        }
        None => (NodeCondition::Dead, None),
        Some(_) if node.paused => (NodeCondition::Paused, None),
        Some(_) => said(&paths),
    };
    let addressed = node.interfaces.iter().filter(|i| i.ipv4.is_some() || i.ipv6.is_some());
    let Endpoint { address, ssh_port, telnet_port } = state.network.endpoint(&state.net, id);
    NodeStatus {
        number: id,
        name: node.name.clone(),
        role: node.role,
        condition,
        failure,
        pid: process.map(|p| p.pid),
        ready_ms: node.ready_ms,
        restarts: node.restarts + boots_again(&run.node(id, &state.logs).agent_log),
        usage: process.and_then(|p| usage(p.pid)),
        links: links(run, state, id, node),
        addresses: addressed.map(|i| (i.network, i.ipv4, i.ipv6)).collect(),
        memory_mib: node.memory_mib,
        cpus: node.cpus,
        address,
        ssh_port,
        telnet_port,
    }
}

/// What a node whose processors run is doing, by its own words or its kernel's last ones.
fn said(paths: &Paths) -> (NodeCondition, Option<String>) {
    if let Some(panic) = panicked(paths) {
        return (NodeCondition::Failed, Some(panic));
    }
    match Agent::read(&paths.agent_log) {
        Agent::Ready => (NodeCondition::Ready, None),
        Agent::Failed(what) => (NodeCondition::Failed, Some(what)),
        Agent::Silent => (NodeCondition::Booting, None),
    }
}

/// How often a node has booted since its qemu was started, but for the first time.
pub(super) fn boots_again(agent_log: &Path) -> u32 {
    // Not as UTF-8: a node may say anything, and what it said before and after still counts.
    let said = std::fs::read(agent_log).unwrap_or_default();
    let boots =
        said.split(|b| *b == b'\n').filter(|line| line.trim_ascii_end() == b"hello").count();
    u32::try_from(boots.saturating_sub(1)).unwrap_or(u32::MAX)
}

fn links(run: &RunDir, state: &State, id: NodeId, node: &NodeState) -> Vec<LinkStatus> {
    let said = length(&run.node(id, &state.logs).agent_log);
    node.interfaces.iter().map(|i| LinkStatus::of(i, said)).collect()
}

#[cfg(test)]
mod tests {
    use xc_report::Reporter;

    use super::{LinkStatus, boots_again, none};
    use crate::RunDir;
    use crate::tests::node_state;
    use xc_topology::fixture::node;

    #[test]
    fn restarts_are_counted_whatever_a_node_says() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"hello\r\nwarning \xff\xfe\nready vm\nhello\nhello").unwrap();
        assert_eq!(boots_again(file.path()), 2);
        assert_eq!(boots_again("/nonexistent".as_ref()), 0);
    }

    #[test]
    fn programs_find_the_prefix_of_the_namespace_by_its_former_name() {
        let run = RunDir::new("/r".as_ref(), &"c".parse().unwrap(), &Reporter::silent()).unwrap();
        let json = serde_json::to_value(none(&run)).unwrap();
        assert_eq!(json["through"], serde_json::json!([]));
        assert_eq!(json.get("host_ports"), None);
    }

    #[test]
    fn faults_are_told_also_those_that_a_boot_has_lost() {
        let mut link = node_state(&node(1, &[1])).interfaces.remove(0);
        assert_eq!(LinkStatus::of(&link, 7).faults(), "");
        link.impaired.receives.set("loss", "1%").unwrap();
        assert_eq!(LinkStatus::of(&link, 7).faults(), "in: loss 1%");
        (link.down, link.impaired_at) = (true, Some(7));
        assert_eq!(LinkStatus::of(&link, 7).faults(), "down, in: loss 1%");
        let lost = LinkStatus::of(&link, 9);
        assert_eq!(lost.faults(), "down, (in: loss 1%) lost when the node booted");
    }
}
