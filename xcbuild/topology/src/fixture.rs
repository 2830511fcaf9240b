//! A node for the tests of whoever works with nodes; only there with the feature `fixture`.

use crate::address::{Mac, NetworkId, NodeId, Prefix, ipv4};
use crate::{Interface, Node};

/// A node of the default size on those networks; network 1 has an MTU of its own.
///
/// # Panics
/// When no node has that number.
#[must_use]
pub fn node(number: u8, networks: &[u8]) -> Node {
    let id = NodeId::new(number).expect("a node's number");
    let interface = |&n: &u8| {
        let network = NetworkId(n);
        let mtu = if n == 1 { 1400 } else { 1500 };
        let v4 = ipv4(network, number);
        let v6 = Prefix::default().embed(v4);
        let (ipv4, ipv6) = (Some(v4), Some(v6));
        let impaired = Default::default();
        Interface { network, mac: Mac::of(id, network), ipv4, ipv6, mtu, impaired }
    };
    let interfaces = networks.iter().map(interface).collect();
    Node { id, interfaces, memory_mib: 128, cpus: 2, append: String::new() }
}
