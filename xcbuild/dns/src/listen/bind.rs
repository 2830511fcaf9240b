//! Sockets, bound: one for UDP and one for TCP per address.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};

use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};

use crate::error::Error;
use crate::event::Transport;
use crate::port_owner;

/// TCP connections that wait to be accepted.
const BACKLOG: i32 = 128;
/// Room for bursts of datagrams, in bytes; the kernel may grant less.
const RECEIVE_BUFFER: usize = 1 << 20;
/// How often a free port is taken by UDP until TCP gets the same.
const FREE_PORT_TRIES: usize = 16;

/// The two sockets of one address.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) address: SocketAddr,
    pub(crate) udp: UdpSocket,
    pub(crate) tcp: TcpListener,
}

/// Binds `address`. `None` where this machine has no IPv6 and `address` is any or loopback.
pub(crate) fn bind(address: SocketAddr) -> Result<Option<Bound>, Error> {
    match bind_both(address) {
        Ok(bound) => Ok(Some(bound)),
        Err(Error::Listen { source, .. }) if no_ipv6(address, &source) => Ok(None),
        Err(error) => Err(error),
    }
}

fn bind_both(address: SocketAddr) -> Result<Bound, Error> {
    let mut last = Error::NothingToListenOn;
    for _ in 0..FREE_PORT_TRIES {
        let udp = udp(address).map_err(|source| explain(address, Transport::Udp, source))?;
        let bound = udp.local_addr().map_err(|source| explain(address, Transport::Udp, source))?;
        match tcp(bound) {
            Ok(tcp) => return Ok(Bound { address: bound, udp, tcp }),
            Err(source) => last = explain(bound, Transport::Tcp, source),
        }
        if address.port() != 0 {
            break;
        }
    }
    Err(last)
}

fn udp(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = socket(address, Type::DGRAM, Protocol::UDP)?;
    // What the kernel grants is enough; less room only means that bursts are lost sooner.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    match address {
        SocketAddr::V4(_) => setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?,
        SocketAddr::V6(_) => setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?,
    }
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// A socket for connections alone.
pub(crate) fn tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket(address, Type::STREAM, Protocol::TCP)?;
    // Else connections of a server that just stopped keep the port for a minute.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn socket(address: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind.nonblocking(), Some(protocol))?;
    if address.is_ipv6() {
        // IPv4 has a socket of its own; mapped addresses would confuse every log.
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

fn no_ipv6(address: SocketAddr, error: &io::Error) -> bool {
    let general = address.ip().is_unspecified() || address.ip().is_loopback();
    let unsupported = error.raw_os_error() == Some(nix::libc::EAFNOSUPPORT);
    let absent = error.kind() == io::ErrorKind::AddrNotAvailable;
    address.is_ipv6() && general && (unsupported || absent)
}

fn explain(address: SocketAddr, transport: Transport, source: io::Error) -> Error {
    if source.kind() == io::ErrorKind::AddrInUse {
        let owner = port_owner::find(transport, address);
        return Error::PortTaken { address, transport, owner };
    }
    Error::Listen { address, transport, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_names_who_has_it() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        // This process is not named; another that has the socket is.
        let own = bind(address).unwrap_err().to_string();
        let mut other = std::process::Command::new("sleep");
        let mut other = other.arg("60").stdin(std::os::fd::OwnedFd::from(taken)).spawn().unwrap();
        let error = bind(address).unwrap_err().to_string();
        other.kill().unwrap();
        other.wait().unwrap();
        let expected = format!("port {} (tcp) of 127.0.0.1 is taken", address.port());
        assert!(own.starts_with(&format!("{expected}: ")), "{own}");
        assert!(error.starts_with(&format!("{expected} by ")), "{error}");
        assert!(error.contains(&format!("(pid {})", other.id())), "{error}");
    }

    #[test]
    fn an_address_that_nobody_has_is_named() {
        let error = bind("192.0.2.1:0".parse().unwrap()).unwrap_err().to_string();
        assert!(error.contains("192.0.2.1"), "{error}");
        assert!(error.ends_with("(no interface has this address)"), "{error}");
    }

    #[test]
    fn both_sockets_have_the_same_port() {
        let bound = bind("127.0.0.1:0".parse().unwrap()).unwrap().unwrap();
        assert_ne!(bound.address.port(), 0);
        assert_eq!(bound.tcp.local_addr().unwrap(), bound.udp.local_addr().unwrap());
    }
}
