//! Where the frames of a cluster's networks are seen, without root wherever that can be.
//!
//! | point | carried by | seen by |
//! |---|---|---|
//! | a network | a multicast group on loopback | joining the group |
//! | | a bridge | a packet socket on the bridge, by a helper in its namespace |
//! | | each qemu by itself (network 0 of `user`) | all its nodes' links |
//! | a node's link | a tap | a packet socket on the tap, by a helper in its namespace |
//! | | anything else | qemu's `filter-dump`, into a FIFO that we read |
//!
//! A reader that is killed takes nothing with it: qemu stops its dump, the helper ends, when they
//! find no reader at the other end. What remains of the dump in qemu is removed by the next capture.

mod dump;
mod point;

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Write};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::link::netdev;
use super::{Cluster, RunDir};
use dump::Dump;
pub use point::CapturePoint;
use xc_capture::pcapng::Interface;
use xc_capture::{Background, Source, Summary};
use xc_sys::exec::{Exec, Running, own_program};
use xc_sys::packet::loopback_group;
use xc_topology::address::{Mac, NetworkId, NodeId};
use xc_vm::port::Carrier;

/// The verb by which xcbuild sends an interface's frames from within another namespace.
pub const CAPTURE_VERB: &str = "netns-capture";

/// How long a helper has to write what it has seen, at the end.
const HELPER_LIMIT: Duration = Duration::from_secs(5);

/// Sources, and what keeps them flowing.
#[derive(Debug, Default)]
pub struct Opened {
    /// Where frames come from.
    pub sources: Vec<Source>,
    /// What feeds them, ended when dropped.
    helpers: Vec<Running>,
    dumps: Vec<Dump>,
}

impl Opened {
    /// Adds those of another.
    pub fn extend(&mut self, other: Self) {
        self.sources.extend(other.sources);
        self.helpers.extend(other.helpers);
        self.dumps.extend(other.dumps);
    }

    /// Records all of them, in the background.
    ///
    /// # Errors
    /// When the kernel has no room for it.
    pub fn record(self, out: impl Write + Send + 'static) -> io::Result<Recording> {
        let Self { sources, helpers, dumps } = self;
        Ok(Recording { recording: Background::start(sources, out)?, helpers, _dumps: dumps })
    }
}

/// A recording of a cluster's frames. One that is dropped gets nothing more from helpers and qemus,
/// but only [`Recording::end`] waits until all is in the file.
#[derive(Debug)]
pub struct Recording {
    recording: Background,
    helpers: Vec<Running>,
    _dumps: Vec<Dump>,
}

impl Recording {
    /// Ends it, with all in the file that was on the networks before this call.
    ///
    /// # Errors
    /// When the file could not be written.
    pub fn end(self) -> io::Result<Summary> {
        self.recording.ends_soon();
        self.helpers.into_iter().for_each(|helper| helper.end(HELPER_LIMIT));
        self.recording.end()
    }
}

/// Opens points of a running cluster.
///
/// # Errors
/// When one isn't there, or may not be looked at.
pub fn open(run: &RunDir, points: &[CapturePoint], snaplen: u32) -> Result<Opened> {
    let cluster = Cluster::open(run)?;
    let members = cluster.state().nodes.keys().copied();
    let alive: BTreeSet<_> = members.filter(|id| cluster.process(*id).is_some()).collect();
    if alive.is_empty() {
        bail!(run.name().not_running());
    }
    let mut opening = Opening { cluster: &cluster, alive, snaplen, opened: Opened::default() };
    for point in points {
        match point {
            CapturePoint::Network(network) => opening.network(*network)?,
            CapturePoint::Link(node, network) => opening.link(*node, *network)?,
        }
    }
    Ok(opening.opened)
}

struct Opening<'a> {
    cluster: &'a Cluster,
    alive: BTreeSet<NodeId>,
    snaplen: u32,
    opened: Opened,
}

impl Opening<'_> {
    fn network(&mut self, network: NetworkId) -> Result<()> {
        let state = self.cluster.state();
        let nodes = state.nodes.iter().filter(|(id, _)| self.alive.contains(id));
        let on = nodes.filter_map(|(id, node)| Some((*id, &node.interface(network)?.carrier)));
        let on: Vec<_> = on.collect();
        let Some((_, first)) = on.first() else {
            let all = state.nodes.values().flat_map(|n| &n.interfaces);
            let all: BTreeSet<_> = all.map(|i| i.network).collect();
            let all: Vec<_> = all.iter().map(NetworkId::to_string).collect();
            bail!("no running node is on network {network}; there are {}", all.join(", "));
        };
        let name = format!("net{network}");
        match first {
            Carrier::Group { address } => {
                let socket = loopback_group(*address.ip(), address.port())
                    .with_context(|| format!("can't join the multicast group {address}"))?;
                let interface = self.interface(&name, &format!("network {network}"));
                self.opened.sources.push(Source::datagrams(interface, socket));
                Ok(())
            }
            Carrier::Tap { bridge: Some(bridge), .. } => {
                self.helper(bridge, &name, &format!("network {network} ({bridge})"), None)
            }
            _ => {
                let nodes: Vec<_> = on.iter().map(|(node, _)| *node).collect();
                nodes.into_iter().try_for_each(|node| self.link(node, network))
            }
        }
    }

    fn link(&mut self, node: NodeId, network: NetworkId) -> Result<()> {
        if !self.alive.contains(&node) {
            let alive = self.alive.iter().map(|id| id.number().to_string());
            let alive: Vec<_> = alive.collect();
            bail!("{node} does not run; those that run are {}", alive.join(", "));
        }
        let link = self.cluster.interface(node, network)?;
        let (name, what) = (format!("{node}:{network}"), format!("{node} on network {network}"));
        match &link.carrier {
            Carrier::Tap { name: tap, .. } => {
                self.helper(tap, &name, &format!("{what} ({tap})"), Some(link.mac))
            }
            _ => self.dump(node, netdev(node, link)?, &self.interface(&name, &what), link.mac),
        }
    }

    fn interface(&self, name: &str, description: &str) -> Interface {
        Interface { name: name.into(), description: description.into(), snaplen: self.snaplen }
    }

    /// Has an xcbuild in the cluster's namespace send us an interface's frames.
    fn helper(&mut self, link: &str, name: &str, what: &str, card: Option<Mac>) -> Result<()> {
        let program = own_program().context("can't tell where this program is")?;
        let program = program.to_str().context("this program's path is not UTF-8")?.to_owned();
        let mut words = self.cluster.state().network.netns_prefix();
        words.extend([program, CAPTURE_VERB.into(), link.into(), self.snaplen.to_string()]);
        let (first, rest) = words.split_first().context("an empty command")?;
        let mut running = Exec::new(first).args(rest).running()?;
        let reader = running.stdout().context("a helper without an output")?;
        match Source::stream(self.interface(name, what), reader, true) {
            Ok(source) => self.opened.sources.push(source.of_card(card)),
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => {
                let why = running.stderr_tail();
                bail!("can't see the frames of {what}: {why}");
            }
            Err(e) => return Err(e).with_context(|| format!("can't see the frames of {what}")),
        }
        self.opened.helpers.push(running);
        Ok(())
    }

    /// Has a node's qemu write the frames of a card into a FIFO of ours.
    fn dump(&mut self, node: NodeId, netdev: &str, what: &Interface, card: Mac) -> Result<()> {
        let (dump, reader) = Dump::start(self.cluster, node, netdev, self.snaplen)
            .with_context(|| format!("can't see the frames of {}", what.description))?;
        self.opened.dumps.push(dump);
        // Its times are those of the node's clock, which stands while the node does.
        let source = Source::stream(what.clone(), reader, false)
            .with_context(|| format!("qemu does not show the frames of {}", what.description))?;
        self.opened.sources.push(source.of_card(Some(card)));
        Ok(())
    }
}
