//! Routes as a topology means them: v4 and v6 at once, next hops by node, not by address.

use super::address::{NetworkId, NodeId};
use super::group::NodeSet;

/// A route of every node in a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Where to.
    pub to: Destination,
    /// Through what.
    pub via: Via,
    /// A policy route: only for what is sent by the interface of this network, in a table of its
    /// own (`ip rule oif`).
    pub leaving_by: Option<NetworkId>,
}

/// What a route leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// Everything.
    Default,
    /// The subnet of a network.
    Network(NetworkId),
    /// One route to each node of a set, to its address on a network.
    Each(NodeSet, NetworkId),
}

/// What a route goes through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Via {
    /// The machine that runs the cluster, on the maintenance network.
    Host,
    /// Nodes; several are ECMP.
    Nodes(Vec<NextHop>),
    /// The destination node's own address on another network ([`Destination::Each`] only).
    Itself(NetworkId),
    /// Nothing: the destination is kept apart, senders are told that it is unreachable.
    Nothing,
}

/// One next hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextHop {
    /// The node.
    pub node: NodeId,
    /// The network whose subnet its address is taken from.
    pub network: NetworkId,
    /// True for a member of a group: it counts only where the cluster has that node.
    pub if_present: bool,
}
