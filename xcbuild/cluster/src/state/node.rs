//! What is saved of a node and its interfaces.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use xc_topology::address::{Mac, NetworkId, Role};
use xc_topology::{Interface, LinkImpairments, Node};
use xc_vm::port::{Carrier, Port};
use xc_vm::process::ProcessId;

/// One node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeState {
    /// Its host name.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// Its interfaces in order, eth0 first.
    pub interfaces: Vec<InterfaceState>,
    /// Its memory in MiB.
    pub memory_mib: u32,
    /// Its processors.
    pub cpus: u32,
    /// The qemu command that runs it, to start it again and to show it. What is to be known of the
    /// node is in the other fields; nothing is read from here.
    pub argv: Vec<String>,
    /// Its qemu, once it is known.
    pub process: Option<ProcessId>,
    /// Milliseconds from the start of its qemu until it said that it is ready.
    pub ready_ms: Option<u64>,
    /// Whether we have stopped its processors for now.
    pub paused: bool,
    /// How often its qemu was started again.
    pub restarts: u32,
}

/// One interface of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceState {
    /// The network.
    pub network: NetworkId,
    /// The MAC address.
    pub mac: Mac,
    /// The id by which qemu knows what carries it; none where a script of the user's has wired it
    /// (`__net_setup`) and has given no device this MAC address.
    pub netdev: Option<String>,
    /// What carries it.
    pub carrier: Carrier,
    /// The IPv4 address, where the topology gives one.
    pub ipv4: Option<Ipv4Addr>,
    /// The IPv6 address, where the topology gives one.
    pub ipv6: Option<Ipv6Addr>,
    /// Whether its link was taken down live.
    pub down: bool,
    /// What its link does to packets.
    pub impaired: LinkImpairments,
    /// How much the node had said when that was set live: what it says later is of another boot.
    /// `None` where the topology's own impairments hold, which the node sets itself.
    pub impaired_at: Option<u64>,
    /// What the topology has it do, and so every boot.
    pub impaired_at_boot: LinkImpairments,
}

impl NodeState {
    /// A node that is about to be started by that command, its interfaces plugged into those ports.
    pub fn new(node: &Node, ports: &[Port], argv: Vec<String>) -> Self {
        let interfaces = node.interfaces.iter().zip(ports).enumerate();
        Self {
            name: node.id.to_string(),
            role: node.id.role(),
            interfaces: interfaces
                .map(|(i, (at, port))| InterfaceState::new(i, at, port))
                .collect(),
            memory_mib: node.memory_mib,
            cpus: node.cpus,
            argv,
            process: None,
            ready_ms: None,
            paused: false,
            restarts: 0,
        }
    }

    /// Its interface on a network.
    pub fn interface(&self, network: NetworkId) -> Option<&InterfaceState> {
        self.interfaces.iter().find(|interface| interface.network == network)
    }
}

impl InterfaceState {
    fn new(index: usize, interface: &Interface, port: &Port) -> Self {
        let plug = port.plug(index, interface.mac);
        Self {
            network: interface.network,
            mac: interface.mac,
            netdev: plug.netdev,
            carrier: plug.carrier,
            ipv4: interface.ipv4,
            ipv6: interface.ipv6,
            down: false,
            impaired: interface.impaired.clone(),
            impaired_at: None,
            impaired_at_boot: interface.impaired.clone(),
        }
    }
}
