//! Who has a port, as far as `/proc` tells.
//!
//! `/proc/net/{udp,udp6,tcp,tcp6}` give the inode of each bound socket, `/proc/PID/fd/*` link to
//! `socket:[INODE]`. Other users' processes can't be looked into without root, and processes of
//! other PID namespaces aren't there: then there is just no owner to name.

use std::fmt::{self, Display};
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use crate::event::Transport;

/// A process that has a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Its id.
    pub pid: u32,
    /// Its short name (`comm`).
    pub name: String,
}

impl Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {})", self.name, self.pid)
    }
}

/// The state of a listening TCP socket in `/proc/net/tcp`.
const TCP_LISTEN: &str = "0A";

/// The process that keeps `address` from being bound. Never this one: what it has bound itself is
/// not in its way, and it would be no help to name it.
pub(crate) fn find(transport: Transport, address: SocketAddr) -> Option<Owner> {
    let tables = match transport {
        Transport::Udp => ["/proc/net/udp", "/proc/net/udp6"],
        Transport::Tcp => ["/proc/net/tcp", "/proc/net/tcp6"],
    };
    let inodes: Vec<String> = tables
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| inodes(&table, transport, address))
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    let own = std::process::id();
    fs::read_dir("/proc").ok()?.flatten().find_map(|process| {
        let pid = process.file_name().to_str()?.parse().ok().filter(|pid| *pid != own)?;
        has_socket(&process.path(), &inodes).then(|| Owner { pid, name: name(&process.path()) })
    })
}

/// The inodes in one table of `/proc/net` of sockets that conflict with this address, listening ones
/// for TCP.
fn inodes(table: &str, transport: Transport, address: SocketAddr) -> Vec<String> {
    let matching = table.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
        let bound = transport == Transport::Udp || *state == TCP_LISTEN;
        (bound && conflicts(local_address(local)?, address)).then(|| inode.to_string())
    });
    matching.collect()
}

/// `ADDRESS:PORT` in hexadecimal, the address as the machine's own words.
fn local_address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| -> Option<[u8; 4]> {
        Some(u32::from_str_radix(address.get(at..at + 8)?, 16).ok()?.to_ne_bytes())
    };
    let ip: IpAddr = match address.len() {
        8 => word(0)?.into(),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            <[u8; 16]>::try_from(words.as_flattened()).ok()?.into()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// Whether a socket bound to `bound` keeps `wanted` from being bound. `::` may have been bound for
/// IPv4 as well.
fn conflicts(bound: SocketAddr, wanted: SocketAddr) -> bool {
    let (bound_ip, wanted_ip) = (bound.ip().to_canonical(), wanted.ip());
    let same_family = bound_ip.is_ipv4() == wanted_ip.is_ipv4();
    let any = bound_ip.is_unspecified() && (same_family || bound_ip.is_ipv6())
        || wanted_ip.is_unspecified() && same_family;
    bound.port() == wanted.port() && (any || bound_ip == wanted_ip)
}

fn has_socket(process: &Path, sockets: &[String]) -> bool {
    let Ok(files) = fs::read_dir(process.join("fd")) else {
        return false;
    };
    files.flatten().filter_map(|file| fs::read_link(file.path()).ok()).any(|target| {
        target.to_str().is_some_and(|target| sockets.iter().any(|socket| socket == target))
    })
}

fn name(process: &Path) -> String {
    let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
    name.trim_end().chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;
    use std::process::Command;

    use super::*;

    #[test]
    fn the_table_is_searched_for_port_and_state() {
        let table = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:273D 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1
   1: 0100007F:273D 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 222 1
   2: 0100007F:0035 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 333 1
  cut off
";
        for (transport, address, expected) in [
            (Transport::Tcp, "127.0.0.1:10045", vec!["111"]),
            (Transport::Udp, "127.0.0.1:10045", vec!["111", "222"]),
            (Transport::Tcp, "0.0.0.0:10045", vec!["111"]),
            (Transport::Tcp, "127.0.0.2:10045", vec![]),
            (Transport::Tcp, "[::1]:10045", vec![]),
            (Transport::Tcp, "127.0.0.1:53", vec!["333"]),
            (Transport::Tcp, "127.0.0.1:54", vec![]),
        ] {
            let found = inodes(table, transport, address.parse().unwrap());
            assert_eq!(found, expected, "{transport} {address}");
        }
    }

    #[test]
    fn addresses_of_the_table_are_read() {
        for (text, expected) in [
            ("0100007F:0035", Some("127.0.0.1:53")),
            ("00000000000000000000000001000000:273D", Some("[::1]:10045")),
            ("0000000000000000FFFF00000100007F:0001", Some("[::ffff:127.0.0.1]:1")),
            ("0100007:0035", None),
            ("x", None),
        ] {
            assert_eq!(local_address(text), expected.map(|text| text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn who_is_in_the_way() {
        for (bound, wanted, expected) in [
            ("127.0.0.1:1", "127.0.0.1:1", true),
            ("127.0.0.1:1", "127.0.0.1:2", false),
            ("127.0.0.2:1", "127.0.0.1:1", false),
            ("0.0.0.0:1", "127.0.0.1:1", true),
            ("127.0.0.2:1", "0.0.0.0:1", true),
            ("[::]:1", "127.0.0.1:1", true),
            ("0.0.0.0:1", "[::1]:1", false),
            ("[::ffff:127.0.0.1]:1", "127.0.0.1:1", true),
        ] {
            let [bound_at, at] = [bound, wanted].map(|text| text.parse().unwrap());
            assert_eq!(conflicts(bound_at, at), expected, "{bound} before {wanted}");
        }
    }

    #[test]
    fn another_process_is_found_and_never_this_one() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        assert_eq!(find(Transport::Udp, address), None);
        let mut other = Command::new("sleep")
            .arg("60")
            .stdin(OwnedFd::from(socket.try_clone().unwrap()))
            .spawn()
            .unwrap();
        let owner = find(Transport::Udp, address);
        other.kill().unwrap();
        other.wait().unwrap();
        assert_eq!(owner.unwrap().pid, other.id());
    }
}
