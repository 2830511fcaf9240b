//! Which ports of the host are taken, and by whom.
//!
//! A port is tried by binding it, which is the only true answer; who holds it is then read from
//! `/proc/net/{tcp,tcp6,udp,udp6}` (socket inode by local port) and `/proc/*/fd` (process by
//! inode). Another user's processes can't be read: the holder is then unknown but for the user.
//! A port may still be taken between this look and qemu's start; qemu then says so itself.
//!
//! Reference: proc_pid_net(5); the state `0A` is TCP_LISTEN.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use super::user::{Purpose, SLOTS, UserNet};
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

/// Ports that are not free; the message names each, its holder and what
/// to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct PortsTaken(pub Vec<Taken>);

impl fmt::Display for PortsTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, Taken { port, purpose, holder }) in self.0.iter().take(5).enumerate() {
            let start = if i == 0 { "" } else { "; " };
            write!(
                f,
                "{start}port {port} on 127.0.0.1, wanted for {purpose}, is taken by {holder}"
            )?;
        }
        if self.0.len() > 5 {
            write!(f, "; and {} more ports", self.0.len() - 5)?;
        }
        let other = match self.variables().as_slice() {
            [] => String::new(),
            names => format!(", choose other ports by {}", names.join(" and ")),
        };
        write!(
            f,
            ". Stop that program{other}, or use a cluster name of its own (--cluster NAME), which takes free ports"
        )
    }
}

impl PortsTaken {
    /// The variables that choose other ports in place of these, each once.
    fn variables(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.0.iter().filter_map(|t| t.purpose.variable()).collect();
        let mut seen = BTreeSet::new();
        names.retain(|name| seen.insert(*name));
        names
    }
}

/// Which ports a cluster takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Policy {
    /// Those it was given; scripts rely on them, so one that is taken is an error.
    #[default]
    Given,
    /// Those of the first slot in which all are free.
    FirstFree,
    /// As [`Self::FirstFree`], but from slot 1 on: slot 0 has the ports of the cluster without a
    /// name, which scripts rely on, and which may be started later.
    AvoidDefault,
}

impl Policy {
    /// The slots that are tried.
    fn slots(self) -> std::ops::Range<u16> {
        match self {
            Self::Given => 0..1,
            Self::FirstFree => 0..SLOTS,
            Self::AvoidDefault => 1..SLOTS,
        }
    }
}

/// Ports that are promised to clusters of this user which may not have bound them yet, with the
/// cluster's name.
pub type Reserved = BTreeMap<u16, String>;

/// Chooses a cluster's TCP ports. The multicast port is where a search for a free one begins, see
/// [`super::multicast`]: nothing but the cluster's own nodes relies on it.
///
/// # Errors
/// [`PortsTaken`] for the given ports, or for those of the last slot if no slot is free.
pub fn choose(
    given: &UserNet,
    policy: Policy,
    nodes: &[NodeId],
    with_dns: bool,
    reserved: &Reserved,
) -> Result<UserNet, PortsTaken> {
    let mut taken = Ok(());
    for slot in policy.slots() {
        let net = given.in_slot(slot);
        let wanted = wanted(&net, nodes, with_dns);
        taken = check_tcp(&wanted, reserved);
        if taken.is_ok() {
            return Ok(net);
        }
    }
    taken.map(|()| given.clone())
}

/// Looks whether nodes that join a cluster get their ports.
///
/// # Errors
/// [`PortsTaken`] for those that are taken.
pub fn check(net: &UserNet, nodes: &[NodeId], reserved: &Reserved) -> Result<(), PortsTaken> {
    check_tcp(&wanted(net, nodes, false), reserved)
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

/// Tries each TCP port on 127.0.0.1.
///
/// # Errors
/// [`PortsTaken`] with all ports that can't be bound and their holders.
fn check_tcp(wanted: &[(u16, Purpose)], reserved: &Reserved) -> Result<(), PortsTaken> {
    let is_free = |port| !reserved.contains_key(&port) && tcp_is_free(port);
    let busy: Vec<_> = wanted.iter().filter(|(port, _)| !is_free(*port)).collect();
    if busy.is_empty() {
        return Ok(());
    }
    let sockets = read_sockets(&["tcp", "tcp6"]);
    let taken = |&&(port, purpose): &&(u16, Purpose)| {
        let cluster = reserved.get(&port).map(|name| Holder::Cluster(name.clone()));
        let process = || sockets.iter().find(|s| s.port == port && s.listens).map(holder);
        Taken { port, purpose, holder: cluster.or_else(process).unwrap_or(Holder::Unknown) }
    };
    Err(PortsTaken(busy.iter().map(taken).collect()))
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

    use insta::assert_snapshot;

    use super::{
        Holder, Policy, PortsTaken, Reserved, Socket, Taken, check_tcp, choose, parse_sockets,
    };
    use crate::user::{Purpose, UserNet};
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
        let error = check_tcp(&[(port, Purpose::Ssh(node))], &Reserved::new()).unwrap_err();
        let [Taken { holder: Holder::Process { pid, .. }, .. }] = &error.0[..] else {
            panic!("{error:?}")
        };
        assert_eq!(*pid, std::process::id());
        drop(listener);
        assert_eq!(check_tcp(&[(port, Purpose::Ssh(node))], &Reserved::new()), Ok(()));
    }

    #[test]
    fn slots_of_each_policy() {
        let rows = [
            (Policy::Given, true, 1),
            (Policy::FirstFree, true, super::SLOTS),
            (Policy::AvoidDefault, false, super::SLOTS),
        ];
        for (policy, first, end) in rows {
            assert_eq!(policy.slots().contains(&0), first, "{policy:?}");
            assert_eq!(policy.slots().end, end, "{policy:?}");
        }
        let (given, node) = (UserNet::default(), NodeId::new(1).unwrap());
        let named = choose(&given, Policy::AvoidDefault, &[node], true, &Reserved::new()).unwrap();
        assert_ne!(named.ssh_port(node), given.ssh_port(node));
    }

    #[test]
    fn second_cluster_gets_ports_of_its_own() {
        let nodes = [NodeId::new(1).unwrap()];
        let first = choose(&UserNet::default(), Policy::FirstFree, &nodes, true, &Reserved::new());
        let first = first.unwrap();
        let reserved = Reserved::from([(first.ssh_port(nodes[0]), "one".to_owned())]);
        let error = choose(&first, Policy::Given, &nodes, true, &reserved).unwrap_err();
        assert_eq!(error.0[0].holder, Holder::Cluster("one".into()));
        let second =
            choose(&UserNet::default(), Policy::FirstFree, &nodes, true, &reserved).unwrap();
        assert_ne!(second.ssh_port(nodes[0]), first.ssh_port(nodes[0]));
        assert_ne!(second.mcast_port, first.mcast_port);
    }

    #[test]
    fn message_has_port_purpose_holder_and_remedy() {
        let node = NodeId::new(201).unwrap();
        let holder = Holder::Process { pid: 42, name: "sshd".into() };
        let error = PortsTaken(vec![
            Taken { port: 12501, purpose: Purpose::Ssh(node), holder },
            Taken { port: 10053, purpose: Purpose::Dns, holder: Holder::User(1000) },
        ]);
        assert_snapshot!(error, @"port 12501 on 127.0.0.1, wanted for ssh to vm-201, is taken by sshd (process 42); port 10053 on 127.0.0.1, wanted for the DNS proxy, is taken by a process of user id 1000. Stop that program, choose other ports by XCLUSTER_SSH_BASE and XCLUSTER_DNS_PORT, or use a cluster name of its own (--cluster NAME), which takes free ports");
    }

    #[test]
    fn remedy_names_the_variable_of_each_purpose() {
        let node = NodeId::new(1).unwrap();
        let rows = [
            (vec![Purpose::Telnet(node)], "choose other ports by XCLUSTER_TELNET_BASE,"),
            (vec![Purpose::K8s(node)], "choose other ports by XCLUSTER_K8S_PORT,"),
            (vec![Purpose::Dns], "choose other ports by XCLUSTER_DNS_PORT,"),
            (vec![Purpose::Ssh(node); 3], "choose other ports by XCLUSTER_SSH_BASE,"),
            (vec![Purpose::Api(node)], "Stop that program, or use"),
        ];
        for (purposes, remedy) in rows {
            let taken = |purpose| Taken { port: 1, purpose, holder: Holder::Unknown };
            let message = PortsTaken(purposes.into_iter().map(taken).collect()).to_string();
            assert!(message.contains(remedy), "{message}");
        }
    }
}
