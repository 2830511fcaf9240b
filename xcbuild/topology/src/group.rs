//! Groups: the nodes that differ by nothing but their number.

use std::fmt;
use std::ops::RangeInclusive;

use super::address::{NetworkId, NodeId, Role};
use super::route::Route;

/// A group of nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name in the file, also the directory of its rendered files.
    pub name: String,
    /// Who is in it; all of one role.
    pub nodes: NodeSet,
    /// Their networks in the order of `eth0`, `eth1`, …; network 0 is the first.
    pub networks: Vec<NetworkId>,
    /// The network that a node's name stands for in the hosts files.
    pub name_on: NetworkId,
    /// Memory that such a node needs, in MiB, if it isn't the usual.
    pub memory_mib: Option<u32>,
    /// Processors that such a node needs, if it isn't the usual.
    pub cpus: Option<u32>,
    /// Whether it forwards packets, IPv4 and IPv6.
    pub forward: bool,
    /// Networks whose traffic it masquerades where it leaves by `eth0`.
    pub masquerade: Vec<NetworkId>,
    /// Bridges inside the node.
    pub bridges: Vec<Bridge>,
    /// Its routes.
    pub routes: Vec<Route>,
}

impl Group {
    /// The bridge that a network's interface is a port of.
    pub fn bridge_of(&self, network: NetworkId) -> Option<&Bridge> {
        self.bridges.iter().find(|bridge| bridge.networks.contains(&network))
    }

    /// The role of its nodes.
    pub fn role(&self) -> Role {
        self.nodes.first().role()
    }
}

/// A bridge inside a node: its ports have no addresses, it has those of their common subnet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bridge {
    /// The interface's name in the node.
    pub name: String,
    /// The networks whose interfaces are its ports.
    pub networks: Vec<NetworkId>,
}

/// A set of node numbers, never empty: ranges in ascending order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeSet {
    first: NodeId,
    ranges: Vec<RangeInclusive<NodeId>>,
}

impl NodeSet {
    /// Parses `vm`, `routers`, `testers`, or numbers and ranges of them: `201`, `1-9`, `201,203-205`.
    ///
    /// # Errors
    /// A sentence on what can't be: not a number, past 240, backwards, of two roles.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = match text {
            "vm" => "1-200",
            "routers" => "201-220",
            "testers" => "221-240",
            other => other,
        };
        let mut ranges = text.split(',').map(parse_range).collect::<Result<Vec<_>, _>>()?;
        ranges.sort_by_key(|range| *range.start());
        let first = ranges.first().map(|range| *range.start()).ok_or("no nodes")?;
        let set = Self { first, ranges };
        let stray = set.iter().find(|node| node.role() != first.role());
        match stray {
            Some(other) => Err(format!(
                "{} is a {} and {} a {}: a group is of one role",
                first.number(),
                first.role(),
                other.number(),
                other.role()
            )),
            None => Ok(set),
        }
    }

    /// The set of those nodes, in ascending order; none if there are none.
    pub fn of(nodes: &[NodeId]) -> Option<Self> {
        let mut ranges: Vec<RangeInclusive<NodeId>> = Vec::new();
        for node in nodes {
            match ranges.last_mut() {
                Some(range) if range.end().number() + 1 == node.number() => {
                    *range = *range.start()..=*node;
                }
                _ => ranges.push(*node..=*node),
            }
        }
        Some(Self { first: *nodes.first()?, ranges })
    }

    /// Whether all of its nodes are in another set.
    pub fn is_within(&self, other: &Self) -> bool {
        self.iter().all(|node| other.contains(node))
    }

    /// Whether the node is in it.
    pub fn contains(&self, node: NodeId) -> bool {
        self.ranges.iter().any(|range| range.contains(&node))
    }

    /// Its nodes in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = NodeId> {
        let numbers = self.ranges.iter().flat_map(|r| r.start().number()..=r.end().number());
        numbers.filter_map(NodeId::new)
    }

    /// Its ranges in ascending order.
    pub fn ranges(&self) -> &[RangeInclusive<NodeId>] {
        &self.ranges
    }

    /// The lowest node of it.
    pub fn first(&self) -> NodeId {
        self.first
    }
}

fn parse_range(text: &str) -> Result<RangeInclusive<NodeId>, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let node = |text: &str| {
        text.trim().parse::<u8>().ok().and_then(NodeId::new).ok_or_else(|| {
            format!("`{text}` is not a node: those are numbers from 1 to 240, vm, routers, testers")
        })
    };
    let range = node(first)?..=node(last)?;
    if range.is_empty() {
        return Err(format!("the range `{text}` runs backwards"));
    }
    Ok(range)
}

impl fmt::Display for NodeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, range) in self.ranges.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            match (range.start().number(), range.end().number()) {
                (first, last) if first == last => write!(f, "{comma}{first}")?,
                (first, last) => write!(f, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::NodeSet;

    #[test]
    fn node_sets_are_roles_numbers_and_ranges() {
        let rows = [("vm", "1-200"), ("testers", "221-240"), ("201", "201"), ("12, 1-9", "1-9,12")];
        for (text, shown) in rows {
            assert_eq!(NodeSet::parse(text).unwrap().to_string(), shown);
        }
        for bad in ["", "0", "241", "9-1", "vms", "200-201", "1-"] {
            assert!(NodeSet::parse(bad).is_err(), "{bad}");
        }
    }
}
