//! Impairments that nodes apply to what they send, one file for each node that has some.

use std::collections::BTreeMap;

use super::super::Topology;
use super::super::group::Group;
use super::super::impairment::End;

/// Lines for `tc -batch` by file name, `tc-202`.
pub fn render(topology: &Topology, group: &Group) -> BTreeMap<String, String> {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for impairment in topology.impairments.iter().filter(|i| i.end == End::Node) {
        let (network, netem) = (impairment.network, &impairment.netem);
        for node in impairment.nodes.iter().filter(|node| group.nodes.contains(*node)) {
            let file = files.entry(format!("tc-{}", node.number())).or_default();
            *file += &format!("qdisc replace dev <if{network}> root netem {netem}\n");
        }
    }
    files
}
