//! `user`: what qemu carries by itself. Nothing is made for the cluster, and the host lends ports;
//! see [`xc_net::user`].

use std::net::SocketAddrV4;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::driver::{Attach, Availability, Driver, HostPorts, Request};
use super::host::{Finding, Host};
use crate::RunDir;
use xc_net::user::{self, UserNet};
use xc_topology::Node;
use xc_topology::address::{MAINTENANCE, NetworkId};
use xc_vm::port::{Carrier, Port};

/// A cluster's network of that kind. Its ports are in the cluster's state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct User {}

impl Driver for User {
    fn summary() -> &'static str {
        "qemu's own"
    }

    fn preflight(_: &Request) -> Result<Availability> {
        Ok(Availability::Usable)
    }

    fn carries(nodes: &[Node]) -> Result<()> {
        Ok(user::check_mtu(nodes)?)
    }

    fn find(_: &Host) -> Finding {
        Finding::good("needs nothing")
    }

    fn new(_: &RunDir) -> Result<Self> {
        Ok(Self {})
    }

    fn host_ports(&self) -> HostPorts {
        HostPorts { forwards: true, groups: true }
    }

    fn attach(&self, to: &Attach<'_>) -> Port {
        let netdev = to.ports.netdev(to.id, to.node.id, to.network, to.prefix);
        Port::Netdev { netdev, queues: 1, carrier: carrier(to.ports, to.network) }
    }
}

fn carrier(ports: &UserNet, network: NetworkId) -> Carrier {
    match network {
        MAINTENANCE => Carrier::UserStack,
        _ => Carrier::Group { address: SocketAddrV4::new(ports.group(network), ports.mcast_port) },
    }
}
