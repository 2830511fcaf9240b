//! Every topology on a real kernel: what is rendered for the nodes, applied by the nodes' own
//! script in network namespaces, and looked at from inside with ping and traceroute.

mod derived;
mod lab;
mod paths;
mod show;

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use lab::{LAB, Lab, OUTSIDE, Setup};
use xc_topology::address::{NetworkId, Prefix, ipv6};
use xc_topology::{Counts, Overrides, Topology};

/// Reads one of the shipped topologies; `set` are variables.
fn topology(name: &str, set: &[(&str, &str)]) -> Topology {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/ovl/network-topology/topologies");
    let file = Path::new(dir).join(name).with_extension("toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let lookup = |wanted: &str| {
        set.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.to_string())
    };
    Topology::parse(&file.display().to_string(), name, &text, &lookup).unwrap()
}

/// A lab. It needs [`LAB`].
fn lab(topology: &Topology, setup: &Setup) -> Lab {
    Lab::start(topology, setup).unwrap()
}

fn both_families(v4: &str) -> [IpAddr; 2] {
    let v4: Ipv4Addr = v4.parse().unwrap();
    [v4.into(), Prefix::default().embed(v4).into()]
}

/// A question: does this node reach that address?
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ping {
    from: u8,
    to: IpAddr,
    options: &'static str,
}

impl Ping {
    fn new(from: u8, to: IpAddr, options: &'static str) -> Self {
        Self { from, to, options }
    }
}

fn ping_both(from: u8, to: &str, options: &'static str) -> [Ping; 2] {
    both_families(to).map(|to| Ping::new(from, to, options))
}

/// Those that get an answer. All are asked at once, since an answer that doesn't come takes time.
fn reached(lab: &Lab, pings: &[Ping]) -> Vec<Ping> {
    let mut script = String::new();
    for (i, Ping { from, to, options }) in pings.iter().enumerate() {
        let ping = format!("ip netns exec vm-{from:03} ping -n -c1 -W2 -q {options} {to}");
        script += &format!("{ping} >/dev/null 2>&1 && echo {i} &\n");
    }
    let said = lab.must(&(script + "wait"));
    let mut answered: Vec<usize> = said.lines().map(|line| line.parse().unwrap()).collect();
    answered.sort_unstable();
    answered.into_iter().map(|i| pings[i].clone()).collect()
}

/// The counts that a topology asks for, with a tester where it asks for none.
fn with_tester(topology: &Topology) -> Counts {
    Counts { testers: topology.counts.testers.max(1), vm: 3, ..topology.counts }
}

#[test(needs = [LAB])]
fn ecmp_follows_the_counts_at_the_start() {
    let xnet = topology("xnet", &[]);
    for routers in [0, 1, 3] {
        let counts = Counts { vm: 1, routers, testers: 1 };
        let lab = lab(&xnet, &Setup { counts, ..Setup::default() });
        for family in ["-4", "-6"] {
            let routes = lab.said(1, &format!("ip {family} route show default"));
            let hops = routes.matches(" via ").count();
            assert_eq!(hops, usize::from(routers), "{family} {routes}");
        }
    }
}

#[test(needs = [LAB])]
fn flows_are_spread_over_all_routers() {
    let xnet = topology("xnet", &[]);
    let counts = Counts { vm: 1, routers: 2, testers: 1 };
    let lab = lab(&xnet, &Setup { counts, ..Setup::default() });
    for (node, there, here) in [(1, "192.168.2.221", 1), (221, "192.168.1.1", 2)] {
        for to in both_families(there) {
            let flow = format!("ip route get {to} ipproto udp sport 5000 dport $port;");
            let said = lab.said(node, &format!("for port in $(seq 6000 6063); do {flow} done"));
            for host in [201, 202] {
                let hop = match to {
                    IpAddr::V4(_) => format!("via 192.168.{here}.{host} "),
                    IpAddr::V6(_) => {
                        format!("via {} ", ipv6(&Prefix::default(), NetworkId(here), host))
                    }
                };
                assert!(said.contains(&hop), "{node} to {to}: no flow {hop} in\n{said}");
            }
        }
    }
}

#[test(needs = [LAB])]
fn prefix_and_mtu_are_those_of_the_start() {
    let xnet = topology("xnet", &[]);
    let prefix: Prefix = "fd00:1:2::3".parse().unwrap();
    let overrides = Overrides { prefix: prefix.clone(), mtu: Some(9000), ..Overrides::default() };
    let counts = Counts { vm: 1, routers: 1, testers: 1 };
    let lab = lab(&xnet, &Setup { counts, overrides, ..Setup::default() });
    let tester = ipv6(&prefix, NetworkId(2), 221);
    let jumbo = [Ping::new(1, tester.into(), "-M do -s 8900")];
    assert_eq!(reached(&lab, &jumbo), jumbo);
    let hosts = std::fs::read_to_string(lab.root(lab.nodes[0].id).join("etc/hosts")).unwrap();
    assert!(hosts.contains(&format!("{prefix}:192.168.2.221 vm-221")), "{hosts}");
}

#[test(needs = [LAB], slow)]
fn masqueraded_networks_reach_the_outside() {
    let cases: [(&str, &[u8]); 5] = [
        ("xnet", &[1, 221]),
        ("multihop", &[1, 221]),
        ("zones", &[1, 10, 20, 221]),
        ("bridge", &[1, 221]),
        ("evil_tester", &[1, 221]),
    ];
    for (name, nodes) in cases {
        let topology = topology(name, &[]);
        let more = nodes.iter().copied().filter(|n| (10..30).contains(n)).collect();
        let setup = Setup { counts: with_tester(&topology), more, ..Setup::default() };
        let lab = lab(&topology, &setup);
        let outside = |node: &u8| OUTSIDE.map(|to| Ping::new(*node, to.parse().unwrap(), ""));
        let pings: Vec<Ping> = nodes.iter().flat_map(outside).collect();
        assert_eq!(reached(&lab, &pings), pings, "{name}");
    }
    let set = [("DISABLE_MASQUERADE", "yes")];
    let evil = topology("evil_tester", &set);
    let setup = Setup { counts: with_tester(&evil), ..Setup::default() };
    let lab = lab(&evil, &setup);
    let pings = OUTSIDE.map(|to| Ping::new(1, to.parse().unwrap(), ""));
    assert_eq!(reached(&lab, &pings), []);
}

/// User-space networks give a node back what it floods, as ports in hairpin mode do: without the
/// overlay's remedy, frames go round in the router's bridge for ever and reach the tester manifold.
#[test(needs = [LAB])]
fn a_bridge_in_a_node_bears_echoes() {
    let bridge = topology("bridge", &[]);
    let lab = lab(&bridge, &Setup { counts: with_tester(&bridge), ..Setup::default() });
    lab.must("bridge link set dev lab201-1 hairpin on; bridge link set dev lab201-2 hairpin on");
    for to in both_families("192.168.1.221") {
        let said = lab.said(1, &format!("ping -n -c3 -i0.2 -W2 {to}"));
        assert!(said.contains(" 3 received") && !said.contains("duplicates"), "{said}");
    }
    let dropped = lab.said(201, "cat /sys/class/net/br1/statistics/rx_packets");
    assert!(dropped.trim().parse::<u32>().unwrap() < 1000, "{dropped} packets for six pings");
}

#[test(needs = [LAB])]
fn nothing_stays_behind() {
    let xnet = topology("xnet", &[]);
    let lab = lab(&xnet, &Setup::default());
    let root = lab.root(lab.nodes[0].id);
    assert!(lab.must("ip -o link").contains("lab201-1"));
    drop(lab);
    let links = std::process::Command::new("ip").args(["-o", "link"]).output().unwrap();
    assert!(!String::from_utf8_lossy(&links.stdout).contains("lab201-1"));
    assert!(!root.exists());
}
