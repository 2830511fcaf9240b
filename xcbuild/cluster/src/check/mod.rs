//! Whether the networks of a running cluster work, seen from inside its nodes.
//!
//! What is tried is derived from the topology: vms and testers ping each other at their addresses,
//! by IPv4 and IPv6, and see the way that the topology's routes give; where these give none, they
//! must not reach each other; and every node resolves a name by its own DNS server. That is tried of
//! the first node of each group, or of all. Where there is no tester, the first two vms ping each
//! other.
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
use super::access::{Reach, Target};
use super::liveness::NodeDied;
use super::state::{InterfaceState, NodeState};
use super::{Cluster, RunDir};
use xc_sys::jobs;
use xc_topology::address::{MAINTENANCE, NodeId, Role};
use xc_topology::path::Way;
use xc_topology::{Group, Topology};

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

/// Of which pairs the way is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pairs {
    /// The first node of each group of vms with the first of each group of testers.
    Firsts,
    /// Every vm with every tester.
    All,
}

/// Checks a running cluster of that topology; every node resolves `names`.
///
/// # Errors
/// When the cluster does not run, ssh can't be started, or the user cancels. What doesn't work in
/// the cluster is no error but a [`Verdict`].
pub fn check(
    run: &RunDir,
    topology: &Topology,
    pairs: Pairs,
    names: &[&str],
) -> Result<Vec<Outcome>> {
    let Reach { answering: targets, unreachable } = Reach::of(run)?;
    let cluster = Cluster::open(run)?;
    let nodes = cluster.state().nodes.iter().map(|(id, node)| (*id, node)).collect();
    let plan = Plan { topology, pairs, nodes };
    let probed = targets.iter().map(|t| (t, plan.probes(t.node, names))).collect::<Vec<_>>();
    let mut all: Vec<_> = unreachable.iter().map(|(node, why)| unanswered(*node, why)).collect();
    for outcomes in jobs::map(&probed, probed.len(), |(target, probes)| on_node(target, probes)) {
        all.extend(outcomes.unwrap_or_else(|_| anyhow::bail!("a check has panicked"))?);
    }
    Ok(all)
}

/// That a node can't even be asked.
fn unanswered(node: NodeId, why: &str) -> Outcome {
    let (what, verdict) = ("answer".to_owned(), Verdict::Failed);
    Outcome { node: node.to_string(), what, verdict, detail: why.to_owned() }
}

/// What is known of the cluster when probes are chosen.
struct Plan<'a> {
    topology: &'a Topology,
    pairs: Pairs,
    nodes: BTreeMap<NodeId, &'a NodeState>,
}

impl Plan<'_> {
    /// What is to be tried on a node.
    fn probes(&self, node: NodeId, names: &[&str]) -> Vec<Probe> {
        let (vms, mut testers) = (self.chosen(Role::Vm), self.chosen(Role::Tester));
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

    /// The nodes of a role that are tried, of those that run.
    fn chosen(&self, role: Role) -> Vec<NodeId> {
        let groups = self.topology.groups.iter().filter(|group| group.role() == role);
        let running = |group: &Group| {
            self.nodes.keys().filter(|id| group.nodes.contains(**id)).copied().collect::<Vec<_>>()
        };
        let most = match self.pairs {
            Pairs::Firsts => 1,
            Pairs::All => usize::MAX,
        };
        groups.flat_map(|group| running(group).into_iter().take(most)).collect()
    }

    /// What a node sees of another: pings at the address of its name, and the ways to it; the same
    /// at its other addresses, where the topology tells the way, or that there is none.
    fn towards(&self, from: NodeId, to: NodeId) -> Vec<Probe> {
        let named = self.topology.group_of(to).map(|group| group.name_on);
        let present: BTreeSet<NodeId> = self.nodes.keys().copied().collect();
        let mut probes = Vec::new();
        let interfaces = self.nodes.get(&to).into_iter().flat_map(|node| &node.interfaces);
        for interface in interfaces.filter(|i| i.network != MAINTENANCE) {
            let network = interface.network;
            let way = self.topology.way(&present, from, to, network);
            for address in addresses(interface) {
                match &way {
                    Way::By(hops) => {
                        probes.push(Probe::Ping(address));
                        probes.push(Probe::Way(address, hops.clone()));
                    }
                    Way::Unknown if named == Some(network) => probes.push(Probe::Ping(address)),
                    Way::Unknown => {}
                    Way::Apart => probes.push(Probe::Apart(address)),
                }
            }
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
    let (status, output) = match target.capture(&[script(probes)]) {
        Ok(ended) => ended,
        // What a node that died can't do is found like what others don't do.
        Err(error) => {
            let died = error.downcast::<NodeDied>()?.to_string();
            let failed = |p: &Probe| outcome(target.node, p, Verdict::Failed, died.clone());
            return Ok(probes.iter().map(failed).collect());
        }
    };
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

    use super::{Pairs, Plan, Probe};
    use crate::tests::node_state;
    use xc_topology::address::NodeId;
    use xc_topology::{Counts, Overrides, Topology};

    pub(super) const XNET: &str =
        include_str!("../../../../ovl/network-topology/topologies/xnet.toml");
    const BACKEND: &str = include_str!("../../../../ovl/network-topology/topologies/backend.toml");
    const EVIL: &str = include_str!("../../../../ovl/network-topology/topologies/evil_tester.toml");

    /// What is tried on a node of two vms, two routers and so many testers.
    pub(super) fn planned(topology: &str, testers: u8, on: u8) -> Vec<Probe> {
        let topology = Topology::parse("t.toml", "t", topology, &|_| None).unwrap();
        let counts = Counts { vm: 2, routers: 2, testers };
        let nodes = topology.nodes(&counts, &Overrides::default()).unwrap();
        let states: Vec<_> = nodes.iter().map(node_state).collect();
        let nodes = nodes.iter().map(|node| node.id).zip(&states).collect();
        Plan { topology: &topology, pairs: Pairs::Firsts, nodes }
            .probes(NodeId::new(on).unwrap(), &["a.b"])
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
    fn what_the_topology_keeps_apart_is_tried() {
        let shown = shown(&planned(BACKEND, 1, 221));
        assert!(shown.contains("Apart(192.168.1.1)\nApart(1000::1:c0a8:101)\n"), "{shown}");
        assert!(shown.contains("Way(192.168.3.1 by vm-201)"), "{shown}");
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
        Ping(192.168.2.222)
        Way(192.168.2.222 by vm-201|vm-202)
        Ping(1000::1:c0a8:2de)
        Way(1000::1:c0a8:2de by vm-201|vm-202)
        Resolve("a.b")
        "#);
    }
}
