//! How places of captures are written and read.

use std::fmt;
use std::str::FromStr;

use xc_topology::address::{AddressError, NetworkId, NodeId};

/// A place to capture at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// All frames of a network.
    Network(NetworkId),
    /// What a node sends to and receives from a network.
    Link(NodeId, NetworkId),
}

/// `1`, or `vm-001:1`, or `1:1`.
impl FromStr for Place {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        match text.split_once(':') {
            None => Ok(Self::Network(text.parse()?)),
            Some((node, network)) => Ok(Self::Link(node.parse()?, network.parse()?)),
        }
    }
}

/// As it is read.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(network) => write!(f, "network {network}"),
            Self::Link(node, network) => write!(f, "{node}:{network}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Place;
    use xc_topology::address::{NetworkId, NodeId};

    #[test]
    fn places_are_networks_and_links() {
        let node = |n| NodeId::new(n).unwrap();
        assert_eq!("1".parse(), Ok(Place::Network(NetworkId(1))));
        assert_eq!("201:2".parse(), Ok(Place::Link(node(201), NetworkId(2))));
        assert_eq!("vm-001:0".parse(), Ok(Place::Link(node(1), NetworkId(0))));
        for bad in ["", "x", "1:", ":1", "300", "241:1", "1:1:1"] {
            assert!(bad.parse::<Place>().is_err(), "{bad}");
        }
    }
}
