//! The server's side of UDP and TCP: sockets, and what comes in by them.

mod bind;
mod tcp;
mod udp;

pub(crate) use bind::{Bound, bind, tcp};
pub(crate) use tcp::serve as serve_tcp;
pub(crate) use udp::serve as serve_udp;
