//! Who has a port, as far as `/proc` tells.
//!
//! `/proc/net/{udp,udp6,tcp,tcp6}` give the inode of each bound socket, `/proc/PID/fd/*` link to
//! `socket:[INODE]`. Other users' processes can't be looked into without root, and processes of
//! other PID namespaces aren't there: then there is just no owner to name.

use std::fmt::{self, Display};
use std::fs;
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

/// The process that has `port` bound on any address.
pub(crate) fn find(transport: Transport, port: u16) -> Option<Owner> {
    let tables = match transport {
        Transport::Udp => ["/proc/net/udp", "/proc/net/udp6"],
        Transport::Tcp => ["/proc/net/tcp", "/proc/net/tcp6"],
    };
    let inodes: Vec<String> = tables
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| inodes(&table, transport, port))
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    fs::read_dir("/proc").ok()?.flatten().find_map(|process| {
        let pid = process.file_name().to_str()?.parse().ok()?;
        has_socket(&process.path(), &inodes).then(|| Owner { pid, name: name(&process.path()) })
    })
}

/// The inodes in one table of `/proc/net` with this local port, listening ones for TCP.
fn inodes(table: &str, transport: Transport, port: u16) -> Vec<String> {
    let port = format!(":{port:04X}");
    let matching = table.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
        let bound = transport == Transport::Udp || *state == TCP_LISTEN;
        (bound && local.ends_with(&port)).then(|| inode.to_string())
    });
    matching.collect()
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
        for (transport, port, expected) in [
            (Transport::Tcp, 10045, vec!["111"]),
            (Transport::Udp, 10045, vec!["111", "222"]),
            (Transport::Tcp, 53, vec!["333"]),
            (Transport::Tcp, 54, vec![]),
        ] {
            assert_eq!(inodes(table, transport, port), expected, "{transport} {port}");
        }
    }

    #[test]
    fn our_own_socket_is_found() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let owner = find(Transport::Udp, socket.local_addr().unwrap().port()).unwrap();
        assert_eq!(owner.pid, std::process::id());
    }
}
