//! What is tried on a node: its command, the frame around what it prints, and what that means. Pure.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{Outcome, Verdict};
use xc_sys::exec::Exec;
use xc_topology::address::NodeId;

/// Starts the frame of a probe's output.
const FRAME: &str = "@probe ";

/// Something to be tried on a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Probe {
    /// An address answers.
    Ping(IpAddr),
    /// An address does not answer, since the topology keeps it apart.
    Apart(IpAddr),
    /// The way to an address goes by these, hop by hop: by one of each set.
    Way(IpAddr, Vec<BTreeSet<NodeId>>),
    /// The node's own DNS server knows a name.
    Resolve(String),
}

/// The shell script that tries the probes and frames what they print.
pub(super) fn script(probes: &[Probe]) -> String {
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
            Probe::Apart(to) => format!("ping -c2 -W2 {to}"),
            Probe::Way(to, _) if to.is_ipv6() => format!("traceroute6 -n -m 8 -q 1 -w 3 {to}"),
            Probe::Way(to, _) => format!("traceroute -n -m 8 -q 1 -w 3 {to}"),
            Probe::Resolve(name) => format!("nslookup {} 127.0.0.1", Exec::new(name).line()),
        }
    }

    fn what(&self) -> String {
        match self {
            Probe::Ping(to) => format!("ping {to}"),
            Probe::Apart(to) => format!("apart from {to}"),
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
            Probe::Apart(_) if code == 0 => (Verdict::Failed, "it answers".into()),
            Probe::Apart(_) => (Verdict::Ok, "no answer".into()),
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

pub(super) fn outcome(node: NodeId, probe: &Probe, verdict: Verdict, detail: String) -> Outcome {
    Outcome { node: node.to_string(), what: probe.what(), verdict, detail }
}

/// The outcomes in a script's output, in order, as far as they go.
pub(super) fn read(node: NodeId, probes: &[Probe], output: &str) -> Vec<Outcome> {
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

    use super::super::tests::{XNET, planned};
    use super::{Outcome, Verdict, read, script};
    use xc_topology::address::NodeId;

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
