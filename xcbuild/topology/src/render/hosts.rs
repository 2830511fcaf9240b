//! Names: the hosts file, and the resolver's configuration.

use super::super::Topology;
use super::super::address::{HOST_BYTE, MAINTENANCE, NodeId, Prefix, ipv4};

/// All nodes that the topology has a place for, in the cluster now or not: a name costs nothing,
/// and `scaleout` needs no new file. A node's name stands for its address on the group's `name_on`
/// network, since the maintenance network doesn't always join nodes.
pub(super) fn render(topology: &Topology, prefix: &Prefix) -> String {
    let mut text = String::from("127.0.0.1 localhost\n::1 localhost ip6-localhost\n");
    let host = ipv4(MAINTENANCE, HOST_BYTE);
    text += &format!("{host} host\n{prefix}:{host} host ip6-host\n");
    for group in &topology.groups {
        let Some(subnet) = topology.networks.get(&group.name_on).and_then(|n| n.subnet()) else {
            continue;
        };
        for node in group.nodes.iter() {
            let v4 = subnet.ipv4(node);
            text += &lines(node, &v4.to_string(), &format!("{prefix}:{v4}"));
        }
    }
    text
}

fn lines(node: NodeId, v4: &str, v6: &str) -> String {
    format!("{v4} {node}\n{v6} {node} ip6-{node}\n")
}

/// The C library asks port 53 only, so each node runs a server there.
pub(super) fn resolv_conf() -> String {
    "nameserver 127.0.0.1\n".into()
}
