//! Networks: from the nodes' interfaces to what carries their frames on the host.
//!
//! One topology, several kinds of network that carry it:
//!
//! | kind | network 0 | the others | needs |
//! |---|---|---|---|
//! | [`user`] | qemu's own TCP/IP stack, one per node, with forwarded ports on 127.0.0.1 | multicast groups on the loopback interface | nothing |
//! | netns ([`bridges`] in a [`namespace`]) | a bridge, joined to the host by a veth | bridges | root, once, for `nsadd` |
//! | rootless ([`bridges`] in a [`rootless`] namespace) | a bridge, joined to the world by slirp4netns | bridges | `/dev/net/tun`, user namespaces |
//!
//! This module knows interfaces and qemu's `-netdev` options, not processes. Plans are pure:
//! [`user`], [`bridges`], [`namespace`], [`rootless`], [`forwarding`], made of the steps in [`op`]. What touches
//! the machine is thin: [`ports`] looks which ports are free, [`multicast`] claims one, [`apply`] does steps, [`host`] keeps
//! the namespaces. Who starts qemu is `cluster`, and how its command line is put together is `vm`.

pub mod apply;
pub mod bridges;
pub mod forwarding;
pub mod host;
pub mod multicast;
pub mod namespace;
pub mod op;
pub mod policy;
pub mod ports;
pub mod rootless;
pub mod user;
