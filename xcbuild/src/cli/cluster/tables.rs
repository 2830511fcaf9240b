//! What is known of clusters as tables for people.

use crate::top::model::{self, NodeRow, Sample};
use xc_cluster::Status;
use xc_cluster::check::{Outcome, Verdict};
use xc_cluster::status::NodeStatus;
use xc_report::visible;
use xc_topology::address::MAINTENANCE;

/// The nodes of a cluster as a table for people: what a start has to tell.
pub(crate) fn table(status: &Status) -> String {
    aligned(["NODE", "ROLE", "STATE", "READY", "ADDRESSES"], status.nodes.iter().map(node))
}

/// All that is worth a look: also what nodes have taken of the host, and faults of links.
pub(crate) fn full_table(status: &Status) -> String {
    let heads =
        ["NODE", "ROLE", "STATE", "READY", "CPU", "RSS MiB", "RESTARTS", "SSH", "ADDRESSES"];
    let row = |n: &NodeStatus| {
        let [name, role, state, ready, addresses] = node(n);
        let cpu = n.usage.map_or("-".into(), |usage| seconds(usage.cpu_ms));
        let ssh = format!("{}:{}", n.address, n.ssh_port);
        let restarts = n.restarts.to_string();
        [name, role, state, ready, cpu, model::memory(n), restarts, ssh, addresses]
    };
    let nodes = aligned(heads, status.nodes.iter().map(row));
    let bad = status.nodes.iter().flat_map(|node| {
        let bad = node.links.iter().filter(|link| !link.faults().is_empty());
        bad.map(|link| [node.name.clone(), link.network.to_string(), link.faults()])
    });
    let bad: Vec<_> = bad.collect();
    if bad.is_empty() {
        return nodes;
    }
    format!("{nodes}\n\n{}", aligned(["NODE", "NETWORK", "FAULTS OF ITS LINK"], bad.into_iter()))
}

/// The nodes of a cluster with what they take of the host now.
pub(crate) fn live_table(now: &Sample, before: Option<&Sample>) -> String {
    let heads = ["NODE", "ROLE", "STATE", "READY", "CPU", "RSS MiB", "RESTARTS", "SSH", "WRONG"];
    let row = |n: NodeRow| {
        let (state, restarts) = (n.condition.to_string(), n.restarts.to_string());
        [n.name, n.role, state, n.ready, n.cpu, n.memory, restarts, n.ssh, n.wrong]
    };
    aligned(heads, model::nodes(now, before).into_iter().map(row))
}

/// Clusters as a table for people. `+N` is a node's number, or a network's.
pub(crate) fn clusters(all: &[Status]) -> String {
    let row = |s: &Status| {
        let nodes = format!("{} of {}", s.alive(), s.nodes.len());
        let kind = s.network.clone().unwrap_or_else(|| "-".into());
        let ports = |taken: bool| s.net.as_ref().filter(|_| taken);
        let ssh = ports(s.host_ports.forwards)
            .map_or("192.168.0.N".into(), |n| format!("127.0.0.1:{}+N", n.ssh_base));
        let groups = ports(s.host_ports.groups)
            .map_or("-".into(), |n| format!("{}+N:{}", n.group(MAINTENANCE), n.mcast_port));
        let state = match s {
            Status { of_another_boot: true, .. } => "the host has booted since",
            Status { interrupted: true, .. } => "broken off",
            _ => "",
        };
        [s.cluster.to_string(), nodes, kind, ssh, groups, state.to_owned()]
    };
    aligned(["CLUSTER", "ALIVE", "NET", "SSH", "MULTICAST", ""], all.iter().map(row))
}

/// What a check found as a table for people.
pub(crate) fn checks(outcomes: &[Outcome]) -> String {
    let row = |o: &Outcome| {
        [o.node.clone(), o.what.clone(), verdict(o.verdict).to_owned(), o.detail.clone()]
    };
    aligned(["NODE", "CHECK", "RESULT", "SEEN"], outcomes.iter().map(row))
}

/// A verdict as tables have it.
pub(crate) fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "ok",
        Verdict::Failed => "FAILED",
        Verdict::Skipped => "SKIPPED",
    }
}

/// Columns of equal width; the last is left as it is. A row is a line, whatever names are in it.
pub(crate) fn aligned<const N: usize>(
    heads: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> String {
    let rows: Vec<[String; N]> =
        std::iter::once(heads.map(ToOwned::to_owned)).chain(rows).collect();
    let rows: Vec<[String; N]> = rows.into_iter().map(|row| row.map(visible)).collect();
    let width = |column: usize| rows.iter().map(|r| r[column].len()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn node(node: &NodeStatus) -> [String; 5] {
    let v4 = node.addresses.iter().filter_map(|(_, v4, _)| v4.map(|a| a.to_string()));
    let v6 = node.addresses.iter().filter_map(|(_, _, v6)| v6.map(|a| a.to_string()));
    [
        node.name.clone(),
        node.role.to_string(),
        node.condition.to_string(),
        node.ready_ms.map_or("-".into(), seconds),
        v4.chain(v6).collect::<Vec<_>>().join(" "),
    ]
}

/// Milliseconds as people read them.
pub(crate) fn seconds(milliseconds: u64) -> String {
    format!("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100)
}
