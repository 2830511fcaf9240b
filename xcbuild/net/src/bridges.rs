//! Bridges and taps: the plan of a cluster's networks where the kernel may carry them.
//!
//! ```text
//!   vm-001 eth1 ── xctap1_1 ──┐
//!                             ├── xcbr1   192.168.1.250/24, PREFIX:192.168.1.250/120
//!   vm-201 eth1 ── xctap201_1 ┘
//! ```
//!
//! A bridge without an MTU of its own takes the smallest of its taps', which are the topology's.
//! Bridges that are there already are used and left behind.

use std::collections::BTreeSet;

use super::op::Op;
use xc_topology::Node;
use xc_topology::address::{HOST_BYTE, MAINTENANCE, NetworkId, NodeId, Prefix, ipv4, ipv6};

/// The MTU that a tap is made with.
const ETHERNET_MTU: u32 = 1500;

/// The most queues that an interface gets by itself.
const MOST_QUEUES: u32 = 8;

/// How many queues the interfaces of nodes have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queues {
    /// One: a translated node's processors take turns, more queues are only more work.
    One,
    /// One a processor.
    PerProcessor,
    /// So many.
    Exactly(u32),
}

impl Queues {
    /// How many those of a node have.
    pub fn of(self, node: &Node) -> u32 {
        match self {
            Self::One => 1,
            Self::PerProcessor => node.cpus.clamp(1, MOST_QUEUES),
            Self::Exactly(queues) => queues.max(1),
        }
    }
}

/// What is to be wired.
#[derive(Debug, Clone, Copy)]
pub struct Wiring<'a> {
    /// The nodes.
    pub nodes: &'a [Node],
    /// The 96 bits before each IPv4 address.
    pub prefix: &'a Prefix,
    /// The queues of their interfaces.
    pub queues: Queues,
}

/// The name of a network's bridge.
pub fn bridge(network: NetworkId) -> String {
    format!("xcbr{network}")
}

/// The name of a node's tap on a network; 12 characters at most.
pub fn tap(node: NodeId, network: NetworkId) -> String {
    format!("xctap{}_{network}", node.number())
}

/// The names of all links of nodes: their networks' bridges, and their taps.
pub fn links(nodes: &[Node]) -> (Vec<String>, Vec<String>) {
    let ports = || nodes.iter().flat_map(|n| n.interfaces.iter().map(move |i| (n.id, i.network)));
    let networks: BTreeSet<NetworkId> = ports().map(|(_, network)| network).collect();
    let taps = ports().map(|(node, network)| tap(node, network));
    (networks.into_iter().map(bridge).collect(), taps.collect())
}

/// A network's bridge, with the host's addresses.
pub fn bridge_ops(network: NetworkId, prefix: &Prefix) -> Vec<Op> {
    let name = bridge(network);
    vec![
        Op::Bridge { name: name.clone() },
        Op::address(&name, ipv4(network, HOST_BYTE), 24),
        Op::address(&name, ipv6(prefix, network, HOST_BYTE), 120),
        Op::up(&name),
    ]
}

/// What nodes need in addition to the bridges that are there; taps for the user `owner`.
pub fn plan(wiring: &Wiring<'_>, owner: u32, there: &[String]) -> Vec<Op> {
    let ports = || wiring.nodes.iter().flat_map(|n| n.interfaces.iter().map(move |i| (n, i)));
    let networks: BTreeSet<NetworkId> = ports().map(|(_, i)| i.network).collect();
    let missing = networks.into_iter().filter(|network| !there.contains(&bridge(*network)));
    let mut ops: Vec<Op> = missing.flat_map(|network| bridge_ops(network, wiring.prefix)).collect();
    for (node, interface) in ports() {
        let link = tap(node.id, interface.network);
        let multi_queue = wiring.queues.of(node) > 1;
        ops.push(Op::Tap { name: link.clone(), owner, multi_queue });
        if interface.mtu != ETHERNET_MTU {
            ops.push(Op::Mtu { link: link.clone(), mtu: interface.mtu });
        }
        ops.push(Op::Plug { link: link.clone(), bridge: bridge(interface.network) });
        ops.push(Op::Up { link });
    }
    ops
}

/// The value of qemu's `-netdev` for a node's tap.
pub fn netdev(id: &str, node: NodeId, network: NetworkId, queues: u32, vhost: bool) -> String {
    let vhost = if vhost { ",vhost=on" } else { "" };
    let queues = if queues > 1 { format!(",queues={queues}") } else { String::new() };
    format!("tap,id={id},ifname={},script=no,downscript=no{queues}{vhost}", tap(node, network))
}

/// The rules of a cluster's namespace: what comes from its maintenance network and leaves by
/// `outside` is masqueraded, in both families.
pub fn masquerade(prefix: &Prefix, outside: &str) -> String {
    let v6 = ipv6(prefix, MAINTENANCE, 0);
    format!(
        "\tchain postrouting {{\n\
         \t\ttype nat hook postrouting priority srcnat\n\
         \t\tip saddr 192.168.0.0/24 oifname \"{outside}\" masquerade\n\
         \t\tip6 saddr {v6}/120 oifname \"{outside}\" masquerade\n\
         \t}}\n"
    )
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use insta::assert_snapshot;

    use super::{Queues, Wiring, links, netdev, plan, tap};
    use crate::op::text;
    use xc_topology::Node;
    use xc_topology::address::{NetworkId, NodeId, Prefix};
    use xc_topology::fixture::node;

    #[test]
    fn missing_bridges_and_all_taps_are_made() {
        let mut nodes = [node(1, &[0, 1]), node(201, &[0, 3])];
        nodes[1].interfaces[1].mtu = 9000;
        nodes[0].interfaces[1].mtu = 1500;
        let there = ["xcbr0".to_owned(), "xcbr1".to_owned()];
        assert_snapshot!(text(&plan(&wiring(&nodes, Queues::One), 1000, &there)), @r"
        ip link add xcbr3 type bridge
        ip address add 192.168.3.250/24 dev xcbr3
        ip address add 1000::1:c0a8:3fa/120 dev xcbr3
        ip link set xcbr3 up
        ip tuntap add xctap1_0 mode tap user 1000
        ip link set xctap1_0 addrgenmode none master xcbr0
        ip link set xctap1_0 up
        ip tuntap add xctap1_1 mode tap user 1000
        ip link set xctap1_1 addrgenmode none master xcbr1
        ip link set xctap1_1 up
        ip tuntap add xctap201_0 mode tap user 1000
        ip link set xctap201_0 addrgenmode none master xcbr0
        ip link set xctap201_0 up
        ip tuntap add xctap201_3 mode tap user 1000
        ip link set xctap201_3 mtu 9000
        ip link set xctap201_3 addrgenmode none master xcbr3
        ip link set xctap201_3 up
        ");
        let (bridges, taps) = links(&nodes);
        assert_eq!(bridges, ["xcbr0", "xcbr1", "xcbr3"]);
        assert_eq!(taps, ["xctap1_0", "xctap1_1", "xctap201_0", "xctap201_3"]);
    }

    fn wiring<'a>(nodes: &'a [Node], queues: Queues) -> Wiring<'a> {
        static PREFIX: LazyLock<Prefix> = LazyLock::new(Prefix::default);
        Wiring { nodes, prefix: &PREFIX, queues }
    }

    #[test]
    fn taps_have_as_many_queues_as_interfaces() {
        let nodes = [node(1, &[0])];
        for (queues, count) in
            [(Queues::One, 1), (Queues::PerProcessor, nodes[0].cpus), (Queues::Exactly(4), 4)]
        {
            assert_eq!(queues.of(&nodes[0]), count);
            let plan = text(&plan(&wiring(&nodes, queues), 0, &[]));
            assert_eq!(plan.contains(" multi_queue"), count > 1, "{plan}");
        }
        let options = netdev("n", nodes[0].id, NetworkId(0), 4, false);
        assert!(options.ends_with(",script=no,downscript=no,queues=4"), "{options}");
    }

    #[test]
    fn names_fit_and_qemu_runs_no_script() {
        let node = NodeId::new(240).unwrap();
        assert!(tap(node, NetworkId(255)).len() <= 15);
        assert_snapshot!(netdev("net1", node, NetworkId(1), 1, true), @"tap,id=net1,ifname=xctap240_1,script=no,downscript=no,vhost=on");
    }
}
