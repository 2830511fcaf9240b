//! Networks: Ethernets that nodes are plugged into, and where a node's address on one comes from.
//!
//! A network and a subnet are mostly the same thing, network `N` being `192.168.N.0/24`. They part
//! where a node bridges two networks (one subnet on both), and where a network is left to the
//! software under test (no subnet, or one of the user's own).

use std::net::Ipv4Addr;
use std::ops::RangeInclusive;

use super::address::{NetworkId, NodeId, Prefix, ipv4};

/// The Ethernet MTU that a network has unless something else is said, in bytes.
pub const DEFAULT_MTU: u32 = 1500;

/// The Ethernet MTUs that a network can have, in bytes: the least that IPv6 allows (RFC 8200 section
/// 5), the most that a tap of the host takes (65,535 less an Ethernet header).
pub const MTU_LIMITS: RangeInclusive<u32> = 1280..=65_521;

/// One network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Its number; also the bridge's (`xcbrN`) and the fifth byte of every MAC address on it.
    pub id: NetworkId,
    /// What it is for, in a few words; may be empty.
    pub description: String,
    /// Largest packet, in bytes, on host and nodes alike.
    pub mtu: u32,
    /// Where addresses on it come from.
    pub addressing: Addressing,
}

/// Where a node's address on a network comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addressing {
    /// From the subnet of that network: its own, or another's that a node bridges it with.
    Subnet(NetworkId),
    /// From a template that the user set; the interface is up.
    Template(Template),
    /// There is none: the interface is left down.
    None,
}

/// Addresses of the user's own: `net/netbits/hostbits`, for example `169.254.0.0/20/24`.
///
/// The first `netbits` bits are the template's, the network's number stands in the bits from
/// `netbits` to `hostbits`, the node's number in the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Template {
    base: Ipv4Addr,
    netbits: u8,
    hostbits: u8,
}

impl Template {
    /// Parses `net/netbits/hostbits`.
    ///
    /// # Errors
    /// A sentence on what doesn't fit. `hostbits` may be 24 at most: a node's number takes a byte.
    pub fn parse(text: &str) -> Result<Self, String> {
        let form = || format!("`{text}` is not net/netbits/hostbits, such as 169.254.0.0/20/24");
        let parts: Vec<&str> = text.split('/').collect();
        let [net, netbits, hostbits] = parts[..] else { return Err(form()) };
        let base: Ipv4Addr = net.parse().map_err(|_| form())?;
        let netbits: u8 = netbits.parse().map_err(|_| form())?;
        let hostbits: u8 = hostbits.parse().map_err(|_| form())?;
        if netbits >= hostbits || hostbits > 24 {
            return Err(format!(
                "`{text}`: netbits must be less than hostbits, hostbits at most 24"
            ));
        }
        if u64::from(base.to_bits()) & ((1 << (32 - netbits)) - 1) != 0 {
            return Err(format!("`{text}`: {base} has bits set after its first {netbits}"));
        }
        Ok(Self { base, netbits, hostbits })
    }

    /// The subnet that a network gets: its address and the number of bits that are not the node's.
    ///
    /// # Errors
    /// A sentence, when the network's number doesn't fit into the bits from netbits to hostbits.
    pub fn subnet(&self, network: NetworkId) -> Result<(Ipv4Addr, u8), String> {
        let bits = self.hostbits - self.netbits;
        if u32::from(network.0) >> bits != 0 {
            return Err(format!("network {network} doesn't fit into {bits} bits"));
        }
        let net = u32::from(network.0) << (32 - self.hostbits);
        Ok((Ipv4Addr::from_bits(self.base.to_bits() | net), self.hostbits))
    }
}

/// A subnet on a network: what a node's addresses there are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subnet {
    /// The first address; its last byte is 0 and stands for the node's number.
    pub base: Ipv4Addr,
    /// Prefix length of the IPv4 subnet; the IPv6 one has 96 bits more.
    pub bits: u8,
}

impl Subnet {
    /// The subnet `192.168.N.0/24` of a network.
    pub fn of(network: NetworkId) -> Self {
        Self { base: ipv4(network, 0), bits: 24 }
    }

    /// Prefix length of the IPv6 subnet.
    pub fn bits6(&self) -> u8 {
        96 + self.bits
    }

    /// A node's IPv4 address in it.
    pub fn ipv4(&self, node: NodeId) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.base.to_bits() | u32::from(node.number()))
    }

    /// A node's IPv6 address in it.
    pub fn ipv6(&self, prefix: &Prefix, node: NodeId) -> std::net::Ipv6Addr {
        prefix.embed(self.ipv4(node))
    }
}

impl Network {
    /// The subnet whose addresses nodes have on this network, if they have any.
    ///
    /// A template that the network's number doesn't fit is refused when the file is read.
    pub fn subnet(&self) -> Option<Subnet> {
        match self.addressing {
            Addressing::Subnet(network) => Some(Subnet::of(network)),
            Addressing::Template(template) => {
                template.subnet(self.id).ok().map(|(base, bits)| Subnet { base, bits })
            }
            Addressing::None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{NetworkId, NodeId, Subnet, Template};

    #[test]
    fn templates_place_network_and_node() {
        let rows = [
            ("169.254.0.0/20/24", 3, 1, "169.254.3.1", 24),
            ("169.254.0.0/20/24", 5, 202, "169.254.5.202", 24),
            ("10.0.0.0/8/16", 4, 2, "10.4.0.2", 16),
            ("172.16.0.0/12/20", 3, 1, "172.16.48.1", 20),
        ];
        for (text, network, node, address, bits) in rows {
            let (base, length) = Template::parse(text).unwrap().subnet(NetworkId(network)).unwrap();
            let subnet = Subnet { base, bits: length };
            assert_eq!(subnet.ipv4(NodeId::new(node).unwrap()).to_string(), address, "{text}");
            assert_eq!(length, bits, "{text}");
        }
    }

    #[test]
    fn templates_that_cannot_be_are_refused() {
        for bad in ["", "169.254.0.0/20", "169.254.0.0/24/24", "10.0.0.0/8/25", "10.0.1.0/20/24"] {
            assert!(Template::parse(bad).is_err(), "{bad}");
        }
        let narrow = Template::parse("169.254.0.0/22/24").unwrap();
        assert_eq!(narrow.subnet(NetworkId(4)).unwrap_err(), "network 4 doesn't fit into 2 bits");
    }
}
