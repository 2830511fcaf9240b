//! Where the frames of a cluster's networks are seen, without root wherever that can be.
//!
//! | place | carried by | seen by |
//! |---|---|---|
//! | a network | a multicast group on loopback | joining the group |
//! | | a bridge | a packet socket on the bridge, by a helper in its namespace |
//! | | each qemu by itself (network 0 of `user`) | all its nodes' links |
//! | a node's link | a tap | a packet socket on the tap, by a helper in its namespace |
//! | | anything else | qemu's `filter-dump`, into a FIFO that we read |
//!
//! A reader that is killed takes nothing with it: qemu stops its dump, the helper ends, when they
//! find nobody at the other end. What remains of the dump in qemu is removed by the next capture.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::ErrorKind;
use std::net::SocketAddrV4;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use rustix::fs::{CWD, FileType, Mode, OFlags, fcntl_setfl, mknodat};
use rustix::pipe::fcntl_setpipe_size;
use serde_json::json;

use super::life::QMP_LIMIT;
use super::link::{netdev, netdev_value};
use super::spawn::remove_if_there;
use super::state::{InterfaceState, NodeState, State};
use super::{RunDir, status};
use crate::capture::Source;
use crate::capture::pcapng::Interface;
use crate::net::bridges;
use crate::sys::exec::{Exec, Running, own_program};
use crate::sys::packet::loopback_group;
use crate::topology::address::{AddressError, Mac, NetworkId, NodeId};
use crate::vm::process::ProcessId;
use crate::vm::qmp::Qmp;

/// The verb by which xcbuild sends an interface's frames from within another namespace.
pub const CAPTURE_VERB: &str = "netns-capture";

/// How the ids of our dumps in qemu begin; the rest is the process that reads, and a number.
const DUMP: &str = "xc-capture";

/// How many bytes wait in a FIFO while we are busy: the most that anybody may have.
const FIFO_SIZE: usize = 1 << 20;

/// A place to capture at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// All frames of a network.
    Network(NetworkId),
    /// What a node sends to and receives from a network.
    Link(NodeId, NetworkId),
}

/// `1`, or `vm-001:1`, or `1:1`.
impl FromStr for Place {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        match text.split_once(':') {
            None => Ok(Self::Network(text.parse()?)),
            Some((node, network)) => Ok(Self::Link(node.parse()?, network.parse()?)),
        }
    }
}

/// Sources, and what keeps them flowing.
#[derive(Debug, Default)]
pub struct Opened {
    /// Where frames come from.
    pub sources: Vec<Source>,
    /// What feeds them, ended when dropped.
    helpers: Vec<Running>,
    dumps: Vec<Dump>,
}

/// What carries a node's link.
enum Carrier {
    Tap(String),
    Group(SocketAddrV4),
    Qemu,
}

/// Opens places of a running cluster.
///
/// # Errors
/// When a place isn't there, or may not be looked at.
pub fn open(run: &RunDir, places: &[Place], snaplen: u32) -> Result<Opened> {
    let running = status(run)?;
    let state = State::load(run)?.filter(|_| running.alive() > 0);
    let Some(state) = state else {
        bail!("the cluster `{}` does not run; `xcbuild up` starts one", run.name());
    };
    let alive = running.nodes.iter().filter(|n| n.is_alive()).map(|n| n.number);
    let mut opening =
        Opening { run, state: &state, alive: alive.collect(), snaplen, opened: Opened::default() };
    for place in places {
        match place {
            Place::Network(network) => opening.network(*network)?,
            Place::Link(node, network) => opening.link(*node, *network)?,
        }
    }
    Ok(opening.opened)
}

struct Opening<'a> {
    run: &'a RunDir,
    state: &'a State,
    alive: BTreeSet<u8>,
    snaplen: u32,
    opened: Opened,
}

impl Opening<'_> {
    fn network(&mut self, network: NetworkId) -> Result<()> {
        let nodes = self.state.nodes.iter().filter(|(number, _)| self.alive.contains(number));
        let on: Vec<_> = nodes
            .filter_map(|(number, node)| {
                let link = node.interfaces.iter().find(|i| i.network == network.0)?;
                Some((NodeId::new(*number)?, carrier(node, link)))
            })
            .collect();
        let Some((_, first)) = on.first() else {
            let all = self.state.nodes.values().flat_map(|n| &n.interfaces);
            let all: BTreeSet<_> = all.map(|i| i.network).collect();
            let all: Vec<_> = all.iter().map(u8::to_string).collect();
            bail!("no running node is on network {network}; there are {}", all.join(", "));
        };
        let name = format!("net{network}");
        match first {
            Carrier::Group(address) => {
                let socket = loopback_group(*address.ip(), address.port())
                    .with_context(|| format!("can't join the multicast group {address}"))?;
                let interface = self.interface(&name, &format!("network {network}"));
                self.opened.sources.push(Source::datagrams(interface, socket));
                Ok(())
            }
            Carrier::Tap(tap) if tap.starts_with("xctap") => {
                let bridge = bridges::bridge(network);
                self.helper(&bridge, &name, &format!("network {network} ({bridge})"), None)
            }
            _ => {
                let nodes: Vec<_> = on.iter().map(|(node, _)| *node).collect();
                nodes.into_iter().try_for_each(|node| self.link(node, network))
            }
        }
    }

    fn link(&mut self, node: NodeId, network: NetworkId) -> Result<()> {
        let there = self.state.nodes.get(&node.number());
        let Some(there) = there.filter(|_| self.alive.contains(&node.number())) else {
            let alive: Vec<_> = self.alive.iter().map(u8::to_string).collect();
            bail!("{node} does not run; those that run are {}", alive.join(", "));
        };
        let links = || there.interfaces.iter();
        let Some(link) = links().find(|i| i.network == network.0) else {
            let on: Vec<_> = links().map(|i| i.network.to_string()).collect();
            bail!("{node} is not on network {network}; it is on {}", on.join(", "));
        };
        let (name, what) = (format!("{node}:{network}"), format!("{node} on network {network}"));
        let mac = Mac::of(node, network);
        match carrier(there, link) {
            Carrier::Tap(tap) => self.helper(&tap, &name, &format!("{what} ({tap})"), Some(mac)),
            _ => {
                let id = netdev(there, &link.mac)
                    .with_context(|| format!("can't tell what carries {what}"))?;
                self.dump(node, &id, &self.interface(&name, &what), mac)
            }
        }
    }

    fn interface(&self, name: &str, description: &str) -> Interface {
        Interface { name: name.into(), description: description.into(), snaplen: self.snaplen }
    }

    /// Has an xcbuild in the cluster's namespace send us an interface's frames.
    fn helper(&mut self, link: &str, name: &str, what: &str, card: Option<Mac>) -> Result<()> {
        let program = own_program().context("can't tell where this program is")?;
        let program = program.to_str().context("this program's path is not UTF-8")?.to_owned();
        let mut words = self.state.network.reach();
        words.extend([program, CAPTURE_VERB.into(), link.into(), self.snaplen.to_string()]);
        let (first, rest) = words.split_first().context("an empty command")?;
        let mut running = Exec::new(first).args(rest).running()?;
        let reader = running.stdout().context("a helper without an output")?;
        match Source::stream(self.interface(name, what), reader, true) {
            Ok(source) => self.opened.sources.push(source.of_card(card)),
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => {
                let why = running.last_words();
                bail!("can't see the frames of {what}: {}", why.trim_start_matches("ERROR: "));
            }
            Err(e) => return Err(e).with_context(|| format!("can't see the frames of {what}")),
        }
        self.opened.helpers.push(running);
        Ok(())
    }

    /// Has a node's qemu write the frames of a card into a FIFO of ours.
    fn dump(&mut self, node: NodeId, netdev: &str, what: &Interface, card: Mac) -> Result<()> {
        let own = ProcessId::own().context("/proc does not show this process")?;
        let id = format!("{DUMP}-{}-{}-{}", own.pid, own.start, self.opened.sources.len());
        let fifo = Fifo::make(self.run.path().join(&id))?;
        let qmp = self.run.node(node, &self.state.logs).qmp;
        let mut line = Qmp::connect(&qmp, QMP_LIMIT).with_context(|| format!("{node} is deaf"))?;
        remove_orphans(&mut line)?;
        line.execute(
            "object-add",
            json!({
                "qom-type": "filter-dump", "id": id, "netdev": netdev,
                "file": fifo.path, "maxlen": self.snaplen,
            }),
        )?;
        self.opened.dumps.push(Dump { qmp, id });
        // Its times are those of the node's clock, which stands while the node does.
        let source = Source::stream(what.clone(), fifo.reader()?, false)
            .with_context(|| format!("qemu does not show the frames of {}", what.description))?;
        self.opened.sources.push(source.of_card(Some(card)));
        Ok(())
    }
}

/// What carries a link, by the command line of its node.
fn carrier(node: &NodeState, link: &InterfaceState) -> Carrier {
    let value = netdev(node, &link.mac).and_then(|id| netdev_value(node, &id));
    let Some((kind, parts)) = value.and_then(|value| value.split_once(',')) else {
        return Carrier::Qemu;
    };
    let part = |name: &str| parts.split(',').find_map(|part| part.strip_prefix(name));
    match kind {
        "tap" => part("ifname=").map(|name| Carrier::Tap(name.into())),
        "socket" => part("mcast=").and_then(|address| Some(Carrier::Group(address.parse().ok()?))),
        _ => None,
    }
    .unwrap_or(Carrier::Qemu)
}

/// Removes the dumps in a qemu of readers that have ended.
fn remove_orphans(qmp: &mut Qmp) -> Result<()> {
    let objects = qmp.execute("qom-list", json!({ "path": "/objects" }))?;
    let names = objects.as_array().into_iter().flatten().filter_map(|o| o["name"].as_str());
    for name in names {
        let Some(reader) = name.strip_prefix(DUMP) else { continue };
        let mut parts = reader.split('-').skip(1);
        let pid = parts.next().and_then(|n| n.parse().ok());
        let start = parts.next().and_then(|n| n.parse().ok());
        let alive = pid.zip(start).is_some_and(|(pid, start)| ProcessId { pid, start }.is_alive());
        if !alive {
            qmp.execute("object-del", json!({ "id": name }))?;
        }
    }
    Ok(())
}

/// A dump in a qemu, removed when dropped.
#[derive(Debug)]
struct Dump {
    qmp: PathBuf,
    id: String,
}

impl Drop for Dump {
    fn drop(&mut self) {
        // A qemu that has ended has no dump any more; one that is busy loses it to the next capture.
        if let Ok(mut qmp) = Qmp::connect(&self.qmp, QMP_LIMIT) {
            let _ = qmp.execute("object-del", json!({ "id": self.id }));
        }
    }
}

/// A FIFO that is open for reading; its name goes when dropped.
struct Fifo {
    path: PathBuf,
    file: File,
}

impl Fifo {
    fn make(path: PathBuf) -> Result<Self> {
        let failed = || format!("can't make the FIFO `{}`", path.display());
        remove_if_there(&path)?;
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).with_context(failed)?;
        // Open before qemu opens it: qemu would wait for a reader, and all of the node with it.
        let flags = OFlags::NONBLOCK.bits() as i32;
        let file = File::options().read(true).custom_flags(flags).open(&path);
        let file = file.with_context(failed)?;
        // A smaller one will do where the user has too many.
        let _ = fcntl_setpipe_size(&file, FIFO_SIZE);
        Ok(Self { path, file })
    }

    /// The end to read from, once somebody writes.
    fn reader(&self) -> Result<File> {
        fcntl_setfl(&self.file, OFlags::empty()).context("can't read the FIFO")?;
        self.file.try_clone().context("can't read the FIFO")
    }
}

impl Drop for Fifo {
    fn drop(&mut self) {
        let _ = remove_if_there(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::{Carrier, Place, carrier};
    use crate::cluster::state::NodeState;
    use crate::topology::address::{NetworkId, NodeId};
    use crate::vm::tests::node;

    #[test]
    fn places_are_networks_and_links() {
        let node = |n| NodeId::new(n).unwrap();
        assert_eq!("1".parse(), Ok(Place::Network(NetworkId(1))));
        assert_eq!("201:2".parse(), Ok(Place::Link(node(201), NetworkId(2))));
        assert_eq!("vm-001:0".parse(), Ok(Place::Link(node(1), NetworkId(0))));
        for bad in ["", "x", "1:", ":1", "300", "241:1", "1:1:1"] {
            assert!(bad.parse::<Place>().is_err(), "{bad}");
        }
    }

    #[test]
    fn carriers_are_read_off_the_command_line() {
        let rows = [
            ("tap,id=net1,ifname=xctap5_1,script=no", "tap xctap5_1"),
            ("socket,id=net1,mcast=224.0.0.121:27030,localaddr=127.0.0.1", "224.0.0.121:27030"),
            ("user,id=net1,net=192.168.0.5/24", "qemu"),
            ("tap,id=net2,ifname=other", "qemu"),
        ];
        for (netdev, expected) in rows {
            let device = "virtio-net-pci,netdev=net1,mac=00:00:00:01:01:05,romfile=";
            let argv = ["qemu", "-netdev", netdev, "-device", device].map(str::to_owned);
            let state = NodeState::new(&node(5, &[1]), argv.into());
            let seen = match carrier(&state, &state.interfaces[0]) {
                Carrier::Tap(name) => format!("tap {name}"),
                Carrier::Group(address) => address.to_string(),
                Carrier::Qemu => "qemu".into(),
            };
            assert_eq!(seen, expected);
        }
    }
}
