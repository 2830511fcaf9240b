//! Kernel settings of a node, one `KEY=VALUE` a line for `sysctl -p`.

use super::super::Topology;
use super::super::group::Group;

/// Forwarding comes first, as switching it resets others of an interface's settings.
pub(super) fn render(topology: &Topology, group: &Group) -> String {
    let mut text = String::new();
    if group.forward {
        text += "net.ipv4.ip_forward=1\nnet.ipv6.conf.all.forwarding=1\n";
    }
    for family in ["ipv4", "ipv6"] {
        text += &format!("net.{family}.fib_multipath_hash_policy=1\n");
    }
    // The kernel takes the larger of `all` and the interface's own; new ones (bridges) copy
    // `default`.
    for interface in ["all", "default"] {
        text += &format!("net.ipv6.conf.{interface}.accept_dad=0\n");
        text += &format!("net.ipv4.conf.{interface}.rp_filter=0\n");
    }
    for network in &group.networks {
        // Replies may come in by another router than the one asked through (ECMP), and routes come
        // from the topology, not from who advertises himself.
        text += &format!("net.ipv4.conf.<if{network}>.rp_filter=0\n");
        text += &format!("net.ipv6.conf.<if{network}>.accept_ra=0\n");
        if topology.networks.get(network).is_some_and(|known| known.subnet().is_some()) {
            text += &format!("net.ipv6.conf.<if{network}>.accept_dad=0\n");
        }
    }
    text
}
