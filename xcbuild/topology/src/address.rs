//! The address scheme: node number and network number give every name and address.
//!
//! Network `N` is `192.168.N.0/24` and `PREFIX:192.168.N.0/120`, where PREFIX is 96 bits long in
//! the manner of RFC 6052 (`1000::1` unless set). Node `i` has host byte `i` on each network, the
//! host itself has 250. The MAC address of node `i` on network `N` is `00:00:00:01:NN:ii`.
//!
//! In saved files numbers are numbers, roles and MAC addresses are text; what is read back is
//! checked like what a user types.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Host byte of the machine that runs the cluster, on every network.
pub const HOST_BYTE: u8 = 250;

/// The maintenance network: `eth0` of every node.
pub const MAINTENANCE: NetworkId = NetworkId(0);

/// Why a name or number of the scheme was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not a node number in 1–240.
    #[error("node `{0}` is not a number from 1 to 240")]
    Node(String),
    /// Not a network number in 0–255.
    #[error("network `{0}` is not a number from 0 to 255")]
    Network(String),
    /// Not the name of a role.
    #[error("`{0}` is no role; roles are vms, routers, testers")]
    Role(String),
    /// Not an Ethernet address.
    #[error("`{0}` is not a MAC address such as 00:00:00:01:00:c9")]
    Mac(String),
    /// Not a /96 IPv6 prefix in the form used here.
    #[error("IPv6 prefix `{0}` does not give an address when `:192.168.0.1` is added to it")]
    Prefix(String),
    /// Not a list of networks.
    #[error("`{0}` is not a list of networks such as 0,1")]
    NetworkList(String),
}

/// What a node does in the cluster; its number decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// 1–200: a cluster node.
    Vm,
    /// 201–220: joins the cluster's networks to the outside ones.
    Router,
    /// 221–240: stands for the outside world.
    Tester,
}

impl Role {
    /// The first node number of the role.
    pub fn first(self) -> u8 {
        match self {
            Role::Vm => 1,
            Role::Router => 201,
            Role::Tester => 221,
        }
    }

    /// How many node numbers the role has.
    pub fn capacity(self) -> u8 {
        match self {
            Role::Vm => 200,
            Role::Router | Role::Tester => 20,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Role::Vm => "vm",
            Role::Router => "router",
            Role::Tester => "tester",
        })
    }
}

/// Accepts `vm` and `vms`, and so on.
impl FromStr for Role {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        match text {
            "vm" | "vms" => Ok(Role::Vm),
            "router" | "routers" => Ok(Role::Router),
            "tester" | "testers" => Ok(Role::Tester),
            _ => Err(AddressError::Role(text.into())),
        }
    }
}

/// A node's number, 1–240.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct NodeId(u8);

impl TryFrom<u8> for NodeId {
    type Error = AddressError;

    fn try_from(number: u8) -> Result<Self, AddressError> {
        Self::new(number).ok_or_else(|| AddressError::Node(number.to_string()))
    }
}

impl From<NodeId> for u8 {
    fn from(node: NodeId) -> Self {
        node.0
    }
}

impl NodeId {
    /// The node of that number, if there can be one.
    pub fn new(number: u8) -> Option<Self> {
        (1..=240).contains(&number).then_some(Self(number))
    }

    /// The number itself, also the node's host byte on every network.
    pub fn number(self) -> u8 {
        self.0
    }

    /// The role that the number stands for.
    pub fn role(self) -> Role {
        match self.0 {
            ..=200 => Role::Vm,
            201..=220 => Role::Router,
            _ => Role::Tester,
        }
    }

    /// The first `count` nodes of a role, in order; `count` is capped at the role's capacity.
    pub fn of_role(role: Role, count: u8) -> impl Iterator<Item = NodeId> {
        (0..count.min(role.capacity())).map(move |i| NodeId(role.first() + i))
    }
}

/// The node's host name, `vm-001`.
impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("vm-{:03}", self.0))
    }
}

/// Accepts `1`, `001` and `vm-001`.
impl FromStr for NodeId {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let digits = text.strip_prefix("vm-").unwrap_or(text);
        let plain = digits.bytes().all(|b| b.is_ascii_digit());
        digits
            .parse()
            .ok()
            .filter(|_| plain)
            .and_then(NodeId::new)
            .ok_or_else(|| AddressError::Node(text.into()))
    }
}

/// A network's number, 0–255: the third byte of its IPv4 subnet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NetworkId(pub u8);

impl fmt::Display for NetworkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for NetworkId {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        text.trim().parse().map(NetworkId).map_err(|_| AddressError::Network(text.into()))
    }
}

/// Parses the contract's list of networks, `0,1,2` (`--nets-vm`, `__nets201`). Network 0 must come
/// first, since it is `eth0` on every node; no network may come twice.
///
/// # Errors
/// [`AddressError`] when a member is no number or the order is not as above.
pub fn parse_networks(text: &str) -> Result<Vec<NetworkId>, AddressError> {
    let nets = text.split(',').map(str::parse).collect::<Result<Vec<NetworkId>, _>>()?;
    let twice = (1..nets.len()).any(|i| nets[..i].contains(&nets[i]));
    if twice || nets.first() != Some(&MAINTENANCE) {
        return Err(AddressError::NetworkList(text.into()));
    }
    Ok(nets)
}

/// An Ethernet address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// The address of a node's interface on a network: `00:00:00:01:NN:ii`.
    pub fn of(node: NodeId, network: NetworkId) -> Self {
        Self([0, 0, 0, 1, network.0, node.0])
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl FromStr for Mac {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let byte = |part: &str| {
            let plain = part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit());
            plain.then(|| u8::from_str_radix(part, 16).ok()).flatten()
        };
        let bytes: Option<Vec<u8>> = text.split(':').map(byte).collect();
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| AddressError::Mac(text.into()))
    }
}

impl TryFrom<String> for Mac {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl From<Mac> for String {
    fn from(mac: Mac) -> Self {
        mac.to_string()
    }
}

/// The 96 bits before the IPv4 address in every IPv6 address of the cluster.
///
/// The contract writes it without its end, `1000::1`, so that `PREFIX:192.168.0.1` is an address:
/// the 96 bits are those of `PREFIX:0.0.0.0`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Prefix {
    text: String,
    bits: u128,
}

impl Prefix {
    /// The contract's prefix, where no other is set.
    pub const DEFAULT: &str = "1000::1";

    /// The prefix in the contract's spelling, `1000::1`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The IPv6 address that stands for an IPv4 address, as in RFC 6052.
    pub fn embed(&self, v4: Ipv4Addr) -> Ipv6Addr {
        Ipv6Addr::from_bits(self.bits | u128::from(v4.to_bits()))
    }
}

impl Default for Prefix {
    fn default() -> Self {
        Self { text: Self::DEFAULT.into(), bits: 0x1000_u128 << 112 | 1 << 32 }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl FromStr for Prefix {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        format!("{text}:0.0.0.0")
            .parse::<Ipv6Addr>()
            .map(|a| Self { text: text.into(), bits: a.to_bits() })
            .map_err(|_| AddressError::Prefix(text.into()))
    }
}

/// The IPv4 address with that host byte on a network; its subnet is a /24.
pub fn ipv4(network: NetworkId, host: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 168, network.0, host)
}

/// The IPv6 address with that host byte on a network; its subnet is a /120.
pub fn ipv6(prefix: &Prefix, network: NetworkId, host: u8) -> Ipv6Addr {
    prefix.embed(ipv4(network, host))
}

#[cfg(test)]
mod tests {
    use super::{Mac, NetworkId, NodeId, Prefix, Role, ipv4, ipv6, parse_networks};

    #[test]
    fn addresses_are_those_of_the_networking_document() {
        let rows = [
            (1, 0, "vm-001", "192.168.0.1", "1000::1:c0a8:1", "00:00:00:01:00:01"),
            (201, 1, "vm-201", "192.168.1.201", "1000::1:c0a8:1c9", "00:00:00:01:01:c9"),
            (221, 2, "vm-221", "192.168.2.221", "1000::1:c0a8:2dd", "00:00:00:01:02:dd"),
        ];
        for (node, net, name, v4, v6, mac) in rows {
            let (node, net) = (NodeId::new(node).unwrap(), NetworkId(net));
            assert_eq!(node.to_string(), name);
            assert_eq!(ipv4(net, node.number()).to_string(), v4);
            assert_eq!(ipv6(&Prefix::default(), net, node.number()).to_string(), v6);
            assert_eq!(Mac::of(node, net).to_string(), mac);
        }
    }

    #[test]
    fn default_prefix_is_the_parsed_one() {
        assert_eq!("1000::1".parse::<Prefix>().unwrap(), Prefix::default());
        assert!("fd00:1:2".parse::<Prefix>().is_err());
        assert!("".parse::<Prefix>().is_err());
    }

    #[test]
    fn node_numbers_have_names_roles_and_limits() {
        for (text, number) in [("1", 1), ("001", 1), ("vm-240", 240)] {
            assert_eq!(text.parse::<NodeId>().unwrap().number(), number);
        }
        for bad in ["0", "241", "", "vm-", "-1", "+1", "x", "1000", "vm-vm-1"] {
            assert!(bad.parse::<NodeId>().is_err(), "{bad}");
        }
        let roles =
            [(200, Role::Vm), (201, Role::Router), (220, Role::Router), (221, Role::Tester)];
        for (number, role) in roles {
            assert_eq!(NodeId::new(number).unwrap().role(), role);
        }
        assert_eq!(NodeId::of_role(Role::Router, 99).count(), 20);
    }

    #[test]
    fn roles_are_named_by_one_or_many() {
        for role in [Role::Vm, Role::Router, Role::Tester] {
            assert_eq!(role.to_string().parse(), Ok(role));
            assert_eq!(format!("{role}s").parse(), Ok(role));
        }
        for bad in ["", "vmsss", "VM", "all", "1"] {
            let error = bad.parse::<Role>().unwrap_err().to_string();
            assert_eq!(error, format!("`{bad}` is no role; roles are vms, routers, testers"));
        }
    }

    /// What is saved is short, the same as before there were types for it, and checked when read.
    #[test]
    fn saved_addresses_are_numbers_and_text() {
        let (node, net) = (NodeId::new(201).unwrap(), NetworkId(1));
        let saved = serde_json::json!([node, net, node.role(), Mac::of(node, net)]);
        assert_eq!(saved.to_string(), r#"[201,1,"router","00:00:00:01:01:c9"]"#);
        let read: (NodeId, NetworkId, Role, Mac) = serde_json::from_value(saved).unwrap();
        assert_eq!(read, (node, net, Role::Router, Mac::of(node, net)));
        let by_node = std::collections::BTreeMap::from([(node, 1)]);
        let text = serde_json::to_string(&by_node).unwrap();
        assert_eq!(text, r#"{"201":1}"#);
        assert_eq!(
            serde_json::from_str::<std::collections::BTreeMap<NodeId, u8>>(&text).unwrap(),
            by_node
        );
        for bad in ["0", "241", "256"] {
            assert!(serde_json::from_str::<NodeId>(bad).is_err(), "{bad}");
        }
        for bad in
            ["", "00:00:00:01:01", "00:00:00:01:01:c9:00", "0:0:0:1:1:c9", "00:00:00:01:01:+9"]
        {
            assert!(bad.parse::<Mac>().is_err(), "{bad}");
        }
    }

    #[test]
    fn network_lists_start_with_maintenance() {
        assert_eq!(parse_networks("0,1").unwrap(), [NetworkId(0), NetworkId(1)]);
        for bad in ["", "1,2", "0,1,1", "0,x", "0,256", "0,,1"] {
            assert!(parse_networks(bad).is_err(), "{bad}");
        }
    }
}
