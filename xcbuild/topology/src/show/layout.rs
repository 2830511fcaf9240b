//! Where things stand in a drawing: columns by distance from the cluster nodes, rows by what they
//! are joined to.
//!
//! Nodes and networks take turns (node, network, node, …), so each is in a column by the number of
//! steps from the first role's nodes. In a column, things are sorted by the mean row of what they
//! touch in the column beside it (the barycentre heuristic), and columns are centred.

use std::collections::{BTreeMap, VecDeque};

use super::View;

/// A thing that is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Thing {
    /// A node by its number.
    Node(u8),
    /// A network by its number.
    Network(u8),
}

/// Column and row of each thing; rows may be fractions, as columns are centred.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layout {
    /// The places.
    pub places: BTreeMap<Thing, (usize, f64)>,
    /// Number of columns.
    pub columns: usize,
    /// Number of rows of the longest column.
    pub rows: usize,
}

type Neighbours = BTreeMap<Thing, Vec<Thing>>;

/// Lays a view out: from left to right first, then there and back again, as long as fewer lines
/// cross.
pub(super) fn layout(view: &View) -> Layout {
    let neighbours = neighbours(view);
    let mut columns: Vec<Vec<Thing>> = Vec::new();
    for (thing, distance) in distances(&neighbours) {
        columns.resize(columns.len().max(distance + 1), Vec::new());
        columns[distance].push(thing);
    }
    let rows = columns.iter().map(Vec::len).max().unwrap_or_default();
    (1..columns.len()).for_each(|column| sort(&mut columns, column, column - 1, rows, &neighbours));
    let mut best = columns.clone();
    for _ in 0..SWEEPS {
        let back = (0..columns.len().saturating_sub(1)).rev();
        back.for_each(|column| sort(&mut columns, column, column + 1, rows, &neighbours));
        let there = 1..columns.len();
        there.for_each(|column| sort(&mut columns, column, column - 1, rows, &neighbours));
        if crossings(&columns, &neighbours) < crossings(&best, &neighbours) {
            best.clone_from(&columns);
        }
    }
    let placed = best.iter().enumerate().flat_map(|(column, things)| {
        things.iter().zip(rows_of(things, rows)).map(move |(thing, row)| (*thing, (column, row)))
    });
    Layout { places: placed.collect(), columns: best.len(), rows }
}

/// How often the order is tried to be bettered; more changes nothing in graphs of this size.
const SWEEPS: usize = 4;

/// The rows of a column's things: in order, the column centred.
fn rows_of(things: &[Thing], rows: usize) -> impl Iterator<Item = f64> {
    let offset = (rows - things.len()) as f64 / 2.0;
    (0..things.len()).map(move |i| offset + i as f64)
}

/// Sorts a column by the mean row of what each thing touches in another; one that touches nothing
/// there keeps its row.
fn sort(
    columns: &mut [Vec<Thing>],
    column: usize,
    other: usize,
    rows: usize,
    neighbours: &Neighbours,
) {
    let others: BTreeMap<Thing, f64> =
        columns[other].iter().copied().zip(rows_of(&columns[other], rows)).collect();
    let own: Vec<f64> = rows_of(&columns[column], rows).collect();
    let mut keyed: Vec<(f64, Thing)> = columns[column]
        .iter()
        .zip(own)
        .map(|(thing, row)| {
            let touched: Vec<f64> =
                neighbours[thing].iter().filter_map(|t| others.get(t)).copied().collect();
            let mean = touched.iter().sum::<f64>() / touched.len() as f64;
            (if touched.is_empty() { row } else { mean }, *thing)
        })
        .collect();
    keyed.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    columns[column] = keyed.into_iter().map(|(_, thing)| thing).collect();
}

/// How many pairs of lines between neighbouring columns cross.
fn crossings(columns: &[Vec<Thing>], neighbours: &Neighbours) -> usize {
    let between = |pair: &[Vec<Thing>]| {
        let position = |thing: &Thing| pair[1].iter().position(|other| other == thing);
        let lines: Vec<(usize, usize)> = pair[0]
            .iter()
            .enumerate()
            .flat_map(|(i, thing)| {
                neighbours[thing].iter().filter_map(position).map(move |j| (i, j))
            })
            .collect();
        let crosses = |a: &(usize, usize), b: &(usize, usize)| a.0 < b.0 && a.1 > b.1;
        lines.iter().map(|a| lines.iter().filter(|b| crosses(a, b)).count()).sum::<usize>()
    };
    columns.windows(2).map(between).sum()
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
