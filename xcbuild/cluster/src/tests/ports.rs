//! Ports for clusters of tests, that no cluster of anybody's takes and no other test has.

use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;

use xc_net::policy::{Policy, choose};
use xc_net::ports::Reserved;
use xc_net::user::UserNet;
use xc_topology::address::NodeId;

/// Below these lie the contract's own ports, above them those of named clusters
/// ([`UserNet::in_slot`]); and a connection that goes out takes none of them.
const AREA: Range<u16> = 13_000..18_000;
/// The highest number of a node in these tests.
const NODES: u8 = 20;
/// How many ports a cluster has: one that is its claim, one for telnet and one for ssh to each
/// node, and four single ones.
const BLOCK: u16 = 50;

/// A cluster's ports. They are its own as long as this lives, among all tests of the machine: the
/// block's first port is bound, which only one can do.
pub(super) struct Ports {
    /// The numbers.
    pub(super) net: UserNet,
    _claim: TcpListener,
}

impl Ports {
    /// The first block that no other test has claimed and of which nobody has a port.
    pub(super) fn free() -> Self {
        let mut blocks = AREA.step_by(BLOCK.into());
        blocks.find_map(Self::of).unwrap_or_else(|| panic!("no ports are free in {AREA:?}"))
    }

    fn of(first: u16) -> Option<Self> {
        let claim = TcpListener::bind((Ipv4Addr::LOCALHOST, first)).ok()?;
        let single = first + 2 * u16::from(NODES) + 1;
        let net = UserNet {
            telnet_base: first,
            ssh_base: first + u16::from(NODES),
            k8s_port: single,
            api_port: single + 1,
            dns_port: single + 2,
            mcast_port: single + 3,
            ..UserNet::default()
        };
        let nodes: Vec<_> = (1..=NODES).filter_map(NodeId::new).collect();
        let net = choose(&net, Policy::Given, &nodes, true, &Reserved::new()).ok()?;
        Some(Self { net, _claim: claim })
    }
}

#[test]
fn clusters_of_tests_and_of_users_share_no_port() {
    use xc_net::ports::wanted;
    use xc_net::user::SLOTS;
    let (one, other) = (Ports::free(), Ports::free());
    let numbers = |net: &UserNet, nodes: u8| {
        let nodes: Vec<_> = (1..=nodes).filter_map(NodeId::new).collect();
        let mut all: Vec<_> = wanted(net, &nodes, true).into_iter().map(|(port, _)| port).collect();
        all.push(net.mcast_port);
        all
    };
    let (one, other) = (numbers(&one.net, NODES), numbers(&other.net, NODES));
    assert!(one.iter().all(|port| !other.contains(port)), "{one:?} {other:?}");
    for slot in 0..SLOTS {
        let users = numbers(&UserNet::default().in_slot(slot), 240);
        assert!(users.iter().all(|port| !AREA.contains(port)), "slot {slot}: {users:?}");
    }
}
