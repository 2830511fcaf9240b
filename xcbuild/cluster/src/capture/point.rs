//! Where a capture sees frames: how that is written and read.

use std::fmt;
use std::str::FromStr;

use xc_topology::address::{AddressError, NetworkId, NodeId};

/// What of a cluster is captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CapturePoint {
    /// All frames of a network.
    Network(NetworkId),
    /// What a node sends to and receives from a network.
    Link(NodeId, NetworkId),
}

/// `1`, or `vm-001:1`, or `1:1`.
impl FromStr for CapturePoint {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        match text.split_once(':') {
            None => Ok(Self::Network(text.parse()?)),
            Some((node, network)) => Ok(Self::Link(node.parse()?, network.parse()?)),
        }
    }
}

/// As it is read.
impl fmt::Display for CapturePoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(network) => write!(f, "network {network}"),
            Self::Link(node, network) => write!(f, "{node}:{network}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::CapturePoint;
    use xc_topology::address::{NetworkId, NodeId};

    #[test]
    fn points_are_networks_and_links() {
        let node = |n| NodeId::new(n).unwrap();
        assert_eq!("1".parse(), Ok(CapturePoint::Network(NetworkId(1))));
        assert_eq!("201:2".parse(), Ok(CapturePoint::Link(node(201), NetworkId(2))));
        assert_eq!("vm-001:0".parse(), Ok(CapturePoint::Link(node(1), NetworkId(0))));
        for bad in ["", "x", "1:", ":1", "300", "241:1", "1:1:1"] {
            assert!(bad.parse::<CapturePoint>().is_err(), "{bad}");
        }
    }
}
