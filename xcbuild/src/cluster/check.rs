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

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use anyhow::Result;
use serde::Serialize;

use super::RunDir;
use super::access::Target;
use super::state::{InterfaceState, NodeState, State};
use crate::sys::exec::Exec;
use crate::topology::address::{NodeId, Role};
use crate::topology::{Group, Topology};

/// Starts the frame of a probe's output.
const FRAME: &str = "@probe ";

/// Something to be tried on a node.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Probe {
    /// An address answers.
    Ping(IpAddr),
    /// The way to an address goes by these, hop by hop: by one of each set.
    Way(IpAddr, Vec<BTreeSet<NodeId>>),
    /// The node's own DNS server knows a name.
    Resolve(String),
}

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

/// Checks a running cluster of that topology; every node resolves `name`.
///
/// # Errors
/// When the cluster does not run, ssh can't be started, or the user cancels. What doesn't work in
/// the cluster is no error but a [`Verdict`].
pub fn check(run: &RunDir, topology: &Topology, name: &str) -> Result<Vec<Outcome>> {
    let targets = Target::all(run)?;
    let Some(state) = State::load(run)? else { return Ok(Vec::new()) };
    let nodes = state.nodes.iter().filter_map(|(n, s)| Some((NodeId::new(*n)?, s))).collect();
    let plan = Plan { topology, nodes };
    let probed = targets.iter().map(|t| (t, plan.probes(t.node, name))).collect::<Vec<_>>();
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
    fn probes(&self, node: NodeId, name: &str) -> Vec<Probe> {
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
        probes.push(Probe::Resolve(name.into()));
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

fn on_node(target: &Target, probes: &[Probe]) -> Result<Vec<Outcome>> {
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

/// The shell script that tries the probes and frames what they print.
fn script(probes: &[Probe]) -> String {
    let frame = |(i, probe): (usize, &Probe)| {
        format!("out=$({{ {}; }} 2>&1); echo \"{FRAME}{i} $?\"; echo \"$out\"\n", probe.command())
    };
    probes.iter().enumerate().map(frame).collect()
}

impl Probe {
    /// The command for a node's shell. Exit code 127 is the shell's for a missing program.
    fn command(&self) -> String {
        match self {
            // The first packet may find that nobody has asked for the neighbour's address yet.
            Probe::Ping(to) => format!("ping -c1 -W5 {to} || ping -c1 -W5 {to}"),
            Probe::Way(to, _) if to.is_ipv6() => format!("traceroute6 -n -m 8 -q 1 -w 3 {to}"),
            Probe::Way(to, _) => format!("traceroute -n -m 8 -q 1 -w 3 {to}"),
            Probe::Resolve(name) => format!("nslookup {} 127.0.0.1", Exec::new(name).line()),
        }
    }

    fn what(&self) -> String {
        match self {
            Probe::Ping(to) => format!("ping {to}"),
            Probe::Way(to, _) => format!("way to {to}"),
            Probe::Resolve(name) => format!("resolve {name}"),
        }
    }

    /// What the exit code and the output mean.
    fn judge(&self, code: i32, output: &str) -> (Verdict, String) {
        let end = || output.lines().rfind(|l| !l.trim().is_empty()).unwrap_or_default().trim();
        match self {
            _ if code == 127 => (Verdict::Skipped, end().into()),
            Probe::Way(to, hops) if code == 0 => way(*to, hops, output),
            Probe::Resolve(_) if code == 0 => resolved(output),
            Probe::Ping(_) if code == 0 => (Verdict::Ok, round_trip(output)),
            _ => (Verdict::Failed, end().into()),
        }
    }
}

/// The time in ping's line `64 bytes from …: … time=0.7 ms`.
fn round_trip(output: &str) -> String {
    let time = output.split_once("time=").and_then(|(_, rest)| rest.lines().next());
    time.unwrap_or_default().trim().into()
}

/// The hops that traceroute shows: numbered lines with an address each, whose last byte is the
/// node's number.
fn way(to: IpAddr, expected: &[BTreeSet<NodeId>], output: &str) -> (Verdict, String) {
    let hop = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        words.next()?.parse::<u8>().ok()?;
        let address = words.next()?;
        Some(address.parse::<IpAddr>().map_err(|_| address.to_owned()))
    };
    let hops: Vec<_> = output.lines().filter_map(hop).collect();
    let shown = hops.iter().map(|h| h.as_ref().map_or_else(Clone::clone, ToString::to_string));
    let shown = shown.collect::<Vec<_>>().join(" → ");
    let Some((last, between)) = hops.split_last() else { return (Verdict::Failed, shown) };
    let passes = |(hop, allowed): (&Result<IpAddr, String>, &BTreeSet<NodeId>)| {
        hop.as_ref().ok().and_then(node_of).is_some_and(|node| allowed.contains(&node))
    };
    let as_told = between.len() == expected.len() && between.iter().zip(expected).all(passes);
    (if as_told && *last == Ok(to) { Verdict::Ok } else { Verdict::Failed }, shown)
}

fn node_of(address: &IpAddr) -> Option<NodeId> {
    let last = match address {
        IpAddr::V4(v4) => v4.octets().last().copied(),
        IpAddr::V6(v6) => v6.octets().last().copied(),
    };
    last.and_then(NodeId::new)
}

/// The address in nslookup's answer, after the server's own.
fn resolved(output: &str) -> (Verdict, String) {
    let answer = output.split_once("Name:").map(|(_, answer)| answer).unwrap_or_default();
    let address = answer.lines().find(|l| l.starts_with("Address"));
    match address.and_then(|l| l.split_once(':')) {
        Some((_, address)) => (Verdict::Ok, address.trim().into()),
        None => (Verdict::Failed, output.lines().last().unwrap_or_default().trim().into()),
    }
}

fn outcome(node: NodeId, probe: &Probe, verdict: Verdict, detail: String) -> Outcome {
    Outcome { node: node.to_string(), what: probe.what(), verdict, detail }
}

/// The outcomes in a script's output, in order, as far as they go.
fn read(node: NodeId, probes: &[Probe], output: &str) -> Vec<Outcome> {
    let frames = output.split(FRAME).skip(1);
    let judged = probes.iter().zip(frames).map_while(|(probe, frame)| {
        let (head, body) = frame.split_once('\n')?;
        let code = head.split_once(' ')?.1.trim().parse().ok()?;
        let (verdict, detail) = probe.judge(code, body);
        Some(outcome(node, probe, verdict, detail))
    });
    judged.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use insta::assert_snapshot;

    use super::{NodeState, Outcome, Plan, Probe, Verdict, read, script};
    use crate::topology::address::NodeId;
    use crate::topology::{Counts, Overrides, Topology};

    const XNET: &str = include_str!("../../../ovl/network-topology/topologies/xnet.toml");
    const EVIL: &str = include_str!("../../../ovl/network-topology/topologies/evil_tester.toml");

    fn planned(topology: &str, testers: u8, on: u8) -> Vec<Probe> {
        let topology = Topology::parse("t.toml", "t", topology, &|_| None).unwrap();
        let counts = Counts { vm: 2, routers: 2, testers };
        let nodes = topology.nodes(&counts, &Overrides::default()).unwrap();
        let states: Vec<_> = nodes.iter().map(|node| NodeState::new(node, vec![])).collect();
        let nodes = nodes.iter().map(|node| node.id).zip(&states).collect();
        Plan { topology: &topology, nodes }.probes(NodeId::new(on).unwrap(), "a.b")
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

    #[test]
    fn script_frames_each_probe() {
        let script = script(&planned(XNET, 0, 2));
        assert_snapshot!(script.lines().take(2).collect::<Vec<_>>().join("\n"), @r#"
        out=$({ ping -c1 -W5 192.168.1.1 || ping -c1 -W5 192.168.1.1; } 2>&1); echo "@probe 0 $?"; echo "$out"
        out=$({ traceroute -n -m 8 -q 1 -w 3 192.168.1.1; } 2>&1); echo "@probe 1 $?"; echo "$out"
        "#);
        assert!(
            script.contains("nslookup a.b 127.0.0.1; } 2>&1); echo \"@probe 4 $?\""),
            "{script}"
        );
    }

    #[test]
    fn output_is_judged() {
        let probes = planned(XNET, 1, 1);
        let output = "banner\n\
            @probe 0 0\nPING 192.168.2.221\n64 bytes from 192.168.2.221: seq=0 ttl=63 time=1.2 ms\n\n1 packets\n\
            @probe 1 0\ntraceroute to 192.168.2.221, 8 hops max\n 1  192.168.1.202  1.1 ms\n 2  192.168.2.221  2.2 ms\n\
            @probe 2 1\nPING 1000::1:c0a8:2dd\n\n1 packets transmitted, 0 packets received, 100% packet loss\n\
            @probe 3 127\nsh: traceroute6: not found\n\
            @probe 4 0\nServer:\t\t127.0.0.1\nAddress:\t127.0.0.1:53\n\nName:\ta.b\nAddress: 10.0.0.7\n";
        let node = NodeId::new(1).unwrap();
        let rows =
            |o: &Outcome| format!("{} | {} | {:?} | {}\n", o.node, o.what, o.verdict, o.detail);
        let table: String = read(node, &probes, output).iter().map(rows).collect();
        assert_snapshot!(table, @r#"
        vm-001 | ping 192.168.2.221 | Ok | 1.2 ms
        vm-001 | way to 192.168.2.221 | Ok | 192.168.1.202 → 192.168.2.221
        vm-001 | ping 1000::1:c0a8:2dd | Failed | 1 packets transmitted, 0 packets received, 100% packet loss
        vm-001 | way to 1000::1:c0a8:2dd | Skipped | sh: traceroute6: not found
        vm-001 | resolve a.b | Ok | 10.0.0.7
        "#);
        let half = read(node, &probes, &output[..output.find("@probe 3 127").unwrap() + 8]);
        assert_eq!(half.len(), 3, "a probe whose frame was cut off is not judged");
    }

    #[test]
    fn ways_are_held_to_every_hop() {
        let probe = &planned(XNET, 1, 1)[1];
        let rows = [
            (" 1  192.168.1.201  1 ms\n 2  192.168.2.221  1 ms\n", Verdict::Ok),
            (" 1  192.168.2.221  1 ms\n", Verdict::Failed),
            (" 1  192.168.1.201  1 ms\n 2  *\n", Verdict::Failed),
            (" 1  192.168.1.7  1 ms\n 2  192.168.2.221  1 ms\n", Verdict::Failed),
            (
                " 1  192.168.1.201  1 ms\n 2  10.0.0.202  1 ms\n 3  192.168.2.221  1 ms\n",
                Verdict::Failed,
            ),
            ("", Verdict::Failed),
        ];
        for (output, expected) in rows {
            assert_eq!(probe.judge(0, output).0, expected, "{output}");
        }
    }
}
