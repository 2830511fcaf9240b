//! Which ports of the host are taken, and by whom.
//!
//! A port is tried by binding it, which is the only true answer; who holds it is then read from
//! `/proc/net/{tcp,tcp6,udp,udp6}` (socket inode by local port) and `/proc/*/fd` (process by
//! inode). Another user's processes can't be read: the holder is then unknown but for the user.
//! A port may still be taken between this look and qemu's start; qemu then says so itself.
//!
//! Reference: proc_pid_net(5); the state `0A` is TCP_LISTEN.

use std::collections::BTreeMap;
use std::fmt;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use super::policy::{PortsTaken, Remedy};
use super::user::{Purpose, UserNet};
use xc_topology::address::NodeId;

/// A port that a cluster wants and another process has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The port's number.
    pub port: u16,
    /// What the cluster wants it for.
    pub purpose: Purpose,
    /// Who has it.
    pub holder: Holder,
}

/// Ports that are promised to clusters of this user which may not have bound them yet, with the
/// cluster's name.
pub type Reserved = BTreeMap<u16, String>;

/// Looks whether nodes that join a cluster get their ports.
///
/// # Errors
/// [`PortsTaken`] for those that are taken.
pub fn check(net: &UserNet, nodes: &[NodeId], reserved: &Reserved) -> Result<(), PortsTaken> {
    let taken = busy(&wanted(net, nodes, false), reserved);
    if taken.is_empty() { Ok(()) } else { Err(PortsTaken { taken, remedy: Remedy::FreeThem }) }
}

/// The TCP ports that a cluster of those nodes binds.
pub fn wanted(net: &UserNet, nodes: &[NodeId], with_dns: bool) -> Vec<(u16, Purpose)> {
    let forwards = nodes.iter().flat_map(|node| net.forwards(*node));
    let dns = with_dns.then_some((net.dns_port, Purpose::Dns));
    forwards.map(|f| (f.host, f.purpose)).chain(dns).collect()
}

/// Who holds a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// The same cluster, for something else.
    Same(Purpose),
    /// A cluster of this user.
    Cluster(String),
    /// A process that we may look at.
    Process {
        /// Its number.
        pid: u32,
        /// Its name.
        name: String,
    },
    /// A process that we may not look at, of that user.
    User(u32),
    /// Not found: it has ended meanwhile, or runs in another namespace.
    Unknown,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Holder::Same(purpose) => write!(f, "the same cluster, for {purpose}"),
            Holder::Cluster(name) => write!(f, "the cluster `{name}`"),
            Holder::Process { pid, name } => write!(f, "{name} (process {pid})"),
            Holder::User(uid) => write!(f, "a process of user id {uid}"),
            Holder::Unknown => f.write_str("a process that could not be found"),
        }
    }
}

/// A line of `/proc/net/tcp` or its like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Socket {
    port: u16,
    listens: bool,
    uid: u32,
    inode: u64,
}

/// Tries each TCP port on 127.0.0.1: those that can't be bound with their holders. Of two wants for one
/// port the first gets it.
pub(super) fn busy(wanted: &[(u16, Purpose)], reserved: &Reserved) -> Vec<Taken> {
    let mut own = BTreeMap::new();
    let is_free = |port| !reserved.contains_key(&port) && tcp_is_free(port);
    let busy = wanted.iter().filter_map(|&(port, purpose)| {
        let other = *own.entry(port).or_insert(purpose);
        let same = (other != purpose).then_some(Holder::Same(other));
        (same.is_some() || !is_free(port)).then_some((port, purpose, same))
    });
    let busy: Vec<_> = busy.collect();
    if busy.is_empty() {
        return Vec::new();
    }
    let sockets = read_sockets(&["tcp", "tcp6"]);
    let taken = busy.into_iter().map(|(port, purpose, same)| {
        let cluster = || reserved.get(&port).map(|name| Holder::Cluster(name.clone()));
        let process = || sockets.iter().find(|s| s.port == port && s.listens).map(holder);
        let holder = same.or_else(cluster).or_else(process).unwrap_or(Holder::Unknown);
        Taken { port, purpose, holder }
    });
    taken.collect()
}

/// Whether a TCP port on 127.0.0.1 can be bound now.
pub fn tcp_is_free(port: u16) -> bool {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => true,
        Err(error) => error.kind() != ErrorKind::AddrInUse,
    }
}

/// How many sockets of the host have that UDP port. Multicast sockets share ports, so binding one
/// would tell nothing.
pub fn udp_sockets(port: u16) -> usize {
    read_sockets(&["udp", "udp6"]).iter().filter(|s| s.port == port).count()
}

/// The sockets of the named protocols; a table that can't be read has none.
fn read_sockets(protocols: &[&str]) -> Vec<Socket> {
    let read = |name| fs_err::read_to_string(Path::new("/proc/net").join(name));
    protocols.iter().filter_map(|name| read(name).ok()).flat_map(|t| parse_sockets(&t)).collect()
}

/// The sockets in the text of such a table; lines that are none are passed over.
fn parse_sockets(text: &str) -> Vec<Socket> {
    text.lines().filter_map(parse_socket).collect()
}

fn parse_socket(line: &str) -> Option<Socket> {
    let mut fields = line.split_ascii_whitespace();
    let local = fields.nth(1)?;
    let state = fields.nth(1)?;
    let uid = fields.nth(3)?.parse().ok()?;
    let inode = fields.nth(1)?.parse().ok()?;
    let port = u16::from_str_radix(local.rsplit_once(':')?.1, 16).ok()?;
    Some(Socket { port, listens: state == "0A", uid, inode })
}

/// The process that has the socket open.
fn holder(socket: &Socket) -> Holder {
    let target = format!("socket:[{}]", socket.inode);
    let Ok(processes) = fs_err::read_dir("/proc") else { return Holder::User(socket.uid) };
    for process in processes.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if has_open(&process.path(), &target) {
            let name = fs_err::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Holder::Process { pid, name: name.trim_end().into() };
        }
    }
    Holder::User(socket.uid)
}

/// Whether the process of that `/proc` directory has a descriptor to `target`.
fn has_open(process: &Path, target: &str) -> bool {
    let Ok(descriptors) = fs_err::read_dir(process.join("fd")) else { return false };
    let mut links = descriptors.flatten().filter_map(|d| fs_err::read_link(d.path()).ok());
    links.any(|link| link.as_os_str() == target)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::{Holder, Reserved, Socket, Taken, busy, parse_sockets};
    use crate::user::Purpose;
    use xc_topology::address::NodeId;

    #[test]
    fn kernel_tables_are_read() {
        let text = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
             0: 0100007F:2EE1 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 41935 1 0\n\
             1: 00000000000000000000000001000000:2745 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 7 2 0\n\
             nonsense\n";
        let expected = [
            Socket { port: 12001, listens: true, uid: 1000, inode: 41935 },
            Socket { port: 10053, listens: false, uid: 0, inode: 7 },
        ];
        assert_eq!(parse_sockets(text), expected);
    }

    #[test]
    fn taken_port_names_its_holder() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let node = NodeId::new(1).unwrap();
        let taken = busy(&[(port, Purpose::Ssh(node))], &Reserved::new());
        let [Taken { holder: Holder::Process { pid, .. }, .. }] = &taken[..] else {
            panic!("{taken:?}")
        };
        assert_eq!(*pid, std::process::id());
        drop(listener);
        assert_eq!(busy(&[(port, Purpose::Ssh(node))], &Reserved::new()), []);
    }
}
