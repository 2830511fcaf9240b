//! Whether the networks of a running cluster work, seen from inside its nodes.
//!
//! What is tried is derived from the addresses alone: the first vm and the first tester ping each
//! other on a network that the other is not on, by IPv4 and IPv6, and see a router on the way; and
//! every node resolves a name by its own DNS server. Where there is no tester, the first two vms
//! ping each other, and no router is expected.
//!
//! One ssh per node runs a script of all its probes, all nodes at once. The script frames what each
//! probe prints, and a pure part reads the frames:
//!
//! ```text
//!   @probe 0 0          probe 0 ended with exit code 0
//!   PING 192.168.2.221…  what it printed
//! ```

use std::net::IpAddr;

use anyhow::Result;
use serde::Serialize;

use super::RunDir;
use super::access::Target;
use super::state::{InterfaceState, NodeState, State};
use crate::sys::exec::Exec;
use crate::topology::address::{NodeId, Role};

/// Starts the frame of a probe's output.
const FRAME: &str = "@probe ";

/// Something to be tried on a node.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Probe {
    /// An address answers.
    Ping(IpAddr),
    /// The way to an address goes by one of these.
    Way(IpAddr, Vec<IpAddr>),
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

/// Checks a running cluster; every node resolves `name`.
///
/// # Errors
/// When the cluster does not run, ssh can't be started, or the user cancels. What doesn't work in
/// the cluster is no error but a [`Verdict`].
pub fn check(run: &RunDir, name: &str) -> Result<Vec<Outcome>> {
    let targets = Target::all(run)?;
    let Some(state) = State::load(run)? else { return Ok(Vec::new()) };
    let nodes: Vec<_> =
        state.nodes.iter().filter_map(|(n, s)| Some((NodeId::new(*n)?, s))).collect();
    let probed = targets.iter().map(|t| (t, probes(&nodes, t.node, name))).collect::<Vec<_>>();
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

/// What is to be tried on a node.
fn probes(nodes: &[(NodeId, &NodeState)], node: NodeId, name: &str) -> Vec<Probe> {
    let first = |role, skip| nodes.iter().filter(move |(id, _)| id.role() == role).nth(skip);
    let vm = first(Role::Vm, 0);
    let partner = first(Role::Tester, 0).or_else(|| first(Role::Vm, 1));
    let mut probes = Vec::new();
    if let (Some((one, one_state)), Some((other, other_state))) = (vm, partner) {
        if node == *one {
            probes.extend(towards(nodes, one_state, other_state));
        } else if node == *other {
            probes.extend(towards(nodes, other_state, one_state));
        }
    }
    probes.push(Probe::Resolve(name.into()));
    probes
}

/// Pings of one node's addresses, and the routers on the way if there must be some.
fn towards(nodes: &[(NodeId, &NodeState)], from: &NodeState, to: &NodeState) -> Vec<Probe> {
    let is_on = |i: &&InterfaceState| from.interfaces.iter().any(|own| own.network == i.network);
    let addressed = |i: &&InterfaceState| i.network != 0 && i.ipv4.is_some();
    let far = to.interfaces.iter().filter(addressed).find(|i| !is_on(i));
    let Some(target) = far.or_else(|| to.interfaces.iter().find(addressed)) else {
        return Vec::new();
    };
    let routers = nodes.iter().filter(|(id, _)| id.role() == Role::Router);
    let gates: Vec<_> =
        routers.flat_map(|(_, router)| addresses_on_networks_of(router, from)).collect();
    let mut probes = Vec::new();
    for address in addresses(target) {
        probes.push(Probe::Ping(address));
        if far.is_some() {
            let same_kind = |gate: &&IpAddr| gate.is_ipv4() == address.is_ipv4();
            probes.push(Probe::Way(address, gates.iter().filter(same_kind).copied().collect()));
        }
    }
    probes
}

/// A router's addresses on the networks, other than the maintenance one, that a node is on.
fn addresses_on_networks_of(router: &NodeState, node: &NodeState) -> Vec<IpAddr> {
    let shared = |i: &&InterfaceState| {
        i.network != 0 && node.interfaces.iter().any(|own| own.network == i.network)
    };
    router.interfaces.iter().filter(shared).flat_map(addresses).collect()
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
            Probe::Way(to, gates) if code == 0 => way(*to, gates, output),
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

/// The hops that traceroute shows: numbered lines with an address each.
fn way(to: IpAddr, gates: &[IpAddr], output: &str) -> (Verdict, String) {
    let hop = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        words.next()?.parse::<u8>().ok()?;
        let address = words.next()?;
        Some(address.parse::<IpAddr>().map_err(|_| address.to_owned()))
    };
    let hops: Vec<_> = output.lines().filter_map(hop).collect();
    let shown = hops.iter().map(|h| h.as_ref().map_or_else(Clone::clone, ToString::to_string));
    let shown = shown.collect::<Vec<_>>().join(" → ");
    let by_gate = hops.first().is_some_and(|h| h.as_ref().is_ok_and(|a| gates.contains(a)));
    let arrives = hops.last().is_some_and(|h| h.as_ref() == Ok(&to));
    (if by_gate && arrives { Verdict::Ok } else { Verdict::Failed }, shown)
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
    use insta::assert_snapshot;

    use super::{NodeState, Outcome, Probe, Verdict, probes, read, script};
    use crate::topology::address::NodeId;
    use crate::vm::tests::node;

    const XNET: &[(u8, &[u8])] =
        &[(1, &[0, 1]), (2, &[0, 1]), (201, &[0, 1, 2]), (202, &[0, 1, 2]), (221, &[0, 2])];

    fn planned(cluster: &[(u8, &[u8])], on: u8) -> Vec<Probe> {
        let states: Vec<_> =
            cluster.iter().map(|(n, nets)| NodeState::new(&node(*n, nets), vec![])).collect();
        let ids = cluster.iter().map(|(n, _)| NodeId::new(*n).unwrap());
        let nodes: Vec<_> = ids.zip(&states).collect();
        probes(&nodes, NodeId::new(on).unwrap(), "a.b")
    }

    fn shown(probes: &[Probe]) -> String {
        probes.iter().map(|p| format!("{p:?}\n")).collect()
    }

    #[test]
    fn vm_and_tester_go_by_the_routers() {
        assert_snapshot!(shown(&planned(XNET, 1)), @r#"
        Ping(192.168.2.221)
        Way(192.168.2.221, [192.168.1.201, 192.168.1.202])
        Ping(1000::1:c0a8:2dd)
        Way(1000::1:c0a8:2dd, [1000::1:c0a8:1c9, 1000::1:c0a8:1ca])
        Resolve("a.b")
        "#);
        assert_snapshot!(shown(&planned(XNET, 221)), @r#"
        Ping(192.168.1.1)
        Way(192.168.1.1, [192.168.2.201, 192.168.2.202])
        Ping(1000::1:c0a8:101)
        Way(1000::1:c0a8:101, [1000::1:c0a8:2c9, 1000::1:c0a8:2ca])
        Resolve("a.b")
        "#);
        assert_snapshot!(shown(&planned(XNET, 202)), @r#"
        Resolve("a.b")
        "#);
    }

    #[test]
    fn without_a_tester_two_vms_do() {
        assert_snapshot!(shown(&planned(&XNET[..4], 2)), @r#"
        Ping(192.168.1.1)
        Ping(1000::1:c0a8:101)
        Resolve("a.b")
        "#);
        assert_eq!(planned(&XNET[..1], 1).len(), 1);
    }

    #[test]
    fn script_frames_each_probe() {
        assert_snapshot!(script(&planned(&XNET[..4], 2)), @r#"
        out=$({ ping -c1 -W5 192.168.1.1 || ping -c1 -W5 192.168.1.1; } 2>&1); echo "@probe 0 $?"; echo "$out"
        out=$({ ping -c1 -W5 1000::1:c0a8:101 || ping -c1 -W5 1000::1:c0a8:101; } 2>&1); echo "@probe 1 $?"; echo "$out"
        out=$({ nslookup a.b 127.0.0.1; } 2>&1); echo "@probe 2 $?"; echo "$out"
        "#);
    }

    #[test]
    fn output_is_judged() {
        let probes = planned(XNET, 1);
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
    fn ways_need_a_router_first_and_the_target_last() {
        let probe = &planned(XNET, 1)[1];
        let rows = [
            (" 1  192.168.1.201  1 ms\n 2  192.168.2.221  1 ms\n", Verdict::Ok),
            (" 1  192.168.2.221  1 ms\n", Verdict::Failed),
            (" 1  192.168.1.201  1 ms\n 2  *\n", Verdict::Failed),
            (" 1  192.168.1.7  1 ms\n 2  192.168.2.221  1 ms\n", Verdict::Failed),
            ("", Verdict::Failed),
        ];
        for (output, expected) in rows {
            assert_eq!(probe.judge(0, output).0, expected, "{output}");
        }
    }
}
