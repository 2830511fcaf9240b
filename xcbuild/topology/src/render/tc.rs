//! Impairments that nodes apply to what they send and receive, files of each node that has some.

use std::collections::BTreeMap;

use super::super::Topology;
use super::super::group::Group;
use super::super::impairment::{End, inbound, inbound_link, queue};

/// By file name: lines for `tc -batch`, `tc-202`, and lines for `ip -batch` before them, `ip-202`.
pub(super) fn render(topology: &Topology, group: &Group) -> BTreeMap<String, String> {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    let mut add = |name: String, line: &str| {
        *files.entry(name).or_default() += &format!("{line}\n");
    };
    for impairment in &topology.impairments {
        let (network, netem) = (impairment.network, &impairment.netem);
        let device = format!("<if{network}>");
        for node in impairment.nodes.iter().filter(|node| group.nodes.contains(*node)) {
            let (ip, tc) = (format!("ip-{}", node.number()), format!("tc-{}", node.number()));
            if impairment.end == End::Node {
                add(tc, &queue(&device, netem));
                continue;
            }
            let (links, leads) = inbound(&device, network);
            links.iter().for_each(|line| add(ip.clone(), line));
            leads.iter().for_each(|line| add(tc.clone(), line));
            add(tc, &queue(&inbound_link(network), netem));
        }
    }
    files
}
