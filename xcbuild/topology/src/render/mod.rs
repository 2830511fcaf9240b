//! What each node applies to itself: plain files, made when the overlay is built.
//!
//! Nothing here knows a node's number: files are per group, with placeholders that the node's
//! `25topology.rc` fills in with one `sed`. So one ISO serves every count, prefix and MTU.
//!
//! ```text
//! /etc/hosts                        all nodes by name, v4 and v6, with the usual prefix
//! /etc/resolv.conf                  the node's own DNS server
//! /etc/xcluster/topology/name       the topology's name
//!                       /groups     FIRST LAST GROUP NETWORK…: which group a number is in
//!                       /GROUP/ip       lines for `ip -batch`: bridges, links, addresses, routes
//!                             /ip6      lines for `ip -6 -batch`: what doesn't show its family
//!                             /sysctl   forwarding, multipath hash, no duplicate address detection
//!                             /nft      nftables tables of our own: NAT, no echoes on bridges
//!                             /modules  kernel modules needed first; only where there are some
//!                             /ip-N     lines for `ip -batch` of node N, and
//!                             /tc-N     lines for its `tc -batch`; only where links are bad
//! ```
//!
//! | placeholder | stands for |
//! |---|---|
//! | `<node>` | the node's number |
//! | `<prefix>` | the IPv6 prefix, `1000::1` |
//! | `<if3>` | the interface on network 3, found by its MAC address |
//! | `<mtu3:1500>` | `mtu3=` of the kernel command line, else the number given |
//! | `<?202 text>` | `text` where the cluster has node 202; a line that loses all of these goes too |

use std::collections::BTreeMap;

use super::address::{HOST_BYTE, MAINTENANCE, NetworkId, Prefix, ipv4};
use super::group::Group;
use super::{Addressing, Topology};

mod envsettings;
mod hosts;
mod ip;
mod nft;
mod sysctl;
mod tc;

/// Where the files for the nodes' own script are.
pub const DIRECTORY: &str = "etc/xcluster/topology";

/// One file of the layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedFile {
    /// Permission bits.
    pub mode: u32,
    /// The whole content.
    pub content: String,
}

/// The files of a topology by their paths in the node, without a leading slash.
pub fn files(topology: &Topology) -> BTreeMap<String, RenderedFile> {
    let mut files = BTreeMap::from([
        ("etc/hosts".to_string(), hosts::render(topology, &Prefix::default())),
        ("etc/resolv.conf".to_string(), hosts::resolv_conf()),
        (format!("{DIRECTORY}/name"), format!("{}\n", topology.name)),
        (format!("{DIRECTORY}/groups"), groups(topology)),
    ]);
    for group in &topology.groups {
        let path = |name: &str| format!("{DIRECTORY}/{}/{name}", group.name);
        let plain = [
            ("ip", ip::batch(topology, group)),
            ("ip6", ip::rules6(group)),
            ("sysctl", sysctl::render(topology, group)),
            ("nft", nft::render(topology, group)),
            ("modules", modules(group)),
        ];
        let filled = plain.into_iter().filter(|(_, content)| !content.is_empty());
        files.extend(filled.map(|(name, content)| (path(name), content)));
        files.extend(
            tc::render(topology, group).into_iter().map(|(name, text)| (path(&name), text)),
        );
    }
    files.into_iter().map(|(path, content)| (path, RenderedFile { mode: 0o644, content })).collect()
}

/// The hosts file of a topology, with that prefix: all nodes by name, v4 and v6.
pub fn hosts(topology: &Topology, prefix: &Prefix) -> String {
    hosts::render(topology, prefix)
}

/// The settings of a topology for a shell, `TOPOLOGY/Envsettings` in the overlay.
pub fn envsettings(topology: &Topology) -> String {
    envsettings::render(topology)
}

fn groups(topology: &Topology) -> String {
    let mut text = String::new();
    for group in &topology.groups {
        let networks: Vec<String> = group.networks.iter().map(NetworkId::to_string).collect();
        for range in group.nodes.ranges() {
            let (first, last) = (range.start().number(), range.end().number());
            text += &format!("{first} {last} {} {}\n", group.name, networks.join(" "));
        }
    }
    text
}

/// Loaded in one go by modprobe; what the kernel would load by itself takes a process for each.
fn modules(group: &Group) -> String {
    let mut modules = Vec::new();
    if !group.bridges.is_empty() {
        modules.extend(["bridge", "nft_meta_bridge"]);
    }
    if !group.masquerade.is_empty() {
        modules.extend(["nft_chain_nat", "nft_masq"]);
    }
    if modules.is_empty() { String::new() } else { modules.join(" ") + "\n" }
}

/// An interface that has addresses in a node.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Device {
    /// The interface on a network.
    Network(NetworkId),
    /// A bridge.
    Bridge(String),
}

impl std::fmt::Display for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Device::Network(network) => write!(f, "<if{network}>"),
            Device::Bridge(name) => f.write_str(name),
        }
    }
}

/// A subnet as the rendered files write it: its addresses with the placeholders in them.
#[derive(Debug, Clone, Copy)]
struct Written {
    octets: [u8; 3],
    bits: u8,
}

impl Written {
    fn of(subnet: super::network::Subnet) -> Self {
        let [a, b, c, _] = subnet.base.octets();
        Self { octets: [a, b, c], bits: subnet.bits }
    }

    fn host(&self, host: &str) -> String {
        let [a, b, c] = self.octets;
        format!("{a}.{b}.{c}.{host}")
    }

    /// The node's own address.
    fn ipv4(&self) -> String {
        self.host("<node>")
    }

    /// The node's own address.
    fn ipv6(&self) -> String {
        format!("<prefix>:{}", self.ipv4())
    }

    /// The IPv6 subnet in hexadecimal: nft doesn't read addresses that end in an IPv4 one.
    fn ipv6_hex(&self) -> String {
        let [a, b, c] = self.octets;
        format!(
            "<prefix>:{:x}:{:x}/{}",
            u16::from_be_bytes([a, b]),
            u16::from(c) << 8,
            self.bits6()
        )
    }

    fn bits6(&self) -> u8 {
        96 + self.bits
    }
}

/// The subnet of a network, where it has one.
fn written(topology: &Topology, network: NetworkId) -> Option<Written> {
    topology.networks.get(&network)?.subnet().map(Written::of)
}

/// The devices that a group's nodes have addresses on, `eth0` first, each subnet once.
fn addressed(topology: &Topology, group: &Group) -> Vec<(Device, Written)> {
    let mut devices: Vec<(Device, Written)> = Vec::new();
    for network in &group.networks {
        let device = match group.bridge_of(*network) {
            Some(bridge) => Device::Bridge(bridge.name.clone()),
            None => Device::Network(*network),
        };
        if let Some(subnet) = written(topology, *network)
            && !devices.iter().any(|(other, _)| *other == device)
        {
            devices.push((device, subnet));
        }
    }
    devices
}

/// The device on which a group's nodes reach the subnet of a network.
fn device_to(topology: &Topology, group: &Group, subnet: NetworkId) -> Option<Device> {
    let network = group.networks.iter().find(|id| {
        let addressing = topology.networks.get(*id).map(|network| network.addressing);
        addressing == Some(Addressing::Subnet(subnet))
    })?;
    Some(match group.bridge_of(*network) {
        Some(bridge) => Device::Bridge(bridge.name.clone()),
        None => Device::Network(*network),
    })
}

/// The host's IPv4 address on the maintenance network; IPv6 puts the prefix before it.
fn host_address() -> String {
    ipv4(MAINTENANCE, HOST_BYTE).to_string()
}

#[cfg(test)]
mod tests;
