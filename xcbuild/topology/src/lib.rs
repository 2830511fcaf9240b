//! Nodes and networks: who is on what, with which addresses, and what each node sets up.
//!
//! A topology is one TOML file (`ovl/network-topology/topologies/NAME.toml`; its language is in that
//! overlay's README). [`Topology::parse`] reads and checks it; [`Topology::nodes`] says which nodes
//! there are and what they are plugged into; [`render`] says what nodes apply to themselves. All
//! of it is pure: no I/O, no environment, nothing about qemu or bridges of the host.
//!
//! ```text
//! TOML text ── parse ──> Topology ─┬─ nodes ───> Vec<Node>      (for net, vm, cluster)
//! variables ─┘                     ├─ render ──> files by path  (for the overlay builder)
//!                                  └─ show ────> pictures
//! ```

use std::collections::BTreeMap;

pub mod address;
#[cfg(feature = "fixture")]
pub mod fixture;
pub mod group;
pub mod impairment;
pub mod network;
pub mod nodes;
pub mod parse;
pub mod path;
pub mod render;
pub mod route;
pub mod show;

pub use group::Group;
pub use impairment::{Impairment, LinkImpairments, Netem};
pub use network::{Addressing, Network};
pub use nodes::{Interface, Node, NodeError, Overrides};
pub use parse::ParseError;

use address::{NetworkId, NodeId, Role};
use serde::{Deserialize, Serialize};

/// A topology: networks, and groups of nodes on them.
///
/// Conditions on variables have been decided and next hops resolved; what is here holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    /// What `TOPOLOGY` calls it.
    pub name: String,
    /// One sentence on what it is for.
    pub description: String,
    /// How many nodes of each role it needs, unless the user says otherwise.
    pub counts: Counts,
    /// Its networks, network 0 among them.
    pub networks: BTreeMap<NetworkId, Network>,
    /// Its groups in the order of their node numbers; a node is in one at most.
    pub groups: Vec<Group>,
    /// What links do to packets from the start.
    pub impairments: Vec<Impairment>,
}

impl Topology {
    /// The group that a node is in.
    pub fn group_of(&self, node: NodeId) -> Option<&Group> {
        self.groups.iter().find(|group| group.nodes.contains(node))
    }
}

/// How many nodes a cluster has of each role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Cluster nodes, 1–200.
    pub vm: u8,
    /// Routers, 201–220.
    pub routers: u8,
    /// Testers, 221–240.
    pub testers: u8,
}

/// The contract's: 4 nodes, 2 routers, no tester.
impl Default for Counts {
    fn default() -> Self {
        Self { vm: 4, routers: 2, testers: 0 }
    }
}

impl Counts {
    /// How many of each role there are among nodes.
    pub fn among(nodes: impl IntoIterator<Item = NodeId>) -> Self {
        let mut counts = Self { vm: 0, routers: 0, testers: 0 };
        for node in nodes {
            let count = counts.of_mut(node.role());
            *count = count.saturating_add(1);
        }
        counts
    }

    fn of_mut(&mut self, role: Role) -> &mut u8 {
        match role {
            Role::Vm => &mut self.vm,
            Role::Router => &mut self.routers,
            Role::Tester => &mut self.testers,
        }
    }

    /// The count of one role.
    pub fn of(&self, role: Role) -> u8 {
        match role {
            Role::Vm => self.vm,
            Role::Router => self.routers,
            Role::Tester => self.testers,
        }
    }

    /// The numbers of all nodes, in order.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> {
        let counts = *self;
        [Role::Vm, Role::Router, Role::Tester]
            .into_iter()
            .flat_map(move |role| NodeId::of_role(role, counts.of(role)))
    }
}

#[cfg(test)]
mod tests {
    use super::{Counts, NodeId};

    #[test]
    fn nodes_are_counted_by_role() {
        let nodes = [1, 2, 200, 201, 240].map(|n| NodeId::new(n).unwrap());
        assert_eq!(Counts::among(nodes), Counts { vm: 3, routers: 1, testers: 1 });
    }
}
