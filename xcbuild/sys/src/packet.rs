//! Sockets on which frames are seen: of an interface in the thread's own network namespace, and of a
//! multicast group on the loopback interface.
//!
//! The kernel takes VLAN tags off frames before it shows them, and says in a message beside each
//! which tag that was; here it is put back.
//!
//! Reference: packet(7), socket(7), cmsg(3).

use std::io;
use std::mem::{size_of, size_of_val, zeroed};
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::net::sockopt::{set_ip_add_membership, set_socket_reuseaddr};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};

/// How many bytes the kernel keeps for us while we are busy.
const KEPT: libc::c_int = 8 << 20;

/// Where a VLAN tag stands in a frame, behind both addresses, and how long it is.
const TAG_AT: usize = 12;
const TAG: usize = 4;

/// The tag's type where the kernel names none.
const VLAN: u16 = 0x8100;

/// All frames of an interface.
#[derive(Debug)]
pub struct PacketSocket {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

/// A frame from the kernel.
#[derive(Debug)]
pub struct Seen<'a> {
    /// When the kernel saw it, since 1970.
    pub when: Duration,
    /// How long it is.
    pub length: u32,
    /// Its first bytes.
    pub bytes: &'a [u8],
}

/// What the kernel says beside a frame.
#[derive(Default)]
struct Beside {
    when: Duration,
    tag: Option<(u16, u16)>,
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
    pub fn receive(&mut self) -> io::Result<Seen<'_>> {
        let (length, beside) = receive(&self.socket, &mut self.buffer[TAG..])?;
        let here = length.min(self.buffer.len() - TAG);
        let mut start = TAG;
        if let Some((kind, tag)) = beside.tag.filter(|_| here >= TAG_AT) {
            self.buffer.copy_within(TAG..TAG + TAG_AT, 0);
            self.buffer[TAG_AT..TAG_AT + 2].copy_from_slice(&kind.to_be_bytes());
            self.buffer[TAG_AT + 2..TAG_AT + TAG].copy_from_slice(&tag.to_be_bytes());
            start = 0;
        }
        let bytes = &self.buffer[start..TAG + here];
        let length = u32::try_from(length + TAG - start).unwrap_or(u32::MAX);
        Ok(Seen { when: beside.when, length, bytes })
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// A socket that hears a multicast group on the loopback interface, beside others that do.
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
        let pointer = std::ptr::from_ref(value).cast();
        libc::setsockopt(socket.as_raw_fd(), level, name, pointer, size_of_val(value) as u32)
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

/// The next frame: its whole length, its first bytes in the buffer, and what is said beside it.
#[allow(unsafe_code)]
fn receive(socket: &OwnedFd, buffer: &mut [u8]) -> io::Result<(usize, Beside)> {
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // Numbers of 64 bits, so that it is aligned as the messages are.
    let mut control = [0_u64; 32];
    // SAFETY: all zeros are a valid msghdr: no address, nothing to fill.
    let mut message: libc::msghdr = unsafe { zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control);
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
    Ok((length, beside(&message)))
}

#[allow(unsafe_code)]
fn beside(message: &libc::msghdr) -> Beside {
    let mut beside = Beside::default();
    // SAFETY: the kernel has filled the control buffer and set its length; CMSG_FIRSTHDR and
    // CMSG_NXTHDR stay within it. The data are read where they may be unaligned, and only if the
    // message is as long as they are.
    unsafe {
        let mut next = libc::CMSG_FIRSTHDR(message);
        while let Some(header) = next.as_ref() {
            let data = libc::CMSG_DATA(header);
            let has = |size: usize| header.cmsg_len >= libc::CMSG_LEN(size as u32) as usize;
            match (header.cmsg_level, header.cmsg_type) {
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) if has(size_of::<libc::timespec>()) => {
                    let time = data.cast::<libc::timespec>().read_unaligned();
                    beside.when = Duration::new(time.tv_sec as u64, time.tv_nsec as u32);
                }
                (libc::SOL_PACKET, libc::PACKET_AUXDATA)
                    if has(size_of::<libc::tpacket_auxdata>()) =>
                {
                    let aux = data.cast::<libc::tpacket_auxdata>().read_unaligned();
                    beside.tag = tag(&aux);
                }
                _ => {}
            }
            next = libc::CMSG_NXTHDR(message, header);
        }
    }
    beside
}

/// Type and value of the VLAN tag that was taken off.
fn tag(aux: &libc::tpacket_auxdata) -> Option<(u16, u16)> {
    if aux.tp_status & libc::TP_STATUS_VLAN_VALID == 0 {
        return None;
    }
    let named = aux.tp_status & libc::TP_STATUS_VLAN_TPID_VALID != 0;
    Some((if named { aux.tp_vlan_tpid } else { VLAN }, aux.tp_vlan_tci))
}
