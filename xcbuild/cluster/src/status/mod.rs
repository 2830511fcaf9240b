//! The truth about a cluster, as values for tables and programs; [`query`] finds it out.

mod query;

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use serde::Serialize;

pub use query::status;

use super::ClusterName;
use super::network::HostPorts;
use super::state::InterfaceState;
use xc_net::user::UserNet;
use xc_topology::LinkImpairments;
use xc_topology::address::{NetworkId, NodeId, Role};
use xc_vm::command::Accel;
use xc_vm::usage::Usage;

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
    pub impaired: LinkImpairments,
    /// The node has booted again by itself since, and does that no more.
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

#[cfg(test)]
mod tests {
    use super::LinkStatus;
    use crate::tests::node_state;
    use xc_topology::fixture::node;

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
