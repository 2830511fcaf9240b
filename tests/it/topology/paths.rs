//! The table of paths: every vm reaches every tester and back by the routers that the topology
//! puts between them, IPv4 and IPv6; and what is kept apart is not reached.

use std::net::IpAddr;

use xc_topology::address::{NetworkId, NodeId};
use xc_topology::path::Way;

use super::lab::{LAB, Lab, Setup};
use super::{Ping, both_families, lab, ping_both, reached, topology, with_tester};

/// A path from a node to an address: for each hop the addresses that it may have, the goal last.
struct Path {
    from: u8,
    hops: &'static [&'static [&'static str]],
}

struct Case {
    topology: &'static str,
    set: &'static [(&'static str, &'static str)],
    more: &'static [u8],
    paths: &'static [Path],
    /// A node and an address that it must not reach.
    apart: &'static [(u8, &'static str)],
}

const fn path(from: u8, hops: &'static [&'static [&'static str]]) -> Path {
    Path { from, hops }
}

const PLAIN: Case = Case { topology: "", set: &[], more: &[], paths: &[], apart: &[] };

/// As in `xnet`: one router of two, either way.
const XNET: &[Path] = &[
    path(1, &[&["192.168.1.201", "192.168.1.202"], &["192.168.2.221"]]),
    path(3, &[&["192.168.1.201", "192.168.1.202"], &["192.168.2.221"]]),
    path(221, &[&["192.168.2.201", "192.168.2.202"], &["192.168.1.1"]]),
    path(221, &[&["192.168.2.201", "192.168.2.202"], &["192.168.1.3"]]),
];

const CASES: &[Case] = &[
    Case { topology: "xnet", paths: XNET, ..PLAIN },
    Case { topology: "multilan", paths: XNET, apart: &[(1, "192.168.3.2")], ..PLAIN },
    Case { topology: "multilan-router", paths: XNET, apart: &[(1, "192.168.3.202")], ..PLAIN },
    Case {
        topology: "multilan-router",
        set: &[("XLAN_TEMPLATE", "169.254.0.0/20/24")],
        paths: &[
            path(1, &[&["169.254.3.202"]]),
            path(2, &[&["169.254.5.1"]]),
            path(202, &[&["169.254.4.2"]]),
        ],
        apart: &[(1, "169.254.3.201")],
        ..PLAIN
    },
    Case {
        topology: "dual-path",
        paths: &[
            path(1, &[&["192.168.1.201"], &["192.168.3.203"], &["192.168.2.221"]]),
            path(3, &[&["192.168.4.202"], &["192.168.5.204"], &["192.168.6.222"]]),
            path(221, &[&["192.168.2.203"], &["192.168.3.201"], &["192.168.1.1"]]),
            path(222, &[&["192.168.6.204"], &["192.168.5.202"], &["192.168.4.3"]]),
        ],
        ..PLAIN
    },
    Case {
        topology: "multihop",
        paths: &[
            path(
                1,
                &[&["192.168.1.201"], &["192.168.3.202"], &["192.168.4.203"], &["192.168.2.221"]],
            ),
            path(
                221,
                &[&["192.168.2.203"], &["192.168.4.202"], &["192.168.3.201"], &["192.168.1.1"]],
            ),
        ],
        ..PLAIN
    },
    Case {
        topology: "zones",
        more: &[10, 11, 20, 21],
        paths: &[
            path(1, &[&["192.168.1.201"], &["192.168.2.221"]]),
            path(10, &[&["192.168.3.201"], &["192.168.2.221"]]),
            path(21, &[&["192.168.4.201"], &["192.168.2.221"]]),
            path(221, &[&["192.168.2.201"], &["192.168.1.1"]]),
            path(221, &[&["192.168.2.201"], &["192.168.3.11"]]),
            path(221, &[&["192.168.2.201"], &["192.168.4.20"]]),
        ],
        ..PLAIN
    },
    Case {
        topology: "backend",
        paths: &[
            path(1, &[&["192.168.3.201"], &["192.168.2.221"]]),
            path(221, &[&["192.168.2.201"], &["192.168.3.1"]]),
            path(1, &[&["192.168.1.2"]]),
        ],
        apart: &[(221, "192.168.1.1")],
        ..PLAIN
    },
    Case {
        topology: "bridge",
        paths: &[path(1, &[&["192.168.1.221"]]), path(221, &[&["192.168.1.1"]])],
        apart: &[(1, "192.168.2.221")],
        ..PLAIN
    },
    Case {
        topology: "evil_tester",
        paths: &[
            path(1, &[&["192.168.1.201", "192.168.1.202"], &["192.168.3.222"], &["192.168.2.221"]]),
            path(221, &[&["192.168.2.222"], &["192.168.3.201", "192.168.3.202"], &["192.168.1.1"]]),
        ],
        ..PLAIN
    },
    Case {
        topology: "diamond",
        paths: &[
            path(
                1,
                &[
                    &["192.168.1.201"],
                    &["192.168.3.203", "192.168.4.204"],
                    &["192.168.5.202", "192.168.6.202"],
                    &["192.168.2.221"],
                ],
            ),
            path(
                221,
                &[
                    &["192.168.2.202"],
                    &["192.168.5.203", "192.168.6.204"],
                    &["192.168.3.201", "192.168.4.201"],
                    &["192.168.1.1"],
                ],
            ),
        ],
        ..PLAIN
    },
    Case {
        topology: "x-diamond",
        paths: &[
            path(
                1,
                &[
                    &["192.168.1.201"],
                    &["192.168.3.203", "192.168.4.204"],
                    &["192.168.5.205", "192.168.6.206"],
                    &["192.168.7.202", "192.168.8.202"],
                    &["192.168.2.221"],
                ],
            ),
            path(
                221,
                &[
                    &["192.168.2.202"],
                    &["192.168.7.205", "192.168.8.206"],
                    &["192.168.5.203", "192.168.6.204"],
                    &["192.168.3.201", "192.168.4.201"],
                    &["192.168.1.1"],
                ],
            ),
        ],
        ..PLAIN
    },
];

#[tests(needs = [LAB], slow)]
fn traffic_takes_the_paths_of_the_table() -> Vec<xc_harness::Case> {
    let name = |case: &Case| {
        let set: String = case.set.iter().map(|(name, _)| format!("-{name}")).collect();
        format!("{}{set}", case.topology)
    };
    CASES.iter().map(|case| xc_harness::Case::new(&name(case), || take_paths(case))).collect()
}

fn take_paths(case: &Case) {
    let topology = topology(case.topology, case.set);
    let counts = with_tester(&topology);
    let setup = Setup { counts, more: case.more.to_vec(), ..Setup::default() };
    let lab = lab(&topology, &setup);
    all_pairs(&lab, case.topology);
    for path in case.paths {
        check_path(&lab, case.topology, path);
    }
    let apart: Vec<Ping> =
        case.apart.iter().flat_map(|(from, to)| ping_both(*from, to, "")).collect();
    assert_eq!(reached(&lab, &apart), Vec::new(), "{}", case.topology);
}

/// Every vm and every tester, both ways, at the addresses of their names in the hosts file.
fn all_pairs(lab: &Lab, name: &str) {
    let hosts = std::fs::read_to_string(lab.root(lab.nodes[0].id).join("etc/hosts")).unwrap();
    let numbers: Vec<u8> = lab.nodes.iter().map(|node| node.id.number()).collect();
    let mut pings = Vec::new();
    for from in &numbers {
        let other_end = |to: u8| (*from <= 200 && to > 220) || (*from > 220 && to <= 200);
        for to in numbers.iter().copied().filter(|to| other_end(*to)) {
            let named = format!(" vm-{to:03}");
            let addresses = hosts.lines().filter_map(|line| line.strip_suffix(&named));
            pings.extend(addresses.map(|to| Ping::new(*from, to.parse().unwrap(), "")));
        }
    }
    assert!(pings.len() >= 4, "{name} has no pairs");
    assert_eq!(reached(lab, &pings), pings, "{name}");
}

/// The way that the topology tells is the table's: it is what running clusters are held to.
#[test]
fn ways_are_those_of_the_table() {
    for case in CASES {
        let topology = topology(case.topology, case.set);
        let present = with_tester(&topology).nodes().collect();
        for path in case.paths {
            let [hops @ .., goal] = path.hops else { panic!("a path has a goal") };
            let [_, _, network, host] = octets(goal[0]);
            if goal[0].starts_with("169.254.") {
                continue; // Templates have no routes.
            }
            let node = |number: u8| NodeId::new(number).unwrap();
            let way = topology.way(&present, node(path.from), node(host), NetworkId(network));
            let wanted =
                hops.iter().map(|hop| hop.iter().map(|one| node(octets(one)[3])).collect());
            assert_eq!(
                way,
                Way::By(wanted.collect()),
                "{}: {} to {}",
                case.topology,
                path.from,
                goal[0]
            );
        }
    }
}

/// Backend's internal network is told to be out of the testers' reach, so that `check` can try it.
#[test]
fn what_is_kept_apart_is_told() {
    let backend = topology("backend", &[]);
    let present = with_tester(&backend).nodes().collect();
    let node = |number: u8| NodeId::new(number).unwrap();
    let way = |from, to, network| backend.way(&present, node(from), node(to), NetworkId(network));
    assert_eq!(way(221, 1, 1), Way::Apart);
    assert!(matches!(way(221, 1, 3), Way::By(_)));
    assert_eq!(way(1, 2, 1), Way::By(Vec::new()));
}

fn octets(address: &str) -> [u8; 4] {
    address.parse::<std::net::Ipv4Addr>().unwrap().octets()
}

fn check_path(lab: &Lab, name: &str, path: &Path) {
    let goal = path.hops.last().expect("a path has a goal")[0];
    for to in both_families(goal) {
        let said = lab.said(path.from, &format!("traceroute -n -q1 -w2 -m8 {to}"));
        let hops: Vec<Option<IpAddr>> = said
            .lines()
            .skip(1)
            .map(|line| line.split_whitespace().nth(1).and_then(|word| word.parse().ok()))
            .collect();
        let as_in_table = hops.len() == path.hops.len()
            && hops.iter().zip(path.hops).all(|(hop, allowed)| {
                allowed.iter().flat_map(|one| both_families(one)).any(|one| Some(one) == *hop)
            });
        assert!(as_in_table, "{name}: from {} to {to}:\n{said}", path.from);
    }
}

#[test(needs = [LAB])]
fn dual_path_keeps_to_the_interface() {
    for crossed in [false, true] {
        let set: &[_] = if crossed { &[("CROSSROUTE", "yes")] } else { &[] };
        let topology = topology("dual-path", set);
        let setup = Setup { counts: with_tester(&topology), ..Setup::default() };
        let lab = lab(&topology, &setup);
        // Each path by its own interface.
        let own = [(1, "192.168.6.221", "-I eth2"), (221, "192.168.4.1", "-I eth2")];
        // The other path's address: only routers that know the other path carry it.
        let other = [
            (1, "192.168.2.221", "-I eth2"),
            (1, "192.168.6.221", "-I eth1"),
            (221, "192.168.1.1", "-I eth2"),
            (221, "192.168.4.1", "-I eth1"),
        ];
        let pings = |list: &[(u8, &str, &'static str)]| -> Vec<Ping> {
            list.iter().flat_map(|(from, to, options)| ping_both(*from, to, options)).collect()
        };
        let (own, other) = (pings(&own), pings(&other));
        assert_eq!(reached(&lab, &own), own, "crossed {crossed}");
        assert_eq!(reached(&lab, &other), if crossed { other } else { Vec::new() });
    }
}
