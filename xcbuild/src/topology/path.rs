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

impl Topology {
    /// The nodes between two nodes, hop by hop, when `to` is asked for at its address of `network`:
    /// for each hop the nodes of which one is passed (several with ECMP). Empty where the two are
    /// neighbours; none where the one doesn't reach the other through nodes of the cluster.
    /// `present` are the nodes that the cluster was started with.
    pub fn way(
        &self,
        present: &BTreeSet<NodeId>,
        from: NodeId,
        to: NodeId,
        network: NetworkId,
    ) -> Option<Vec<BTreeSet<NodeId>>> {
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
            let mut arrived = 0;
            for node in &here {
                let group = self.group_of(*node)?;
                if self.is_in_subnet(group, subnet) {
                    arrived += 1;
                } else {
                    next.extend(self.next_hops(present, group, subnet)?);
                }
            }
            match (arrived, next.is_empty()) {
                (_, true) if arrived == here.len() => return Some(hops),
                // Some arrive and some go on, or all are lost: no way that can be told.
                (1.., _) | (_, true) => return None,
                (0, false) => {}
            }
            hops.push(next.clone());
            here = next;
        }
        None
    }

    fn is_in_subnet(&self, group: &Group, subnet: NetworkId) -> bool {
        let addressing = |id: &NetworkId| self.networks.get(id).map(|network| network.addressing);
        group.networks.iter().any(|id| addressing(id) == Some(Addressing::Subnet(subnet)))
    }

    fn next_hops(
        &self,
        present: &BTreeSet<NodeId>,
        group: &Group,
        subnet: NetworkId,
    ) -> Option<Vec<NodeId>> {
        let main = |route: &&Route| route.leaving_by.is_none();
        let to = |wanted: Destination| {
            group.routes.iter().filter(main).find(move |route| route.to == wanted)
        };
        let route = to(Destination::Network(subnet)).or_else(|| to(Destination::Default))?;
        let Via::Nodes(hops) = &route.via else { return None };
        let live = hops.iter().filter(|hop| !hop.if_present || present.contains(&hop.node));
        Some(live.map(|hop| hop.node).collect())
    }
}
