//! Where things stand in a drawing: columns by distance from the cluster nodes, rows by what they
//! are joined to.
//!
//! Nodes and networks take turns (node, network, node, …), so each is in a column by the number of
//! steps from the first role's nodes. In a column, things are sorted by the mean row of what they
//! touch in the column before (the barycentre heuristic), and columns are centred.

use std::collections::{BTreeMap, VecDeque};

use super::View;

/// A thing that is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Thing {
    /// A node by its number.
    Node(u8),
    /// A network by its number.
    Network(u8),
}

/// Column and row of each thing; rows may be fractions, as columns are centred.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    /// The places.
    pub places: BTreeMap<Thing, (usize, f64)>,
    /// Number of columns.
    pub columns: usize,
    /// Number of rows of the longest column.
    pub rows: usize,
}

type Neighbours = BTreeMap<Thing, Vec<Thing>>;

/// Lays a view out.
pub fn layout(view: &View) -> Layout {
    let neighbours = neighbours(view);
    let mut columns: BTreeMap<usize, Vec<Thing>> = BTreeMap::new();
    for (thing, distance) in distances(&neighbours) {
        columns.entry(distance).or_default().push(thing);
    }
    let rows = columns.values().map(Vec::len).max().unwrap_or_default();
    let mut places: BTreeMap<Thing, (usize, f64)> = BTreeMap::new();
    for (column, mut things) in columns.clone() {
        let mean = |thing: &Thing| {
            let before: Vec<f64> = neighbours[thing]
                .iter()
                .filter_map(|other| places.get(other))
                .filter(|(other, _)| *other < column)
                .map(|(_, row)| *row)
                .collect();
            before.iter().sum::<f64>() / before.len().max(1) as f64
        };
        let mut keyed: Vec<(f64, Thing)> = things.drain(..).map(|t| (mean(&t), t)).collect();
        keyed.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let offset = (rows - keyed.len()) as f64 / 2.0;
        for (i, (_, thing)) in keyed.into_iter().enumerate() {
            places.insert(thing, (column, offset + i as f64));
        }
    }
    Layout { places, columns: columns.len(), rows }
}

fn neighbours(view: &View) -> Neighbours {
    let mut neighbours: Neighbours = BTreeMap::new();
    for node in &view.nodes {
        neighbours.entry(Thing::Node(node.number)).or_default();
        for port in node.drawn() {
            let (node, network) = (Thing::Node(node.number), Thing::Network(port.network));
            neighbours.entry(node).or_default().push(network);
            neighbours.entry(network).or_default().push(node);
        }
    }
    neighbours
}

/// Steps from the first role's nodes; what can't be reached from there starts anew in the first
/// column.
fn distances(neighbours: &Neighbours) -> BTreeMap<Thing, usize> {
    let mut distances: BTreeMap<Thing, usize> = BTreeMap::new();
    let is_vm = |thing: &&Thing| matches!(thing, Thing::Node(number) if *number <= 200);
    let mut queue: VecDeque<Thing> = neighbours.keys().filter(is_vm).copied().collect();
    let mut rest = neighbours.keys().filter(|thing| matches!(thing, Thing::Node(_)));
    distances.extend(queue.iter().map(|thing| (*thing, 0)));
    loop {
        while let Some(thing) = queue.pop_front() {
            let next = distances[&thing] + 1;
            for other in &neighbours[&thing] {
                if !distances.contains_key(other) {
                    distances.insert(*other, next);
                    queue.push_back(*other);
                }
            }
        }
        let Some(unreached) = rest.find(|thing| !distances.contains_key(thing)) else { break };
        distances.insert(*unreached, 0);
        queue.push_back(*unreached);
    }
    distances
}
