//! Why a server doesn't start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::event::Transport;
use crate::place::ParseError;
use crate::port_owner::Owner;

/// Why a server doesn't start or go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process has the port.
    #[error(
        "port {port} ({transport}) of {address} is taken{by}: stop that server or listen elsewhere",
        port = address.port(),
        address = address.ip(),
        by = owner.as_ref().map(|owner| format!(" by {owner}")).unwrap_or_default()
    )]
    PortTaken {
        /// The address that was to be bound.
        address: SocketAddr,
        /// UDP or TCP.
        transport: Transport,
        /// Who has it, if that can be told.
        owner: Option<Owner>,
    },
    /// A socket can't be made or bound for another reason.
    #[error("can't listen on {address} ({transport}): {source}{}", hint(source))]
    Listen {
        /// The address that was to be bound.
        address: SocketAddr,
        /// UDP or TCP.
        transport: Transport,
        /// What the kernel says.
        source: io::Error,
    },
    /// Nothing to listen on: no address given, or IPv6 only on a machine without it.
    #[error("no address to listen on: give at least one that this machine has")]
    NothingToListenOn,
    /// Queries would come back to us.
    #[error(
        "{0} is this server itself, queries would go in a circle: name another server to forward to"
    )]
    ForwardsToSelf(SocketAddr),
    /// There is nobody to ask.
    #[error("no server to forward to: name one, or put a nameserver line into resolv.conf")]
    NoUpstream,
    /// A file can't be read.
    #[error("can't read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A Corefile or a zone file can't be understood.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// The event loop can't be set up.
    #[error("can't start the DNS server's event loop: {0}")]
    Runtime(#[source] io::Error),
}

/// The way out for the errors that have a usual one.
fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => " (ports below 1024 need root)",
        io::ErrorKind::AddrNotAvailable => " (no interface has this address)",
        _ => "",
    }
}
