//! Sockets on which frames are seen: of an interface in the thread's own network namespace, and of a
//! multicast group on the loopback interface.
//!
//! The kernel takes VLAN tags off frames before it shows them, and says in a control message which
//! tag that was; here it is put back.
//!
//! Reference: packet(7), socket(7), recvmsg(2).

mod ancillary;

use std::io;
use std::mem::{size_of_val, zeroed};
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::net::sockopt::{set_ip_add_membership, set_socket_reuseaddr};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};

use ancillary::AncillaryData;

/// How many bytes the kernel keeps for us while we are busy.
const KEPT: libc::c_int = 8 << 20;

/// Where a VLAN tag stands in a frame, behind both addresses, and how long it is.
const TAG_AT: usize = 12;
const TAG: usize = 4;

/// The control messages of a frame, aligned as they are.
#[repr(align(8))]
struct Control([u8; 256]);

/// All frames of an interface.
#[derive(Debug)]
pub struct PacketSocket {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

/// A frame from the kernel.
#[derive(Debug)]
pub struct Packet<'a> {
    /// When the kernel saw it, since 1970.
    pub when: Duration,
    /// How long it is.
    pub length: u32,
    /// Its first bytes.
    pub bytes: &'a [u8],
}

impl PacketSocket {
    /// Opens an interface, which then shows also frames that are for others.
    ///
    /// # Errors
    /// `NotFound` if there is no such interface; `PermissionDenied` without CAP_NET_RAW.
    pub fn open(interface: &str, snaplen: u32) -> io::Result<Self> {
        let socket =
            socket_with(AddressFamily::PACKET, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
        let index = rustix::net::netdevice::name_to_index(&socket, interface)
            .map_err(|_| io::Error::from(io::ErrorKind::NotFound))?;
        let on: libc::c_int = 1;
        set(&socket, libc::SOL_PACKET, libc::PACKET_AUXDATA, &on)?;
        set(&socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, &on)?;
        // Beyond the system's limit if we may, else up to it.
        set(&socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &KEPT)
            .or_else(|_| set(&socket, libc::SOL_SOCKET, libc::SO_RCVBUF, &KEPT))?;
        bind_to(&socket, index)?;
        let member = libc::packet_mreq {
            mr_ifindex: index as libc::c_int,
            mr_type: libc::PACKET_MR_PROMISC as libc::c_ushort,
            mr_alen: 0,
            mr_address: [0; 8],
        };
        set(&socket, libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &member)?;
        Ok(Self { socket, buffer: vec![0; snaplen as usize + TAG] })
    }

    /// The next frame.
    ///
    /// # Errors
    /// What the kernel gives: the interface has gone, above all.
    pub fn receive(&mut self) -> io::Result<Packet<'_>> {
        let (length, ancillary) = receive(&self.socket, &mut self.buffer[TAG..])?;
        let here = length.min(self.buffer.len() - TAG);
        let mut start = TAG;
        if let Some((kind, tag)) = ancillary.tag.filter(|_| here >= TAG_AT) {
            self.buffer.copy_within(TAG..TAG + TAG_AT, 0);
            self.buffer[TAG_AT..TAG_AT + 2].copy_from_slice(&kind.to_be_bytes());
            self.buffer[TAG_AT + 2..TAG_AT + TAG].copy_from_slice(&tag.to_be_bytes());
            start = 0;
        }
        let bytes = &self.buffer[start..TAG + here];
        let length = u32::try_from(length + TAG - start).unwrap_or(u32::MAX);
        Ok(Packet { when: ancillary.when, length, bytes })
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// A socket that receives a multicast group on the loopback interface, as others may at the same
/// time.
///
/// # Errors
/// What the kernel refuses.
pub fn loopback_group(group: Ipv4Addr, port: u16) -> io::Result<UdpSocket> {
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    set_socket_reuseaddr(&socket, true)?;
    set(&socket, libc::SOL_SOCKET, libc::SO_RCVBUF, &KEPT)?;
    bind(&socket, &SocketAddrV4::new(group, port))?;
    set_ip_add_membership(&socket, &group, &Ipv4Addr::LOCALHOST)?;
    Ok(socket.into())
}

#[allow(unsafe_code)]
fn set<T>(socket: &OwnedFd, level: libc::c_int, name: libc::c_int, value: &T) -> io::Result<()> {
    // SAFETY: the pointer and the length are those of a value that outlives the call.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            std::ptr::from_ref(value).cast(),
            size_of_val(value) as u32,
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Has the socket show all frames of an interface, and of no other.
#[allow(unsafe_code)]
fn bind_to(socket: &OwnedFd, index: u32) -> io::Result<()> {
    // SAFETY: all zeros are a valid sockaddr_ll, which is plain numbers.
    let mut address: libc::sockaddr_ll = unsafe { zeroed() };
    address.sll_family = libc::AF_PACKET as libc::c_ushort;
    address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
    address.sll_ifindex = index as libc::c_int;
    // SAFETY: the pointer and the length are those of an address that outlives the call.
    let done = unsafe {
        let pointer = std::ptr::from_ref(&address).cast();
        libc::bind(socket.as_raw_fd(), pointer, size_of_val(&address) as u32)
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The next frame: its whole length, its first bytes in the buffer, and what the kernel says of it.
#[allow(unsafe_code)]
fn receive(socket: &OwnedFd, buffer: &mut [u8]) -> io::Result<(usize, AncillaryData)> {
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let mut control = Control([0; 256]);
    // SAFETY: all zeros are a valid msghdr: no address, nothing to fill.
    let mut message: libc::msghdr = unsafe { zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.0.as_mut_ptr().cast();
    message.msg_controllen = control.0.len();
    let length = loop {
        // SAFETY: the message's pointers are to values that live until the end of this function.
        let got = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_TRUNC) };
        match usize::try_from(got) {
            Ok(length) => break length,
            Err(_) => match io::Error::last_os_error() {
                e if e.kind() == io::ErrorKind::Interrupted => {}
                e => return Err(e),
            },
        }
    };
    let filled = control.0.get(..message.msg_controllen).unwrap_or_default();
    Ok((length, AncillaryData::parse(filled)))
}
