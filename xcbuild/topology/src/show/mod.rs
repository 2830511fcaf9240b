//! Pictures of a topology, as text, Graphviz, Mermaid, JSON and SVG.
//!
//! A [`View`] is what there is to see: networks, nodes, how they are joined, and what is known of
//! their state. Each format is a function from a view to a string. Network 0 joins every node, so
//! text and JSON have it and the drawings leave it out.

use serde::Serialize;

use super::address::{MAINTENANCE, NetworkId, NodeId, Prefix, ipv4};
use super::nodes::{Node, Overrides};
use super::{Addressing, Topology};

mod graph;
mod layout;
mod svg;
mod text;

pub use graph::{dot, mermaid};
pub use svg::svg;
pub use text::text;

/// What there is to see of a topology.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct View {
    /// The topology's name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Its networks in the order of their numbers.
    pub networks: Vec<NetworkView>,
    /// The nodes in the order of their numbers.
    pub nodes: Vec<NodeView>,
}

/// A network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NetworkView {
    /// Its number.
    pub number: u8,
    /// What it is for; may be empty.
    pub description: String,
    /// Its IPv4 subnet; none where nodes have no addresses of the scheme on it.
    pub ipv4: Option<String>,
    /// Its IPv6 subnet, written as users do: the prefix, then the IPv4 one.
    pub ipv6: Option<String>,
    /// MTU in bytes.
    pub mtu: u32,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NodeView {
    /// Its number.
    pub number: u8,
    /// Its host name.
    pub name: String,
    /// `vm`, `router` or `tester`.
    pub role: String,
    /// Whether it is running.
    pub state: State,
    /// Its interfaces in order.
    pub ports: Vec<PortView>,
}

/// An interface of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PortView {
    /// `eth1`.
    pub interface: String,
    /// The network's number.
    pub network: u8,
    /// The Ethernet address.
    pub mac: String,
    /// The IPv4 address, if it has one of its own.
    pub ipv4: Option<String>,
    /// The IPv6 address, if it has one of its own, written as the network's.
    pub ipv6: Option<String>,
    /// Whether the link works.
    pub state: State,
    /// What the link does to packets, in netem's words; empty where it is sound.
    pub impaired: String,
}

/// What is known of a node or a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Nothing, as no cluster was asked.
    Unknown,
    /// It runs.
    Up,
    /// It doesn't.
    Down,
}

impl View {
    /// The view of these nodes, of whose state nothing is known.
    pub fn of(topology: &Topology, nodes: &[Node], overrides: &Overrides) -> Self {
        let network = |known: &super::Network| {
            let scheme = known.addressing == Addressing::Subnet(known.id);
            let base = ipv4(known.id, 0);
            NetworkView {
                number: known.id.0,
                description: known.description.clone(),
                ipv4: scheme.then(|| format!("{base}/24")),
                ipv6: scheme.then(|| format!("{}:{base}/120", overrides.prefix)),
                mtu: overrides.mtu.unwrap_or(known.mtu),
            }
        };
        Self {
            name: topology.name.clone(),
            description: topology.description.clone(),
            networks: topology.networks.values().map(network).collect(),
            nodes: nodes.iter().map(|node| node_view(node, &overrides.prefix)).collect(),
        }
    }

    /// Sets what is known of a node; one that isn't in the view is left out.
    pub fn set_node(&mut self, id: NodeId, state: State) {
        for node in self.nodes.iter_mut().filter(|node| node.number == id.number()) {
            node.state = state;
        }
    }

    /// Sets what is known of a node's link to a network.
    pub fn set_link(&mut self, id: NodeId, network: NetworkId, state: State, impaired: &str) {
        let nodes = self.nodes.iter_mut().filter(|node| node.number == id.number());
        for port in nodes.flat_map(|node| &mut node.ports).filter(|port| port.network == network.0)
        {
            port.state = state;
            port.impaired = impaired.to_string();
        }
    }

    /// The view as JSON, indented.
    ///
    /// # Errors
    /// None that are known: it has no maps with keys that aren't text.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// The networks that drawings show.
    fn drawn(&self) -> impl Iterator<Item = &NetworkView> {
        self.networks.iter().filter(|network| network.number != MAINTENANCE.0)
    }
}

impl NodeView {
    /// The ports that drawings show.
    fn drawn(&self) -> impl Iterator<Item = &PortView> {
        self.ports.iter().filter(|port| port.network != MAINTENANCE.0)
    }
}

fn node_view(node: &Node, prefix: &Prefix) -> NodeView {
    let port = |(i, port): (usize, &super::Interface)| PortView {
        interface: format!("eth{i}"),
        network: port.network.0,
        mac: port.mac.to_string(),
        ipv4: port.ipv4.map(|address| address.to_string()),
        ipv6: port.ipv4.map(|address| format!("{prefix}:{address}")),
        state: State::Unknown,
        impaired: port.impaired.to_string(),
    };
    NodeView {
        number: node.id.number(),
        name: node.id.to_string(),
        role: node.id.role().to_string(),
        state: State::Unknown,
        ports: node.interfaces.iter().enumerate().map(port).collect(),
    }
}

#[cfg(test)]
mod tests;
