//! What a kind of network is: the trait that each one implements, and the values by which it is
//! asked and answers.
//!
//! The associated functions are about the host, before there is a cluster. The methods are about the
//! network of one cluster: `self` is the facts that the cluster's state has of it. Every difference
//! between kinds is an answer here; what follows from the answers is the same for all kinds, and
//! stands in [`super`].

use std::path::PathBuf;

use anyhow::Result;
use serde::Serialize;

use super::Network;
use super::host::{Finding, Host, Program};
use crate::RunDir;
use crate::cluster::LockedCluster;
use crate::helper::{self, Starting};
use xc_net::bridges::{Queues, Wiring};
use xc_net::user::UserNet;
use xc_topology::Node;
use xc_topology::address::{NetworkId, NodeId, Prefix};
use xc_vm::port::Port;
use xc_vm::process::ProcessId;

/// A kind of network, and the network of one cluster.
pub(super) trait Driver {
    /// What it is, in a few words: `networks are …`.
    fn summary() -> &'static str
    where
        Self: Sized;

    /// Whether `auto` may choose it. Not where scripts would miss what they rely on.
    fn is_automatic() -> bool
    where
        Self: Sized,
    {
        true
    }

    /// Looks whether a cluster can have it here.
    ///
    /// # Errors
    /// When neither it nor another kind in its place would do, with the reason and a remedy.
    fn preflight(request: &Request) -> Result<Availability>
    where
        Self: Sized;

    /// Looks whether it can carry all that those nodes send.
    ///
    /// # Errors
    /// What would be lost, with a remedy.
    fn carries(_nodes: &[Node]) -> Result<()>
    where
        Self: Sized,
    {
        Ok(())
    }

    /// What `doctor` shows of it on this host.
    fn find(host: &Host) -> Finding
    where
        Self: Sized;

    /// The programs of the host that it runs.
    fn programs() -> &'static [Program]
    where
        Self: Sized,
    {
        &[]
    }

    /// The file of the run directory that a word of a command line names, if the process is one of
    /// this kind's. By it processes are found that no state tells of.
    fn recognize(_run: &RunDir, _word: &[u8]) -> Option<PathBuf>
    where
        Self: Sized,
    {
        None
    }

    /// The network of a new cluster, with nothing planned yet.
    ///
    /// # Errors
    /// When the host does not show what it needs to know.
    fn new(run: &RunDir) -> Result<Self>
    where
        Self: Sized;

    /// What of the host's ports the cluster takes, and so how its nodes are reached.
    fn host_ports(&self) -> HostPorts {
        HostPorts::default()
    }

    /// Where the DNS proxy listens.
    fn dns_listener(&self) -> DnsListener {
        DnsListener::HostLoopback
    }

    /// Plans what nodes need: a cluster's first ones, or more.
    ///
    /// # Errors
    /// When something that it needs isn't there, or another cluster has its names.
    fn plan(&mut self, _wiring: &Wiring<'_>, _ports: &UserNet) -> Result<()> {
        Ok(())
    }

    /// What a node's interface is plugged into, and what carries its frames: captures are made there.
    fn attach(&self, interface: &Attach<'_>) -> Port;

    /// Makes what is planned.
    ///
    /// # Errors
    /// What the kernel refuses, or a helper that does not come up.
    fn make(&mut self, _site: &mut Site<'_>) -> Result<()> {
        Ok(())
    }

    /// Removes what carries those interfaces.
    ///
    /// # Errors
    /// What can't be removed, or that we may not enter the namespace it is in.
    fn unplug(&mut self, _interfaces: &[(NodeId, NetworkId)]) -> Result<()> {
        Ok(())
    }

    /// Removes what was made, but for processes: those have ended by then.
    ///
    /// # Errors
    /// As [`Driver::unplug`].
    fn teardown(&self) -> Result<()> {
        Ok(())
    }

    /// Its processes.
    fn processes(&self) -> Vec<ProcessId> {
        Vec::new()
    }

    /// The words before a program that is to run where the nodes' links and addresses are; none if
    /// this process is there.
    fn netns_prefix(&self) -> Vec<String> {
        Vec::new()
    }

    /// The rules that translate the nodes' addresses, where `dns check` is to look at them.
    fn translation(&self) -> Option<Translation> {
        None
    }
}

/// What a start wants of a network, whatever its kind.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Request {
    /// Whether a script of the user's wires the nodes (`__net_setup`).
    pub net_setup: bool,
}

/// Whether a kind can be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Availability {
    /// It can.
    Usable,
    /// Not here: `auto` goes on to the next kind, and asking for it is an error. The reason
    /// follows `--net=KIND`.
    Elsewhere(String),
    /// Not on this host: who asks for it gets [`super::Kind::FALLBACK`], with this reason.
    Missing(String),
}

/// Which ports of the host's loopback a cluster takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct HostPorts {
    /// Some that lead to each node: ssh and telnet are there, and not at the node's own address.
    pub forwards: bool,
    /// The UDP port of multicast groups that carry the networks.
    pub groups: bool,
}

/// Where a cluster's DNS proxy listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DnsListener {
    /// On the host's loopback addresses; nodes get there by network 0.
    HostLoopback,
    /// In the cluster's namespace, at the host's addresses on network 0, too.
    Namespace,
}

/// An interface that is to be plugged in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attach<'a> {
    /// The id for qemu's `-netdev`.
    pub id: &'a str,
    /// The node.
    pub node: &'a Node,
    /// The network.
    pub network: NetworkId,
    /// The cluster's ports.
    pub ports: &'a UserNet,
    /// The 96 bits before each IPv4 address.
    pub prefix: &'a Prefix,
    /// How many queues the interface gets, where it can have several.
    pub queues: Queues,
}

/// Rules that translate the nodes' addresses on their way to the outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Translation {
    /// The nftables table in the cluster's namespace.
    pub table: &'static str,
    /// What brings it back.
    pub remedy: String,
    /// The number of the namespace, where the host has a table for it, too.
    pub namespace: Option<String>,
}

/// A cluster's place while its network is being made.
#[derive(Debug)]
pub(super) struct Site<'a> {
    cluster: &'a mut LockedCluster,
}

impl<'a> Site<'a> {
    /// That of a cluster.
    pub(super) fn new(cluster: &'a mut LockedCluster) -> Self {
        Self { cluster }
    }

    /// The cluster's run directory.
    pub(super) fn run(&self) -> &RunDir {
        self.cluster.run()
    }

    /// Starts a process that serves the nodes; see [`helper::launch`].
    ///
    /// # Errors
    /// When it can't be started, or its log not written.
    pub(super) fn launch(&self, names: (&str, &'static str), argv: &[String]) -> Result<Starting> {
        helper::launch(self.cluster.host(), &self.cluster.state().logs, names, argv)
    }

    /// Writes down how far the network has come.
    ///
    /// # Errors
    /// When the state can't be written.
    pub(super) fn record(&mut self, network: impl Into<Network>) -> Result<()> {
        let network = network.into();
        self.cluster.update(|state| state.network = network)
    }
}
