//! Datagrams in and out, each answered from the address that it came to.
//!
//! A node has several addresses, they come and go while the server runs, and IPv6 ones can't be
//! bound until the kernel has checked that nobody else has them. So the socket is bound to the
//! wildcard, and IP_PKTINFO (IPv6: IPV6_PKTINFO, RFC 3542) tells the address that was asked and
//! sets the one that answers; without that the kernel would take the address of the route back,
//! and the client would drop the answer of a stranger.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::time::Instant;

use nix::libc;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg,
};
use tokio::io::Interest;

use crate::chain::Client;
use crate::event::Transport;
use crate::proxy::{Handled, Proxy};

/// The largest query taken; a longer one is cut off and so malformed.
const MAX_QUERY: usize = 4096;
/// Datagrams handled before other tasks get their turn.
const BURST: usize = 64;

/// The address of ours that a datagram came to.
#[derive(Debug, Clone, Copy)]
enum Local {
    V4(libc::in_pktinfo),
    V6(libc::in6_pktinfo),
    Unknown,
}

/// Answers queries until the future is dropped.
pub(crate) async fn serve(socket: UdpSocket, proxy: Rc<Proxy>) -> io::Result<()> {
    let socket = Rc::new(tokio::net::UdpSocket::from_std(socket)?);
    let mut buffer = vec![0; MAX_QUERY];
    let mut control = nix::cmsg_space!(libc::in6_pktinfo);
    loop {
        socket.readable().await?;
        for _ in 0..BURST {
            let received =
                socket.try_io(Interest::READABLE, || receive(&socket, &mut buffer, &mut control));
            match received {
                Ok((length, from, local)) => {
                    take(&socket, &proxy, buffer.get(..length).unwrap_or_default(), from, local);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // An ICMP error about an earlier answer; the socket goes on.
                Err(_) => {}
            }
        }
        tokio::task::yield_now().await;
    }
}

/// Handles one datagram, at once or in a task of its own.
fn take(
    socket: &Rc<tokio::net::UdpSocket>,
    proxy: &Rc<Proxy>,
    message: &[u8],
    from: SocketAddr,
    local: Local,
) {
    let (transport, asked, size) = (Transport::Udp, Instant::now(), message.len());
    let client = Client { address: from, transport, asked, size };
    match proxy.handle(message, client) {
        Handled::Ignored => {}
        Handled::Answer(answer) => send(socket, &answer, from, local),
        Handled::Later(pending) => {
            let socket = Rc::clone(socket);
            tokio::task::spawn_local(async move {
                send(&socket, &pending.answer().await, from, local);
                drop(pending);
            });
        }
    }
}

/// Sends what the socket takes. An answer that can't be sent is a lost datagram: the client asks
/// again, as it must with UDP.
fn send(socket: &tokio::net::UdpSocket, answer: &[u8], to: SocketAddr, local: Local) {
    let _ = socket.try_io(Interest::WRITABLE, || transmit(socket, answer, to, local));
}

fn receive(
    socket: &tokio::net::UdpSocket,
    buffer: &mut [u8],
    control: &mut [u8],
) -> io::Result<(usize, SocketAddr, Local)> {
    let mut slices = [IoSliceMut::new(buffer)];
    let flags = MsgFlags::empty();
    let message =
        recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut slices, Some(control), flags)?;
    let from = message.address.as_ref().and_then(address);
    let from = from.ok_or_else(|| io::Error::other("a datagram without a sender"))?;
    let local = message.cmsgs()?.find_map(|control| match control {
        ControlMessageOwned::Ipv4PacketInfo(info) => Some(Local::V4(info)),
        ControlMessageOwned::Ipv6PacketInfo(info) => Some(Local::V6(info)),
        _ => None,
    });
    Ok((message.bytes, from, local.unwrap_or(Local::Unknown)))
}

fn transmit(
    socket: &tokio::net::UdpSocket,
    answer: &[u8],
    to: SocketAddr,
    local: Local,
) -> io::Result<()> {
    let (slices, to) = ([IoSlice::new(answer)], SockaddrStorage::from(to));
    let send = |control: &[ControlMessage<'_>]| {
        sendmsg(socket.as_raw_fd(), &slices, control, MsgFlags::empty(), Some(&to))
    };
    match local {
        Local::V4(mut info) => {
            // Only the source address is set; the way back is the routing table's to choose.
            info.ipi_ifindex = 0;
            send(&[ControlMessage::Ipv4PacketInfo(&info)])?
        }
        Local::V6(mut info) => {
            if !is_link_local(&info.ipi6_addr) {
                info.ipi6_ifindex = 0;
            }
            send(&[ControlMessage::Ipv6PacketInfo(&info)])?
        }
        Local::Unknown => send(&[])?,
    };
    Ok(())
}

fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = storage.as_sockaddr_in().map(|v4| SocketAddr::V4((*v4).into()));
    v4.or_else(|| storage.as_sockaddr_in6().map(|v6| SocketAddr::V6((*v6).into())))
}

/// Link-local addresses mean nothing without their interface.
fn is_link_local(address: &libc::in6_addr) -> bool {
    let [first, second, ..] = address.s6_addr;
    first == 0xfe && second & 0xc0 == 0x80
}
