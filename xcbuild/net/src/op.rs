//! What is done to a network namespace, as data: a plan is a list of these, and shows as text.
//!
//! The texts are those of the programs that a person would use (`ip`, `sysctl`, `nft`), so that a
//! plan can be read, and compared in tests. [`super::apply`] carries them out.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// Makes a bridge.
    Bridge {
        /// Its name.
        name: String,
    },
    /// Makes a tap that lasts until it is removed.
    Tap {
        /// Its name.
        name: String,
        /// The id of the user who may open it.
        owner: u32,
        /// Whether it has several queues, each with a file descriptor of its own.
        #[serde(default)]
        multi_queue: bool,
    },
    /// Sets a link's MTU.
    Mtu {
        /// The link.
        link: String,
        /// In bytes.
        mtu: u32,
    },
    /// Plugs a link into a bridge.
    Plug {
        /// The link.
        link: String,
        /// The bridge.
        bridge: String,
    },
    /// Gives a link an address.
    Address {
        /// The link.
        link: String,
        /// The address.
        address: IpAddr,
        /// How many bits of it are the network's.
        length: u8,
    },
    /// Brings a link up.
    Up {
        /// The link.
        link: String,
    },
    /// Adds the default route of the gateway's address family.
    DefaultRoute {
        /// The gateway.
        via: IpAddr,
    },
    /// Writes a kernel setting.
    Sysctl {
        /// Its path below `/proc/sys`.
        key: String,
        /// The value.
        value: String,
    },
    /// Loads an nftables table of our own.
    Table {
        /// Its name, of the family `inet`.
        name: String,
        /// What is between its braces.
        rules: String,
    },
}

/// What reverts a step. Undoing what isn't there is not an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Undo {
    /// Removes a link, and with it its addresses and routes.
    Link(String),
    /// Removes a table of the family `inet`.
    Table(String),
    /// Writes a kernel setting, if it is there and has another value.
    Sysctl(String, String),
}

impl Op {
    /// A step that brings up a link.
    pub fn up(link: &str) -> Self {
        Self::Up { link: link.into() }
    }

    /// A step that gives a link an address.
    pub fn address(link: &str, address: impl Into<IpAddr>, length: u8) -> Self {
        Self::Address { link: link.into(), address: address.into(), length }
    }

    /// A step that writes a kernel setting.
    pub fn sysctl(key: &str, value: &str) -> Self {
        Self::Sysctl { key: key.into(), value: value.into() }
    }

    /// What reverts the step; nothing for what goes with a link.
    pub fn undo(&self) -> Option<Undo> {
        match self {
            Self::Bridge { name } | Self::Tap { name, .. } => Some(Undo::Link(name.clone())),
            Self::Table { name, .. } => Some(Undo::Table(name.clone())),
            _ => None,
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bridge { name } => write!(f, "ip link add {name} type bridge"),
            Self::Tap { name, owner, multi_queue } => {
                let queues = if *multi_queue { " multi_queue" } else { "" };
                write!(f, "ip tuntap add {name} mode tap user {owner}{queues}")
            }
            Self::Mtu { link, mtu } => write!(f, "ip link set {link} mtu {mtu}"),
            Self::Plug { link, bridge } => {
                write!(f, "ip link set {link} addrgenmode none master {bridge}")
            }
            Self::Address { link, address, length } => {
                write!(f, "ip address add {address}/{length} dev {link}")
            }
            Self::Up { link } => write!(f, "ip link set {link} up"),
            Self::DefaultRoute { via } => write!(f, "ip route add default via {via}"),
            Self::Sysctl { key, value } => write!(f, "sysctl -w {key}={value}"),
            Self::Table { name, rules } => write!(f, "nft table inet {name} {{\n{rules}}}"),
        }
    }
}

/// A plan as text, a step a line.
pub fn text(ops: &[Op]) -> String {
    ops.iter().map(|op| format!("{op}\n")).collect()
}
