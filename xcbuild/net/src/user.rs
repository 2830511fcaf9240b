//! User-space networking: what qemu carries by itself, without any privilege.
//!
//! Network 0 is a qemu `user` network, a TCP/IP stack within each qemu: the node reaches the host
//! as `192.168.0.250` and `PREFIX:192.168.0.250` and the world through it, the host reaches the
//! node by ports on 127.0.0.1, and nodes do not reach each other. Every other network is a
//! multicast group on the loopback interface, to which each node's qemu sends its frames:
//!
//! ```text
//!   vm-001 ── eth1 ──┐                        ┌── eth1 ── vm-201
//!                    ├─ 224.0.0.121:27030 ────┤                       network 1
//!   vm-002 ── eth1 ──┘    (lo, never off      └── eth1 ── vm-202
//!                          the machine)
//! ```
//!
//! Two clusters must differ in the port of their groups and in their forwarded ports. Slot 0 has
//! the numbers that scripts rely on (ssh to node N on 12300+N); the other slots have room that is
//! their own, see [`UserNet::in_slot`]. Pure: whether a port is free is seen to by
//! [`super::ports`].
//!
//! Reference: `qemu(1)`, `-netdev user` and `-netdev socket`; libslirp answers for a name server
//! at `.3` unless set otherwise, which is vm-003's own address here, so it is moved to `.251`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

use xc_topology::Node;
use xc_topology::address::{HOST_BYTE, MAINTENANCE, NetworkId, NodeId, Prefix, ipv4, ipv6};

/// Host byte of the name server that qemu's stack plays; no node can have it.
const RESOLVER_BYTE: u8 = 251;

/// The largest MTU of a network that is a multicast group, in bytes: a frame is the payload of one UDP
/// datagram, 65,507 at most, less an Ethernet header with a VLAN tag. Longer frames are lost without
/// a word.
pub const GROUP_MTU_MAX: u32 = 65_507 - 14 - 4;

/// A network whose frames multicast groups can't carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "network {network} has an MTU of {mtu}, but --net=user carries {GROUP_MTU_MAX} bytes at most; use a smaller MTU (--mtu=, or `mtu` in the topology), or --net=rootless"
)]
pub struct MtuTooLarge {
    /// The network.
    pub network: NetworkId,
    /// Its MTU in bytes.
    pub mtu: u32,
}

/// Looks whether the groups can carry what nodes send.
///
/// # Errors
/// The first network whose frames would be lost.
pub fn check_mtu(nodes: &[Node]) -> Result<(), MtuTooLarge> {
    let mut ports = nodes.iter().flat_map(|node| &node.interfaces);
    let found = ports.find(|port| port.network != MAINTENANCE && port.mtu > GROUP_MTU_MAX);
    found.map_or(Ok(()), |port| Err(MtuTooLarge { network: port.network, mtu: port.mtu }))
}

/// How many clusters have ports of their own on one host, slot 0 included.
pub const SLOTS: u16 = 21;

/// Where slot 1's ports begin, and how many a slot has: 300 for telnet, 300 for ssh.
const SLOT_AREA: u16 = 20_000;
const SLOT_SIZE: u16 = 600;

/// The numbers by which one cluster's user-space networks differ from another's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserNet {
    /// Telnet to node N is at `telnet_base + N` on 127.0.0.1.
    pub telnet_base: u16,
    /// Ssh to node N is at `ssh_base + N` on 127.0.0.1.
    pub ssh_base: u16,
    /// Port on 127.0.0.1 that leads to 8080 on node 1.
    pub k8s_port: u16,
    /// Port on 127.0.0.1 that leads to 6443 on node 1.
    pub api_port: u16,
    /// Network N is the group `224.0.0.0 + mcast_base + N`.
    pub mcast_base: u8,
    /// UDP port of all groups of the cluster.
    pub mcast_port: u16,
    /// Port of the DNS proxy on the host's loopback addresses.
    pub dns_port: u16,
}

/// The contract's numbers.
impl Default for UserNet {
    fn default() -> Self {
        Self {
            telnet_base: 12_000,
            ssh_base: 12_300,
            k8s_port: 18_080,
            api_port: 7_443,
            mcast_base: 120,
            mcast_port: 27_030,
            dns_port: 10_053,
        }
    }
}

/// What a port on the host is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Telnet to a node.
    Telnet(NodeId),
    /// Ssh to a node.
    Ssh(NodeId),
    /// A Kubernetes service on a node.
    K8s(NodeId),
    /// The Kubernetes API on a node.
    Api(NodeId),
    /// The DNS proxy on the host.
    Dns,
}

impl Purpose {
    /// The variable by which the user chooses another port, where there is one.
    pub fn variable(self) -> Option<&'static str> {
        match self {
            Purpose::Telnet(_) => Some("XCLUSTER_TELNET_BASE"),
            Purpose::Ssh(_) => Some("XCLUSTER_SSH_BASE"),
            Purpose::K8s(_) => Some("XCLUSTER_K8S_PORT"),
            Purpose::Dns => Some("XCLUSTER_DNS_PORT"),
            // The contract has no variable for it.
            Purpose::Api(_) => None,
        }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Purpose::Telnet(node) => write!(f, "telnet to {node}"),
            Purpose::Ssh(node) => write!(f, "ssh to {node}"),
            Purpose::K8s(node) => write!(f, "port 8080 of {node}"),
            Purpose::Api(node) => write!(f, "port 6443 of {node}"),
            Purpose::Dns => f.write_str("the DNS proxy"),
        }
    }
}

/// A TCP port on 127.0.0.1 that leads to a port of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forward {
    /// What it is for.
    pub purpose: Purpose,
    /// The port on the host.
    pub host: u16,
    /// The port on the node.
    pub guest: u16,
}

impl UserNet {
    /// These numbers moved to another slot: slot 0 leaves them as they are, slot `k` takes 600
    /// ports from `20000 + 600·(k-1)` on and adds `k` to the single ports.
    pub fn in_slot(&self, slot: u16) -> Self {
        if slot == 0 {
            return self.clone();
        }
        let telnet_base = SLOT_AREA + SLOT_SIZE * (slot.min(SLOTS) - 1);
        Self {
            telnet_base,
            ssh_base: telnet_base + SLOT_SIZE / 2,
            k8s_port: self.k8s_port.saturating_add(slot),
            api_port: self.api_port.saturating_add(slot),
            mcast_base: self.mcast_base,
            mcast_port: self.mcast_port.saturating_add(slot),
            dns_port: self.dns_port.saturating_add(slot),
        }
    }

    /// The host's ssh port of a node.
    pub fn ssh_port(&self, node: NodeId) -> u16 {
        self.ssh_base.saturating_add(node.number().into())
    }

    /// The host's telnet port of a node.
    pub fn telnet_port(&self, node: NodeId) -> u16 {
        self.telnet_base.saturating_add(node.number().into())
    }

    /// The ports that lead to a node.
    pub fn forwards(&self, node: NodeId) -> Vec<Forward> {
        let mut all = vec![
            Forward { purpose: Purpose::Telnet(node), host: self.telnet_port(node), guest: 23 },
            Forward { purpose: Purpose::Ssh(node), host: self.ssh_port(node), guest: 22 },
        ];
        if node.number() == 1 {
            all.push(Forward { purpose: Purpose::K8s(node), host: self.k8s_port, guest: 8080 });
            all.push(Forward { purpose: Purpose::Api(node), host: self.api_port, guest: 6443 });
        }
        all
    }

    /// The multicast group that carries a network.
    pub fn group(&self, network: NetworkId) -> Ipv4Addr {
        let base = Ipv4Addr::new(224, 0, 0, 0).to_bits();
        Ipv4Addr::from_bits(base + u32::from(self.mcast_base) + u32::from(network.0))
    }

    /// The value of qemu's `-netdev` for a node on a network, with `id` for the device to name.
    pub fn netdev(&self, id: &str, node: NodeId, network: NetworkId, prefix: &Prefix) -> String {
        if network != MAINTENANCE {
            let (group, port) = (self.group(network), self.mcast_port);
            return format!("socket,id={id},mcast={group}:{port},localaddr=127.0.0.1");
        }
        let v4 = |host| IpAddr::from(ipv4(network, host));
        let v6 = |host| IpAddr::from(ipv6(prefix, network, host));
        let own = node.number();
        let mut text = format!(
            "user,id={id},net={}/24,host={},dns={},ipv6-net={}/120,ipv6-host={},ipv6-dns={}",
            v4(own),
            v4(HOST_BYTE),
            v4(RESOLVER_BYTE),
            v6(own),
            v6(HOST_BYTE),
            v6(RESOLVER_BYTE),
        );
        for forward in self.forwards(node) {
            let (host, guest) = (forward.host, forward.guest);
            text += &format!(",hostfwd=tcp:127.0.0.1:{host}-{}:{guest}", v4(own));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::{SLOTS, UserNet};
    use xc_topology::address::{NetworkId, NodeId, Prefix};
    use xc_topology::fixture::node;

    fn netdev(node: u8, network: u8) -> String {
        let node = NodeId::new(node).unwrap();
        UserNet::default().netdev("n", node, NetworkId(network), &Prefix::default())
    }

    #[test]
    fn maintenance_network_is_the_contracts() {
        assert_snapshot!(netdev(201, 0), @"user,id=n,net=192.168.0.201/24,host=192.168.0.250,dns=192.168.0.251,ipv6-net=1000::1:c0a8:c9/120,ipv6-host=1000::1:c0a8:fa,ipv6-dns=1000::1:c0a8:fb,hostfwd=tcp:127.0.0.1:12201-192.168.0.201:23,hostfwd=tcp:127.0.0.1:12501-192.168.0.201:22");
        assert_snapshot!(netdev(1, 0), @"user,id=n,net=192.168.0.1/24,host=192.168.0.250,dns=192.168.0.251,ipv6-net=1000::1:c0a8:1/120,ipv6-host=1000::1:c0a8:fa,ipv6-dns=1000::1:c0a8:fb,hostfwd=tcp:127.0.0.1:12001-192.168.0.1:23,hostfwd=tcp:127.0.0.1:12301-192.168.0.1:22,hostfwd=tcp:127.0.0.1:18080-192.168.0.1:8080,hostfwd=tcp:127.0.0.1:7443-192.168.0.1:6443");
    }

    #[test]
    fn other_networks_are_groups_on_loopback_only() {
        assert_snapshot!(netdev(201, 1), @"socket,id=n,mcast=224.0.0.121:27030,localaddr=127.0.0.1");
        assert!(netdev(1, 255).contains("mcast=224.0.1.119:27030,localaddr=127.0.0.1"));
    }

    #[test]
    fn networks_whose_frames_would_be_lost_are_refused() {
        let of = |network: u8, mtu: u32| {
            let mut node = node(1, &[0, network]);
            node.interfaces.iter_mut().filter(|p| p.network.0 == network).for_each(|p| p.mtu = mtu);
            super::check_mtu(&[node]).map_err(|e| e.to_string())
        };
        assert_eq!((of(1, super::GROUP_MTU_MAX), of(1, 9000)), (Ok(()), Ok(())));
        assert_eq!(of(0, 65_521), Ok(()), "network 0 is no group");
        assert_snapshot!(of(3, 65_490).unwrap_err(), @"network 3 has an MTU of 65490, but --net=user carries 65489 bytes at most; use a smaller MTU (--mtu=, or `mtu` in the topology), or --net=rootless");
    }

    #[test]
    fn slots_share_no_port() {
        let mut seen = std::collections::BTreeMap::new();
        for slot in 0..SLOTS {
            let net = UserNet::default().in_slot(slot);
            let tcp = (1..=240).filter_map(NodeId::new).flat_map(|n| net.forwards(n));
            for port in tcp.map(|f| f.host).chain([net.dns_port]) {
                assert!(port < 32_768, "{port} may be taken by any outgoing connection");
                assert_eq!(seen.insert(port, slot), None, "port {port} of slot {slot}");
            }
        }
        assert_eq!(UserNet::default().in_slot(0), UserNet::default());
    }
}
