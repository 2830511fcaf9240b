//! One node as a qemu process: its command line, its accelerator, its process and its control.
//!
//! - [`command`] and [`kernel_line`]: pure, from a node to what qemu and its kernel are told.
//! - [`accel`]: whether KVM works on this host, found out and not assumed.
//! - [`version`]: which qemu there is.
//! - [`process`]: a process that is known for certain, also by a later xcbuild.
//! - [`qmp`]: qemu's control socket.
//!
//! Nothing here knows of a cluster: where sockets and logs are, which nodes there are and in which
//! order they start is said by `cluster`, and what carries their networks by `net`.

pub mod accel;
pub mod command;
pub mod kernel_line;
pub mod process;
pub mod qmp;
pub mod usage;
pub mod version;

#[cfg(test)]
pub(crate) mod tests {
    use crate::topology::address::{Mac, NetworkId, NodeId, Prefix, ipv4};
    use crate::topology::{Interface, Node};

    /// A node of the default size on those networks; network 1 has an MTU of its own.
    pub(crate) fn node(number: u8, networks: &[u8]) -> Node {
        let id = NodeId::new(number).unwrap();
        let interface = |&n: &u8| {
            let network = NetworkId(n);
            let mtu = if n == 1 { 1400 } else { 1500 };
            let v4 = ipv4(network, number);
            let v6 = Prefix::default().embed(v4);
            let (ipv4, ipv6) = (Some(v4), Some(v6));
            let impaired = Default::default();
            Interface { network, mac: Mac::of(id, network), ipv4, ipv6, mtu, impaired }
        };
        let interfaces = networks.iter().map(interface).collect();
        Node { id, interfaces, memory_mib: 128, cpus: 2, append: String::new() }
    }
}
