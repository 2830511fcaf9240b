//! From a topology and what the user said to the nodes of a cluster.
//!
//! The user's word per node (`__nets201`, `__mem201`) beats the topology, the topology beats the
//! user's word for all (`--mem`), and that beats the defaults; only the networks of a role
//! (`--nets-vm`) beat the topology, since they have no other use.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::address::{Mac, NetworkId, NodeId, Prefix, Role};
use super::impairment::LinkImpairments;
use super::network::{DEFAULT_MTU, Network};
use super::{Counts, Group, Topology};

/// Memory of a node in MiB, processors of a node: the contract's `__mem` and `__smp`.
const DEFAULT_MEMORY_MIB: u32 = 128;
const DEFAULT_CPUS: u32 = 2;

/// What the user set beside the topology. Nothing is set by default.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// The IPv6 prefix (`__ipv6_prefix` of the nodes, `1000::1` unless set).
    pub prefix: Prefix,
    /// `--mtu`: of every network.
    pub mtu: Option<u32>,
    /// `--nets-vm`, `--nets_router`, `--nets_tester`: networks of a role. To be set only where the
    /// user did: the topology's own come last.
    pub networks_of_role: BTreeMap<Role, Vec<NetworkId>>,
    /// `__nets201`: networks of a node.
    pub networks: BTreeMap<NodeId, Vec<NetworkId>>,
    /// `--mem`, in MiB, of nodes for which nothing else is said.
    pub memory_mib: Option<u32>,
    /// `__mem201`, in MiB.
    pub memory_mib_of: BTreeMap<NodeId, u32>,
    /// `--smp` of nodes for which nothing else is said.
    pub cpus: Option<u32>,
    /// `__smp1`.
    pub cpus_of: BTreeMap<NodeId, u32>,
    /// `--append`: words for every node's kernel command line.
    pub append: String,
    /// `__append3`: words for one node's, after those for all.
    pub append_of: BTreeMap<NodeId, String>,
}

/// A node of a cluster: what its virtual machine is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its number.
    pub id: NodeId,
    /// Its interfaces in the order `eth0`, `eth1`, …
    pub interfaces: Vec<Interface>,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// Processors.
    pub cpus: u32,
    /// The user's words for the kernel command line.
    pub append: String,
}

/// A node's interface on a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// The network.
    pub network: NetworkId,
    /// Its Ethernet address.
    pub mac: Mac,
    /// Its IPv4 address; none where it is left down or is a port of a bridge in the node.
    pub ipv4: Option<Ipv4Addr>,
    /// Its IPv6 address; as `ipv4`.
    pub ipv6: Option<Ipv6Addr>,
    /// MTU of the network, in bytes.
    pub mtu: u32,
    /// What the topology has the link do to packets.
    pub impaired: LinkImpairments,
}

/// Why a node can't be in a cluster.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NodeError {
    /// The topology has no group for it, and the user no networks.
    #[error(
        "topology {topology} has no node {node}: it has {known}. Start fewer, or set __nets{node}"
    )]
    Unknown {
        /// The topology's name.
        topology: String,
        /// The node's number.
        node: u8,
        /// The numbers that it has.
        known: String,
    },
}

impl Topology {
    /// The nodes of a cluster, in the order of their numbers.
    ///
    /// # Errors
    /// [`NodeError`] when the counts ask for a node that the topology has no place for.
    pub fn nodes(&self, counts: &Counts, overrides: &Overrides) -> Result<Vec<Node>, NodeError> {
        counts.nodes().map(|id| self.node(id, overrides)).collect()
    }

    /// One node, in the counts or not: what `scaleout` adds.
    ///
    /// # Errors
    /// [`NodeError`] when the topology has no place for it.
    pub fn node(&self, id: NodeId, overrides: &Overrides) -> Result<Node, NodeError> {
        let group = self.group_of(id);
        let networks = overrides
            .networks
            .get(&id)
            .or_else(|| overrides.networks_of_role.get(&id.role()))
            .or_else(|| group.map(|group| &group.networks))
            .ok_or_else(|| self.unknown(id))?;
        let interfaces =
            networks.iter().map(|network| self.interface(id, group, *network, overrides));
        let memory = overrides.memory_mib_of.get(&id).copied();
        let cpus = overrides.cpus_of.get(&id).copied();
        let own_append = overrides.append_of.get(&id).map(String::as_str);
        let append = [overrides.append.as_str(), own_append.unwrap_or_default()];
        Ok(Node {
            id,
            interfaces: interfaces.collect(),
            memory_mib: memory
                .or(group.and_then(|group| group.memory_mib))
                .or(overrides.memory_mib)
                .unwrap_or(DEFAULT_MEMORY_MIB),
            cpus: cpus
                .or(group.and_then(|group| group.cpus))
                .or(overrides.cpus)
                .unwrap_or(DEFAULT_CPUS),
            append: append.join(" ").trim().to_string(),
        })
    }

    fn interface(
        &self,
        id: NodeId,
        group: Option<&Group>,
        network: NetworkId,
        overrides: &Overrides,
    ) -> Interface {
        let in_bridge = group.is_some_and(|group| group.bridge_of(network).is_some());
        let known = self.networks.get(&network);
        let subnet = known.and_then(Network::subnet).filter(|_| !in_bridge);
        Interface {
            network,
            mac: Mac::of(id, network),
            ipv4: subnet.map(|subnet| subnet.ipv4(id)),
            ipv6: subnet.map(|subnet| subnet.ipv6(&overrides.prefix, id)),
            mtu: overrides.mtu.or(known.map(|network| network.mtu)).unwrap_or(DEFAULT_MTU),
            impaired: self.impaired(id, network),
        }
    }

    /// What the topology has a node's link do to packets.
    fn impaired(&self, id: NodeId, network: NetworkId) -> LinkImpairments {
        let mut ways = LinkImpairments::default();
        let hits = self.impairments.iter().filter(|i| i.network == network && i.nodes.contains(id));
        hits.for_each(|i| *ways.of_mut(i.end) = i.netem.clone());
        ways
    }

    fn unknown(&self, id: NodeId) -> NodeError {
        let sets: Vec<String> = self.groups.iter().map(|group| group.nodes.to_string()).collect();
        NodeError::Unknown {
            topology: self.name.clone(),
            node: id.number(),
            known: sets.join(", "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Counts, NetworkId, NodeId, Overrides, Role, Topology};

    const TEXT: &str = r#"description = "two groups"
        [network.1]
        mtu = 9000
        [network.2]
        addresses = { of = 1 }
        [network.3]
        addresses = "none"
        [group.vm]
        nodes = "1-9"
        networks = [0, 1, 3]
        [group.router]
        nodes = 201
        networks = [0, 1, 2]
        memory = 256
        bridges = [{ name = "br1", networks = [1, 2] }]
        [group.testers]
        nodes = "testers"
        networks = [0, 2]"#;

    fn topology() -> Topology {
        Topology::parse("t.toml", "t", TEXT, &|_| None).unwrap()
    }

    fn id(number: u8) -> NodeId {
        NodeId::new(number).unwrap()
    }

    #[test]
    fn nodes_have_the_interfaces_of_their_group() {
        let counts = Counts { vm: 1, routers: 1, testers: 1 };
        let nodes = topology().nodes(&counts, &Overrides::default()).unwrap();
        let shown: Vec<String> = nodes
            .iter()
            .flat_map(|node| node.interfaces.iter().map(move |port| (node.id, port)))
            .map(|(id, port)| {
                let v4 = port.ipv4.map(|v4| v4.to_string()).unwrap_or_default();
                let v6 = port.ipv6.map(|v6| v6.to_string()).unwrap_or_default();
                format!("{id} {} {} {v4} {v6} {}", port.network, port.mac, port.mtu)
            })
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @r"
        vm-001 0 00:00:00:01:00:01 192.168.0.1 1000::1:c0a8:1 1500
        vm-001 1 00:00:00:01:01:01 192.168.1.1 1000::1:c0a8:101 9000
        vm-001 3 00:00:00:01:03:01   1500
        vm-201 0 00:00:00:01:00:c9 192.168.0.201 1000::1:c0a8:c9 1500
        vm-201 1 00:00:00:01:01:c9   9000
        vm-201 2 00:00:00:01:02:c9   1500
        vm-221 0 00:00:00:01:00:dd 192.168.0.221 1000::1:c0a8:dd 1500
        vm-221 2 00:00:00:01:02:dd 192.168.1.221 1000::1:c0a8:1dd 1500
        ");
    }

    #[test]
    fn the_users_word_per_node_comes_first() {
        let overrides = Overrides {
            mtu: Some(1400),
            networks_of_role: [(Role::Vm, vec![NetworkId(0)])].into(),
            networks: [(id(2), vec![NetworkId(0), NetworkId(7)])].into(),
            memory_mib: Some(64),
            memory_mib_of: [(id(2), 512)].into(),
            cpus: Some(1),
            append: "quiet".into(),
            append_of: [(id(1), "debug".into())].into(),
            ..Overrides::default()
        };
        let counts = Counts { vm: 2, routers: 1, testers: 0 };
        let nodes = topology().nodes(&counts, &overrides).unwrap();
        let shown: Vec<(usize, u32, u32, &str)> = nodes
            .iter()
            .map(|n| (n.interfaces.len(), n.memory_mib, n.cpus, n.append.as_str()))
            .collect();
        assert_eq!(shown, [(1, 64, 1, "quiet debug"), (2, 512, 1, "quiet"), (3, 256, 1, "quiet")]);
        assert!(nodes.iter().flat_map(|node| &node.interfaces).all(|port| port.mtu == 1400));
    }

    #[test]
    fn nodes_without_a_place_are_refused() {
        let counts = Counts { vm: 10, routers: 0, testers: 0 };
        let error = topology().nodes(&counts, &Overrides::default()).unwrap_err();
        insta::assert_snapshot!(
            error,
            @"topology t has no node 10: it has 1-9, 201, 221-240. Start fewer, or set __nets10"
        );
        assert_eq!(topology().node(id(9), &Overrides::default()).unwrap().id, id(9));
    }
}
