//! What the kinds with bridges and taps have in common.

use std::fs::File;

use super::driver::Attach;
use xc_net::bridges;
use xc_topology::address::{NetworkId, NodeId};
use xc_vm::port::{Carrier, Port};

/// A node's interface on its tap.
pub(super) fn attach(to: &Attach<'_>) -> Port {
    let (node, network, queues) = (to.node.id, to.network, to.queues.of(to.node));
    let netdev = bridges::netdev(to.id, node, network, queues, has_vhost());
    let (name, bridge) = (bridges::tap(node, network), bridges::bridge(network));
    let carrier = Carrier::Tap { name, bridge: Some(bridge) };
    Port::Netdev { netdev, queues, carrier }
}

/// The taps of interfaces.
pub(super) fn of(interfaces: &[(NodeId, NetworkId)]) -> Vec<String> {
    interfaces.iter().map(|(node, network)| bridges::tap(*node, *network)).collect()
}

/// Whether qemu can leave the taps' frames to the kernel.
fn has_vhost() -> bool {
    File::options().read(true).write(true).open("/dev/vhost-net").is_ok()
}
