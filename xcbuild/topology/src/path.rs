//! Which way packets go from one node to another, by the topology's routes.
//!
//! For checks of running clusters: what `traceroute` sees must be this. It follows the routes as a
//! node's kernel does (the subnet, then a route to the network, then the default route); policy
//! routes are not followed, as they depend on the sender's choice of an interface.

use std::collections::BTreeSet;

use super::address::{NetworkId, NodeId};
use super::route::{Destination, Route, Via};
use super::{Addressing, Group, Topology};

/// Longer ways are circles.
const MOST_HOPS: usize = 16;

/// What the routes make of packets from one node to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// They arrive, by these nodes: for each hop those of which one is passed (several with ECMP).
    /// Empty where the two are neighbours.
    By(Vec<BTreeSet<NodeId>>),
    /// They end where a node has no route for them: the two are kept apart.
    Apart,
    /// That depends on what the topology does not tell.
    Unknown,
}

/// Where a node's routes send packets for a subnet.
enum Next {
    Nodes(Vec<NodeId>),
    Nowhere,
    Host,
}

impl Topology {
    /// The way from a node to the address of another on `network`. `present` are the nodes that the
    /// cluster was started with.
    pub fn way(
        &self,
        present: &BTreeSet<NodeId>,
        from: NodeId,
        to: NodeId,
        network: NetworkId,
    ) -> Way {
        self.follow(present, from, to, network).unwrap_or(Way::Unknown)
    }

    fn follow(
        &self,
        present: &BTreeSet<NodeId>,
        from: NodeId,
        to: NodeId,
        network: NetworkId,
    ) -> Option<Way> {
        let subnet = match self.networks.get(&network)?.addressing {
            Addressing::Subnet(subnet) => subnet,
            Addressing::Template(_) | Addressing::None => return None,
        };
        if !self.is_in_subnet(self.group_of(to)?, subnet) {
            return None;
        }
        let mut hops = Vec::new();
        let mut here = BTreeSet::from([from]);
        while hops.len() < MOST_HOPS {
            let mut next = BTreeSet::new();
            let (mut arrived, mut lost) = (0, 0);
            for node in &here {
                let group = self.group_of(*node)?;
                if self.is_in_subnet(group, subnet) {
                    arrived += 1;
                    continue;
                }
                match self.next(present, group, subnet) {
                    Next::Nodes(nodes) => next.extend(nodes),
                    Next::Nowhere => lost += 1,
                    Next::Host => return None,
                }
            }
            match (arrived, lost, next.is_empty()) {
                (arrived, 0, true) if arrived == here.len() => return Some(Way::By(hops)),
                (0, lost, true) if lost == here.len() => return Some(Way::Apart),
                (0, 0, false) => {}
                // Some arrive and others don't: that depends on the flow.
                _ => return None,
            }
            match next.contains(&to) {
                // The next hop has the address itself, on its other side.
                true if next.len() == 1 => return Some(Way::By(hops)),
                true => return None,
                false => hops.push(next.clone()),
            }
            here = next;
        }
        None
    }

    fn is_in_subnet(&self, group: &Group, subnet: NetworkId) -> bool {
        let addressing = |id: &NetworkId| self.networks.get(id).map(|network| network.addressing);
        group.networks.iter().any(|id| addressing(id) == Some(Addressing::Subnet(subnet)))
    }

    fn next(&self, present: &BTreeSet<NodeId>, group: &Group, subnet: NetworkId) -> Next {
        let main = |route: &&Route| route.leaving_by.is_none();
        let to = |wanted: Destination| {
            group.routes.iter().filter(main).find(move |route| route.to == wanted)
        };
        let route = to(Destination::Network(subnet)).or_else(|| to(Destination::Default));
        let hops = match route.map(|route| &route.via) {
            Some(Via::Nodes(hops)) => hops,
            Some(Via::Host | Via::Itself(_)) => return Next::Host,
            Some(Via::Nothing) | None => return Next::Nowhere,
        };
        let live = hops.iter().filter(|hop| !hop.if_present || present.contains(&hop.node));
        match live.map(|hop| hop.node).collect::<Vec<_>>() {
            // A group without nodes gives no route.
            nodes if nodes.is_empty() => Next::Nowhere,
            nodes => Next::Nodes(nodes),
        }
    }
}
