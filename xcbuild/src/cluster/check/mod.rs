//! Whether the networks of a running cluster work, seen from inside its nodes.
//!
//! What is tried is derived from the topology: the first node of each group of vms and the first of
//! each group of testers ping each other at the addresses of their names, by IPv4 and IPv6, and see
//! the way that the topology's routes give; and every node resolves a name by its own DNS server.
//! Where there is no tester, the first two vms ping each other.
//!
//! One ssh per node runs a script of all its probes, all nodes at once. The script frames what each
//! probe prints, and a pure part reads the frames:
//!
//! ```text
//!   @probe 0 0          probe 0 ended with exit code 0
//!   PING 192.168.2.221…  what it printed
//! ```

mod probe;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use anyhow::Result;
use serde::Serialize;

use self::probe::{Probe, outcome, read, script};
use super::RunDir;
use super::access::Target;
use super::state::{InterfaceState, NodeState, State};
use crate::topology::address::{NodeId, Role};
use crate::topology::{Group, Topology};

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It works.
    Ok,
    /// It doesn't.
    Failed,
    /// It could not be tried.
    Skipped,
}

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The host name of the node on which it was tried.
    pub node: String,
    /// What was tried.
    pub what: String,
    /// What came of it.
    pub verdict: Verdict,
    /// What was seen: the way, the address, or the end of a failed probe's output.
    pub detail: String,
}

/// Checks a running cluster of that topology; every node resolves `names`.
///
/// # Errors
/// When the cluster does not run, ssh can't be started, or the user cancels. What doesn't work in
/// the cluster is no error but a [`Verdict`].
pub fn check(run: &RunDir, topology: &Topology, names: &[&str]) -> Result<Vec<Outcome>> {
    let targets = Target::all(run)?;
    let Some(state) = State::load(run)? else { return Ok(Vec::new()) };
    let nodes = state.nodes.iter().filter_map(|(n, s)| Some((NodeId::new(*n)?, s))).collect();
    let plan = Plan { topology, nodes };
    let probed = targets.iter().map(|t| (t, plan.probes(t.node, names))).collect::<Vec<_>>();
    std::thread::scope(|scope| {
        let run = |target: &'_ Target, probes: &'_ [Probe]| on_node(target, probes);
        let threads: Vec<_> = probed
            .iter()
            .map(|(target, probes)| scope.spawn(move || run(target, probes)))
            .collect();
        let mut all = Vec::new();
        for thread in threads {
            let outcomes = thread.join();
            all.extend(outcomes.unwrap_or_else(|_| anyhow::bail!("a check has panicked"))?);
        }
        Ok(all)
    })
}

/// What is known of the cluster when probes are chosen.
struct Plan<'a> {
    topology: &'a Topology,
    nodes: BTreeMap<NodeId, &'a NodeState>,
}

impl Plan<'_> {
    /// What is to be tried on a node.
    fn probes(&self, node: NodeId, names: &[&str]) -> Vec<Probe> {
        let (vms, mut testers) = (self.firsts(Role::Vm), self.firsts(Role::Tester));
        if testers.is_empty() {
            let is_vm = |id: &&NodeId| id.role() == Role::Vm;
            testers.extend(self.nodes.keys().filter(is_vm).nth(1));
        }
        let mut probes = Vec::new();
        if vms.contains(&node) {
            probes.extend(testers.iter().flat_map(|to| self.towards(node, *to)));
        }
        if testers.contains(&node) {
            probes.extend(vms.iter().flat_map(|to| self.towards(node, *to)));
        }
        probes.extend(names.iter().map(|name| Probe::Resolve((*name).into())));
        probes
    }

    /// The first node that runs of each group of a role.
    fn firsts(&self, role: Role) -> Vec<NodeId> {
        let groups = self.topology.groups.iter().filter(|group| group.role() == role);
        let first =
            |group: &Group| self.nodes.keys().find(|id| group.nodes.contains(**id)).copied();
        groups.filter_map(first).collect()
    }

    /// Pings of a node at the address of its name, and the ways to it where the topology tells them.
    fn towards(&self, from: NodeId, to: NodeId) -> Vec<Probe> {
        let named = self.topology.group_of(to).map(|group| group.name_on);
        let interface = self.nodes.get(&to).zip(named).and_then(|(node, network)| {
            node.interfaces.iter().find(|interface| interface.network == network.0)
        });
        let Some((interface, network)) = interface.zip(named) else { return Vec::new() };
        let present: BTreeSet<NodeId> = self.nodes.keys().copied().collect();
        let way = self.topology.way(&present, from, to, network);
        let mut probes = Vec::new();
        for address in addresses(interface) {
            probes.push(Probe::Ping(address));
            probes.extend(way.clone().map(|way| Probe::Way(address, way)));
        }
        probes
    }
}

fn addresses(interface: &InterfaceState) -> impl Iterator<Item = IpAddr> + use<> {
    let v4 = interface.ipv4.map(IpAddr::from);
    v4.into_iter().chain(interface.ipv6.map(IpAddr::from))
}

/// How often a probe is tried before it counts as failed: on a host with more nodes than cores an
/// answer may come too late.
const TRIES: usize = 3;

fn on_node(target: &Target, probes: &[Probe]) -> Result<Vec<Outcome>> {
    let mut outcomes = once_on_node(target, probes)?;
    for _ in 1..TRIES {
        let failed: Vec<usize> =
            (0..probes.len()).filter(|i| outcomes[*i].verdict == Verdict::Failed).collect();
        if failed.is_empty() {
            break;
        }
        let again: Vec<Probe> = failed.iter().map(|i| probes[*i].clone()).collect();
        for (i, outcome) in failed.into_iter().zip(once_on_node(target, &again)?) {
            outcomes[i] = outcome;
        }
    }
    Ok(outcomes)
}

fn once_on_node(target: &Target, probes: &[Probe]) -> Result<Vec<Outcome>> {
    let (status, output) = target.capture(&[script(probes)])?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut outcomes = read(target.node, probes, &text);
    if outcomes.len() < probes.len() {
        let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        let detail = if why.is_empty() { format!("ssh ended with {status}") } else { why };
        let left = probes[outcomes.len()..].iter();
        outcomes.extend(left.map(|p| outcome(target.node, p, Verdict::Failed, detail.clone())));
    }
    Ok(outcomes)
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeSet;

    use insta::assert_snapshot;

    use super::{NodeState, Plan, Probe};
    use crate::topology::address::NodeId;
    use crate::topology::{Counts, Overrides, Topology};

    pub(super) const XNET: &str =
        include_str!("../../../../ovl/network-topology/topologies/xnet.toml");
    const EVIL: &str = include_str!("../../../../ovl/network-topology/topologies/evil_tester.toml");

    /// What is tried on a node of two vms, two routers and so many testers.
    pub(super) fn planned(topology: &str, testers: u8, on: u8) -> Vec<Probe> {
        let topology = Topology::parse("t.toml", "t", topology, &|_| None).unwrap();
        let counts = Counts { vm: 2, routers: 2, testers };
        let nodes = topology.nodes(&counts, &Overrides::default()).unwrap();
        let states: Vec<_> = nodes.iter().map(|node| NodeState::new(node, vec![])).collect();
        let nodes = nodes.iter().map(|node| node.id).zip(&states).collect();
        Plan { topology: &topology, nodes }.probes(NodeId::new(on).unwrap(), &["a.b"])
    }

    fn shown(probes: &[Probe]) -> String {
        let line = |p: &Probe| match p {
            Probe::Way(to, hops) => {
                let names = |hop: &BTreeSet<NodeId>| {
                    hop.iter().map(NodeId::to_string).collect::<Vec<_>>().join("|")
                };
                let hops: Vec<String> = hops.iter().map(names).collect();
                format!("Way({to} by {})\n", hops.join(", "))
            }
            other => format!("{other:?}\n"),
        };
        probes.iter().map(line).collect()
    }

    #[test]
    fn vm_and_tester_go_by_the_routers() {
        assert_snapshot!(shown(&planned(XNET, 1, 1)), @r#"
        Ping(192.168.2.221)
        Way(192.168.2.221 by vm-201|vm-202)
        Ping(1000::1:c0a8:2dd)
        Way(1000::1:c0a8:2dd by vm-201|vm-202)
        Resolve("a.b")
        "#);
        assert_snapshot!(shown(&planned(XNET, 1, 221)), @r#"
        Ping(192.168.1.1)
        Way(192.168.1.1 by vm-201|vm-202)
        Ping(1000::1:c0a8:101)
        Way(1000::1:c0a8:101 by vm-201|vm-202)
        Resolve("a.b")
        "#);
        assert_snapshot!(shown(&planned(XNET, 1, 202)), @r#"
        Resolve("a.b")
        "#);
    }

    #[test]
    fn without_a_tester_two_vms_do() {
        assert_snapshot!(shown(&planned(XNET, 0, 2)), @r#"
        Ping(192.168.1.1)
        Way(192.168.1.1 by )
        Ping(1000::1:c0a8:101)
        Way(1000::1:c0a8:101 by )
        Resolve("a.b")
        "#);
    }

    #[test]
    fn each_group_of_testers_has_its_way() {
        assert_snapshot!(shown(&planned(EVIL, 2, 1)), @r#"
        Ping(192.168.2.221)
        Way(192.168.2.221 by vm-201|vm-202, vm-222)
        Ping(1000::1:c0a8:2dd)
        Way(1000::1:c0a8:2dd by vm-201|vm-202, vm-222)
        Ping(192.168.3.222)
        Way(192.168.3.222 by vm-201|vm-202)
        Ping(1000::1:c0a8:3de)
        Way(1000::1:c0a8:3de by vm-201|vm-202)
        Resolve("a.b")
        "#);
    }
}
