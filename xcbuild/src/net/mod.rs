//! Networks: from the nodes' interfaces to what carries their frames on the host.
//!
//! One topology, several kinds of network that carry it:
//!
//! | kind | network 0 | the others | needs |
//! |---|---|---|---|
//! | [`user`] | qemu's own TCP/IP stack, one per node, with forwarded ports on 127.0.0.1 | multicast groups on the loopback interface | nothing |
//!
//! This module knows interfaces and qemu's `-netdev` options, not processes: [`user`] is pure and
//! tells which ports a cluster will want, [`ports`] looks whether the host has them. Who starts
//! qemu is `cluster`, and how its command line is put together is `vm`.

pub mod ports;
pub mod user;
