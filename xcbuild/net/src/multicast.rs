//! Which port carries a cluster's multicast groups: one that no other cluster of the machine has.
//!
//! Two clusters on one port would be one network. Nothing keeps a second qemu from binding a group
//! that a first has, of whatever user; so a cluster that starts claims its port by a socket of its
//! own, which only one can bind, until its nodes have bound theirs and are seen in
//! `/proc/net/udp`.

use std::net::{Ipv4Addr, UdpSocket};

use super::ports::{Reserved, udp_sockets};

/// A port that no other cluster takes while this lives.
#[derive(Debug)]
pub struct Claim {
    socket: UdpSocket,
}

impl Claim {
    /// The first port from that one on that is neither taken nor claimed; `None` if there is none.
    pub fn first(from: u16, reserved: &Reserved) -> Option<Self> {
        let mut ports = (from..=u16::MAX).filter(|port| !reserved.contains_key(port));
        ports.find_map(Self::of)
    }

    fn of(port: u16) -> Option<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).ok()?;
        // Ours is the only one: groups are other addresses, which binding does not look at.
        (udp_sockets(port) == 1).then_some(Self { socket })
    }

    /// The port's number.
    pub fn port(&self) -> Option<u16> {
        Some(self.socket.local_addr().ok()?.port())
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, UdpSocket};

    use super::Claim;
    use crate::ports::Reserved;

    #[test]
    fn a_claimed_port_is_not_given_twice() {
        let first = Claim::first(29_000, &Reserved::new()).unwrap();
        let port = first.port().unwrap();
        let second = Claim::first(port, &Reserved::new()).unwrap();
        assert_ne!(second.port(), Some(port));
        drop(first);
        // As qemu does: the group's address, not the interface's.
        let group = UdpSocket::bind((Ipv4Addr::new(224, 0, 0, 251), port)).unwrap();
        assert_ne!(Claim::first(port, &Reserved::new()).unwrap().port(), Some(port));
        drop(group);
        let reserved = Reserved::from([(port, "c".to_owned())]);
        assert_ne!(Claim::first(port, &reserved).unwrap().port(), Some(port));
    }
}
