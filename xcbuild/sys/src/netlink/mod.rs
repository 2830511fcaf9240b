//! Links, addresses and routes, by the kernel's rtnetlink; each call is one request and its answer.
//!
//! A socket belongs to the network namespace in which its thread was when it was opened, and stays
//! there. Only the few requests are here that clusters need: links are made, changed and removed,
//! never listed.
//!
//! By hand on purpose: `rtnetlink` brings an async runtime for what are eight requests; a ninth would
//! be the time to take `netlink-packet-route`.
//!
//! Reference: rtnetlink(7), veth(4); the numbers are of the kernel's uapi headers.

mod message;

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with,
};

use message::{Answer, CREATE, ERROR, Message, answers, link};

/// RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_NEWADDR, RTM_NEWROUTE.
const NEW_LINK: u16 = 16;
const DELETE_LINK: u16 = 17;
const GET_LINK: u16 = 18;
const NEW_ADDRESS: u16 = 20;
const NEW_ROUTE: u16 = 24;

/// IFF_UP.
const UP: u32 = 1;

/// Attributes of links: IFLA_IFNAME, IFLA_MTU, IFLA_MASTER, IFLA_LINKINFO, IFLA_AF_SPEC,
/// IFLA_NET_NS_FD; within them IFLA_INFO_KIND, IFLA_INFO_DATA, VETH_INFO_PEER,
/// IFLA_INET6_ADDR_GEN_MODE.
const NAME: u16 = 3;
const MTU: u16 = 4;
const MASTER: u16 = 10;
const INFO: u16 = 18;
const FAMILIES: u16 = 26;
const NAMESPACE: u16 = 28;
const INFO_KIND: u16 = 1;
const INFO_DATA: u16 = 2;
const PEER: u16 = 1;
const ADDRESS_MODE: u16 = 8;
/// IN6_ADDR_GEN_MODE_NONE: no link-local address.
const MODE_NONE: u8 = 1;

/// Attributes of addresses: IFA_ADDRESS, IFA_LOCAL, IFA_FLAGS; IFA_F_NODAD, without which an IPv6
/// address can't be used for a second or two.
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_FLAGS: u16 = 8;
const NO_DAD: u32 = 2;

/// Attribute of routes: RTA_GATEWAY. Table RT_TABLE_MAIN, protocol RTPROT_STATIC, type RTN_UNICAST.
const GATEWAY: u16 = 5;
const MAIN_TABLE: u8 = 254;
const STATIC: u8 = 4;
const UNICAST: u8 = 1;

/// Enough for any answer that we ask for; a link's is some 2 KiB.
const BUFFER: usize = 32 * 1024;

/// A socket to the kernel, in the namespace in which it was opened.
#[derive(Debug)]
pub struct Netlink {
    socket: OwnedFd,
    sequence: u32,
}

impl Netlink {
    /// Opens a socket in the calling thread's namespace.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn open() -> io::Result<Self> {
        // The protocol NETLINK_ROUTE is number 0.
        let (family, kind) = (AddressFamily::NETLINK, SocketType::RAW);
        let socket = socket_with(family, kind, SocketFlags::CLOEXEC, None)?;
        Ok(Self { socket, sequence: 0 })
    }

    /// Makes a bridge, down.
    ///
    /// # Errors
    /// The kernel's; `AlreadyExists` if a link has the name.
    pub fn add_bridge(&mut self, name: &str) -> io::Result<()> {
        let new = Message::new(NEW_LINK, CREATE, &link(0, 0, 0)).text(NAME, name);
        self.request(new.nested(INFO, &[], |m| m.text(INFO_KIND, "bridge")))
    }

    /// Makes a pair of joined links, down: one here, its peer in another namespace.
    ///
    /// # Errors
    /// The kernel's; `AlreadyExists` if a link has one of the names.
    pub fn add_veth(
        &mut self,
        name: &str,
        peer: &str,
        peer_namespace: BorrowedFd<'_>,
    ) -> io::Result<()> {
        let descriptor = peer_namespace.as_raw_fd().unsigned_abs();
        let new = Message::new(NEW_LINK, CREATE, &link(0, 0, 0)).text(NAME, name);
        let peer = |m: Message| m.text(NAME, peer).number(NAMESPACE, descriptor);
        let data = |m: Message| m.nested(PEER, &link(0, 0, 0), peer);
        self.request(
            new.nested(INFO, &[], |m| m.text(INFO_KIND, "veth").nested(INFO_DATA, &[], data)),
        )
    }

    /// Removes a link; a veth's peer goes with it.
    ///
    /// # Errors
    /// The kernel's; `NotFound` if there is no such link.
    pub fn delete(&mut self, name: &str) -> io::Result<()> {
        self.request(Message::new(DELETE_LINK, 0, &link(0, 0, 0)).text(NAME, name))
    }

    /// Brings a link up.
    ///
    /// # Errors
    /// The kernel's; `NotFound` if there is no such link.
    pub fn up(&mut self, name: &str) -> io::Result<()> {
        self.request(Message::new(NEW_LINK, 0, &link(0, UP, UP)).text(NAME, name))
    }

    /// Sets a link's MTU, in bytes.
    ///
    /// # Errors
    /// The kernel's: each kind of link has its limits.
    pub fn set_mtu(&mut self, name: &str, mtu: u32) -> io::Result<()> {
        self.request(Message::new(NEW_LINK, 0, &link(0, 0, 0)).text(NAME, name).number(MTU, mtu))
    }

    /// Plugs a link into a bridge, which gets no addresses.
    ///
    /// # Errors
    /// The kernel's; `NotFound` if one of them isn't there.
    pub fn plug(&mut self, name: &str, bridge: &str) -> io::Result<()> {
        let bridge = self.index(bridge)?;
        let inet6 = AddressFamily::INET6.as_raw();
        let change = Message::new(NEW_LINK, 0, &link(0, 0, 0)).text(NAME, name);
        let no_address =
            |m: Message| m.nested(inet6, &[], |m| m.attribute(ADDRESS_MODE, &[MODE_NONE]));
        self.request(change.number(MASTER, bridge).nested(FAMILIES, &[], no_address))
    }

    /// Gives a link an address; an IPv6 one is usable at once.
    ///
    /// # Errors
    /// The kernel's; `AlreadyExists` if the link has it.
    pub fn add_address(&mut self, name: &str, address: IpAddr, length: u8) -> io::Result<()> {
        let index = self.index(name)?;
        let mut fixed = vec![family(address), length, 0, 0];
        fixed.extend(index.to_ne_bytes());
        let (new, octets) = (Message::new(NEW_ADDRESS, CREATE, &fixed), octets(address));
        let new = new.attribute(IFA_LOCAL, &octets).attribute(IFA_ADDRESS, &octets);
        self.request(if address.is_ipv6() { new.number(IFA_FLAGS, NO_DAD) } else { new })
    }

    /// Adds the default route of an address family.
    ///
    /// # Errors
    /// The kernel's; `AlreadyExists` if there is one.
    pub fn add_default_route(&mut self, gateway: IpAddr) -> io::Result<()> {
        let mut fixed = vec![family(gateway), 0, 0, 0, MAIN_TABLE, STATIC, 0, UNICAST];
        fixed.extend([0; 4]);
        let new = Message::new(NEW_ROUTE, CREATE, &fixed);
        self.request(new.attribute(GATEWAY, &octets(gateway)))
    }

    /// Whether there is a link of that name.
    ///
    /// # Errors
    /// The kernel's.
    pub fn exists(&mut self, name: &str) -> io::Result<bool> {
        match self.index(name) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            found => found.map(|_| true),
        }
    }

    fn index(&mut self, name: &str) -> io::Result<u32> {
        let get = Message::new(GET_LINK, 0, &link(0, 0, 0)).text(NAME, name);
        let mut index = None;
        self.exchange(get, |answer| {
            if answer.kind == NEW_LINK {
                index = message::number(answer.body, 4);
            }
        })?;
        index.ok_or_else(|| io::Error::other(format!("the kernel does not report `{name}`")))
    }

    fn request(&mut self, request: Message) -> io::Result<()> {
        self.exchange(request, |_| {})
    }

    /// Sends a request, hands over what is answered, and returns with the acknowledgement.
    fn exchange(
        &mut self,
        request: Message,
        mut on_answer: impl FnMut(&Answer<'_>),
    ) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        send(&self.socket, &request.bytes(self.sequence), SendFlags::empty())?;
        let mut buffer = vec![0; BUFFER];
        loop {
            let (_, length) = recv(&self.socket, &mut buffer, RecvFlags::empty())?;
            for answer in answers(&buffer[..length.min(BUFFER)]) {
                if answer.sequence != self.sequence {
                    continue;
                }
                if answer.kind != ERROR {
                    on_answer(&answer);
                    continue;
                }
                return match message::number(answer.body, 0).map(u32::cast_signed) {
                    Some(0) => Ok(()),
                    Some(code) => Err(error(code)),
                    None => Err(io::Error::other("a netlink answer is too short")),
                };
            }
        }
    }
}

/// The socket, for what else belongs to its namespace.
impl AsFd for Netlink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The kernel's negative error number. A missing device is `NotFound`, as a missing file is.
fn error(code: i32) -> io::Error {
    let error = io::Error::from_raw_os_error(code.saturating_neg());
    match Errno::from_io_error(&error) {
        Some(Errno::NODEV) => io::Error::new(io::ErrorKind::NotFound, "no such link"),
        _ => error,
    }
}

fn family(address: IpAddr) -> u8 {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    u8::try_from(family.as_raw()).unwrap_or_default()
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}
