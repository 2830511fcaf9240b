//! What carries a cluster's networks: planned with the cluster, made before its nodes, removed after
//! them.
//!
//! | kind | made for the cluster | removed by |
//! |---|---|---|
//! | `user` | nothing: each qemu carries its own | |
//! | `netns` | taps, and missing bridges, in the namespace that xcbuild runs in | removing the links, from within or as root |
//! | `rootless` | a namespace that a process of ours holds, all bridges and taps in it, and slirp4netns for the outside | ending the processes |
//!
//! A kind is an implementation of the trait in `driver`, in a module of its own, and a row in `registry`;
//! nothing else names it. The plans, which are pure, are in [`xc_net`].
//!
//! | module | subject |
//! |---|---|
//! | `driver` | the trait, and what a kind is asked and answers |
//! | `registry` | the kinds by name, and a network as saved facts |
//! | `choice` | which kind a start takes |
//! | `user`, `netns`, `rootless` | the kinds; `taps` has what two of them share |
//! | [`host`] | what `doctor` tells of a host |

mod choice;
mod driver;
pub mod host;
mod netns;
mod registry;
mod rootless;
mod taps;
mod user;

use std::net::Ipv4Addr;
use std::path::PathBuf;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use self::driver::Site;
use super::RunDir;
use super::cluster::LockedCluster;
use xc_net::bridges::Wiring;
use xc_net::op::{Op, Undo};
use xc_net::user::UserNet;
use xc_topology::address::{HOST_BYTE, MAINTENANCE, NodeId, Prefix, ipv4, ipv6};
use xc_vm::port::Port;
use xc_vm::process::ProcessId;

pub use self::choice::{Choice, UnknownKind};
pub(super) use self::choice::{Chosen, choose};
pub use self::driver::HostPorts;
pub(super) use self::driver::{Attach, DnsListener, Request, Translation};
pub(super) use self::registry::unknown_kind;
pub use self::registry::{CHOICES, Kind, Network};

/// The verb by which xcbuild does steps within another namespace.
pub const APPLY_VERB: &str = "netns-apply";

/// Where a node's own servers listen.
const SSH_PORT: u16 = 22;
const TELNET_PORT: u16 = 23;

/// Steps to be done in a namespace by an xcbuild that was started in it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Steps {
    /// What is done.
    pub apply: Vec<Op>,
    /// What is reverted, before that.
    pub undo: Vec<Undo>,
}

/// Where a node's servers are reached, in the namespace of [`Network::netns_prefix`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// The address.
    pub address: Ipv4Addr,
    /// The port of ssh.
    pub ssh_port: u16,
    /// The port of telnet.
    pub telnet_port: u16,
}

impl Network {
    /// Which of the host's ports the cluster takes.
    pub(super) fn host_ports(&self) -> HostPorts {
        self.driver().host_ports()
    }

    /// Where ssh and telnet to a node are.
    pub(super) fn endpoint(&self, ports: &UserNet, node: NodeId) -> Endpoint {
        if self.host_ports().forwards {
            let (ssh_port, telnet_port) = (ports.ssh_port(node), ports.telnet_port(node));
            return Endpoint { address: Ipv4Addr::LOCALHOST, ssh_port, telnet_port };
        }
        let address = ipv4(MAINTENANCE, node.number());
        Endpoint { address, ssh_port: SSH_PORT, telnet_port: TELNET_PORT }
    }

    /// Where the DNS proxy listens.
    pub(super) fn dns_listener(&self) -> DnsListener {
        self.driver().dns_listener()
    }

    /// The options of the DNS proxy, and the words that bring it where it is to listen.
    pub(super) fn dns(&self, prefix: &Prefix) -> (Vec<String>, Vec<String>) {
        if self.dns_listener() == DnsListener::HostLoopback {
            return (Vec::new(), Vec::new());
        }
        let (v4, v6) = (ipv4(MAINTENANCE, HOST_BYTE), ipv6(prefix, MAINTENANCE, HOST_BYTE));
        (vec![format!("--listen={v4}"), format!("--listen={v6}")], self.netns_prefix())
    }

    /// Plans what nodes need: a cluster's first ones, or more.
    ///
    /// # Errors
    /// When something that it needs isn't there, or another cluster has its names.
    pub(super) fn plan(&mut self, wiring: &Wiring<'_>, ports: &UserNet) -> Result<()> {
        self.driver_mut().plan(wiring, ports)
    }

    /// What a node's interface is plugged into.
    pub(super) fn attach(&self, interface: &Attach<'_>) -> Port {
        self.driver().attach(interface)
    }

    /// The words before a program that is to run where the nodes' links and addresses are; none if
    /// this process is there.
    pub fn netns_prefix(&self) -> Vec<String> {
        self.driver().netns_prefix()
    }

    /// The rules that translate the nodes' addresses, where `dns check` is to look at them.
    pub(super) fn translation(&self) -> Option<Translation> {
        self.driver().translation()
    }

    /// Its processes.
    pub(super) fn processes(&self) -> Vec<ProcessId> {
        self.driver().processes()
    }

    /// Removes what was made, but for processes.
    ///
    /// # Errors
    /// What could not be removed, or that we may not enter the namespace it is in.
    pub(super) fn teardown(&self) -> Result<()> {
        self.driver().teardown()
    }
}

/// Makes what is planned.
///
/// # Errors
/// What the kernel refuses, or a helper that does not come up. What was made is in the state.
pub(super) fn make(cluster: &mut LockedCluster) -> Result<()> {
    // It is changed outside of the state, which is saved on the way.
    let mut network = cluster.state().network.clone();
    let made = network.driver_mut().make(&mut Site::new(cluster));
    cluster.update(|state| state.network = network)?;
    made
}

/// Removes what carries the interfaces of nodes.
///
/// # Errors
/// What can't be removed, or that we may not enter the namespace it is in.
pub(super) fn unplug(cluster: &mut LockedCluster, nodes: &[NodeId]) -> Result<()> {
    let saved = cluster.state();
    let members = nodes.iter().filter_map(|id| Some((*id, saved.nodes.get(id)?)));
    let interfaces = members.flat_map(|(id, n)| n.interfaces.iter().map(move |i| (id, i.network)));
    let interfaces: Vec<_> = interfaces.collect();
    let mut network = saved.network.clone();
    network.driver_mut().unplug(&interfaces)?;
    cluster.update(|state| state.network = network)
}

/// The file of the run directory that a word of a command line names, if the process is one of a
/// network's, of whatever kind.
pub(super) fn recognize(run: &RunDir, word: &[u8]) -> Option<PathBuf> {
    Kind::ALL.iter().find_map(|kind| kind.recognize(run, word))
}

#[cfg(test)]
mod tests {
    use xc_report::Reporter;

    use super::{Endpoint, HostPorts, Kind, Network, recognize};
    use crate::RunDir;
    use xc_net::user::UserNet;
    use xc_topology::address::NodeId;

    fn networks() -> Vec<(String, Network)> {
        let run = RunDir::new("/r".as_ref(), &"c".parse().unwrap(), &Reporter::silent()).unwrap();
        let all = Kind::ALL.iter();
        all.map(|kind| (kind.to_string(), kind.create(&run).unwrap())).collect()
    }

    #[test]
    fn nodes_are_reached_by_ports_of_the_host_or_at_their_addresses() {
        let node = NodeId::new(201).unwrap();
        let rows = [
            ("user", "127.0.0.1 12501 12201", HostPorts { forwards: true, groups: true }),
            ("netns", "192.168.0.201 22 23", HostPorts::default()),
            ("rootless", "192.168.0.201 22 23", HostPorts::default()),
        ];
        let all = networks();
        for (kind, expected, ports) in rows {
            let (_, network) = all.iter().find(|(name, _)| name == kind).unwrap();
            let Endpoint { address, ssh_port, telnet_port } =
                network.endpoint(&UserNet::default(), node);
            assert_eq!(format!("{address} {ssh_port} {telnet_port}"), expected, "{kind}");
            assert_eq!(network.host_ports(), ports, "{kind}");
        }
    }

    #[test]
    fn every_kind_is_saved_and_loaded_as_itself() {
        for (kind, network) in networks() {
            let saved = serde_json::to_value(&network).unwrap();
            assert_eq!(saved["kind"], kind.as_str());
            let loaded: Network = serde_json::from_value(saved).unwrap();
            assert_eq!((loaded.kind().to_string(), &loaded), (kind, &network));
        }
    }

    #[test]
    fn processes_of_every_kind_are_recognized() {
        let run = RunDir::new("/r".as_ref(), &"c".parse().unwrap(), &Reporter::silent()).unwrap();
        assert!(recognize(&run, b"--api-socket=/r/c/slirp.sock").is_some());
        assert!(recognize(&run, b"-netdev").is_none());
    }
}
