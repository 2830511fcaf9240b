//! From what is known of a cluster to what is shown of it. Pure.

use std::collections::BTreeMap;
use std::time::Instant;

use xc_cluster::Status;
use xc_cluster::status::{NodeCondition, NodeStatus};

/// What was known at a moment.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    /// The cluster.
    pub status: Status,
    /// The moment.
    pub at: Instant,
}

/// A node as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NodeRow {
    /// Its number.
    pub number: u8,
    /// Its name.
    pub name: String,
    /// Its role.
    pub role: String,
    /// What it is doing.
    pub condition: NodeCondition,
    /// How long it took until it was ready.
    pub ready: String,
    /// How much of a core its qemu took since the sample before, in percent.
    pub cpu: String,
    /// How much of the host's memory its qemu has, in MiB.
    pub memory: String,
    /// How often it has booted again.
    pub restarts: u32,
    /// Where ssh to it is.
    pub ssh: String,
    /// What is wrong: what it said that failed, or links.
    pub wrong: String,
}

/// A network as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NetworkRow {
    /// Its number.
    pub number: u8,
    /// The nodes on it, by number.
    pub nodes: String,
    /// The nodes whose links to it have faults.
    pub wrong: String,
}

/// The nodes, in order.
pub(crate) fn nodes(now: &Sample, before: Option<&Sample>) -> Vec<NodeRow> {
    let row = |node: &NodeStatus| NodeRow {
        number: node.number.number(),
        name: node.name.clone(),
        role: node.role.to_string(),
        condition: node.condition,
        ready: node.ready_ms.map_or("-".into(), |ms| format!("{:.1} s", ms as f64 / 1000.0)),
        cpu: before
            .and_then(|before| cpu(node, now, before))
            .map_or("-".into(), |p| format!("{p}%")),
        memory: memory(node),
        restarts: node.restarts,
        ssh: format!("{}:{}", node.address, node.ssh_port),
        wrong: wrong(node),
    };
    now.status.nodes.iter().map(row).collect()
}

/// The networks, in order.
pub(crate) fn networks(status: &Status) -> Vec<NetworkRow> {
    let mut all: BTreeMap<u8, (Vec<u8>, Vec<u8>)> = BTreeMap::new();
    for node in &status.nodes {
        for link in &node.links {
            let (nodes, bad) = all.entry(link.network.0).or_default();
            nodes.push(node.number.number());
            if !link.faults().is_empty() {
                bad.push(node.number.number());
            }
        }
    }
    let row = |(number, (nodes, bad)): (u8, (Vec<u8>, Vec<u8>))| NetworkRow {
        number,
        nodes: ranges(&nodes),
        wrong: ranges(&bad),
    };
    all.into_iter().map(row).collect()
}

/// The cluster in a line.
pub(crate) fn headline(status: &Status, now: u64) -> String {
    if !status.exists {
        return format!("{}: no such cluster runs", status.cluster);
    }
    let ready = status.nodes.iter().filter(|n| n.condition == NodeCondition::Ready).count();
    let accel = status.accel.map_or("", |accel| match accel {
        xc_vm::command::Accel::Kvm => "KVM",
        xc_vm::command::Accel::Tcg => "without KVM",
    });
    let network = status.network.as_deref().unwrap_or("no");
    let dns = if status.dns == Some(false) { ", DNS proxy ended" } else { "" };
    let up = now.saturating_sub(status.started.unwrap_or(now));
    let (all, name) = (status.nodes.len(), &status.cluster);
    format!("{name}: {ready} of {all} ready, {accel}, {network} networks{dns}, up {}", time(up))
}

/// Seconds as people read them.
fn time(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// How much of the host's memory a node's qemu has, in MiB.
pub(crate) fn memory(node: &NodeStatus) -> String {
    node.usage.map_or("-".into(), |usage| usage.memory_mib.to_string())
}

/// In percent of a core. A node whose qemu is another than before has no share yet.
fn cpu(node: &NodeStatus, now: &Sample, before: &Sample) -> Option<u64> {
    let was = before.status.nodes.iter().find(|n| n.number == node.number && n.pid == node.pid)?;
    let spent = node.usage?.cpu_ms.checked_sub(was.usage?.cpu_ms)?;
    let passed = u64::try_from((now.at - before.at).as_millis()).ok().filter(|ms| *ms > 0)?;
    Some(spent * 100 / passed)
}

fn wrong(node: &NodeStatus) -> String {
    let links = node.links.iter().filter(|link| !link.faults().is_empty());
    let links = links.map(|link| format!("net {} {}", link.network, link.faults()));
    node.failure.iter().cloned().chain(links).collect::<Vec<_>>().join("; ")
}

/// Numbers in order, neighbours as ranges: `1-4 201 203`.
fn ranges(numbers: &[u8]) -> String {
    let mut done: Vec<(u8, u8)> = Vec::new();
    for &number in numbers {
        match done.last_mut() {
            Some((_, last)) if number.checked_sub(1) == Some(*last) => *last = number,
            _ => done.push((number, number)),
        }
    }
    let text = |(first, last): &(u8, u8)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    done.iter().map(text).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::{Duration, Instant};

    use super::{Sample, headline, networks, nodes, ranges};
    use xc_cluster::network::HostPorts;
    use xc_cluster::status::{LinkStatus, NodeCondition, NodeStatus, Status};
    use xc_topology::address::{NetworkId, NodeId};
    use xc_vm::command::Accel;
    use xc_vm::usage::Usage;

    fn node(number: u8, networks: &[u8], cpu_ms: u64) -> NodeStatus {
        let link = |network: &u8| LinkStatus {
            network: NetworkId(*network),
            up: number != 2 || *network != 1,
            impaired: Default::default(),
            lost: false,
        };
        let id = NodeId::new(number).unwrap();
        NodeStatus {
            number: id,
            name: format!("vm-{number:03}"),
            role: id.role(),
            condition: NodeCondition::Ready,
            failure: None,
            pid: Some(100 + i32::from(number)),
            ready_ms: Some(2950),
            restarts: 0,
            usage: Some(Usage { cpu_ms, memory_mib: 61 }),
            addresses: vec![],
            links: networks.iter().map(link).collect(),
            memory_mib: 128,
            cpus: 2,
            address: std::net::Ipv4Addr::LOCALHOST,
            ssh_port: 12_300 + u16::from(number),
            telnet_port: 12_000 + u16::from(number),
        }
    }

    /// A cluster of three nodes of which one has died, and the same a second later.
    pub(in crate::top) fn samples() -> (Sample, Sample) {
        let status = |cpu_ms| Status {
            cluster: "ci-1".parse().unwrap(),
            exists: true,
            interrupted: false,
            of_another_boot: false,
            accel: Some(Accel::Tcg),
            started: Some(1000),
            net: None,
            network: Some("user".into()),
            host_ports: HostPorts::default(),
            ssh_key: None,
            netns_prefix: vec![],
            dns: Some(true),
            nodes: vec![
                node(1, &[0, 1], cpu_ms),
                node(2, &[0, 1], cpu_ms),
                node(201, &[0, 1, 2], cpu_ms),
            ],
        };
        let at = Instant::now();
        let mut now = Sample { status: status(1450), at: at + Duration::from_secs(1) };
        let dead = &mut now.status.nodes[2];
        (dead.condition, dead.pid, dead.usage) = (NodeCondition::Dead, None, None);
        now.status.nodes[1].restarts = 1;
        (Sample { status: status(1000), at }, now)
    }

    #[test]
    fn rows_say_what_changed() {
        let (before, now) = samples();
        let rows = nodes(&now, Some(&before));
        assert_eq!((rows[0].cpu.as_str(), rows[0].memory.as_str()), ("45%", "61"));
        assert_eq!((rows[2].cpu.as_str(), rows[2].memory.as_str()), ("-", "-"));
        assert_eq!(rows[1].wrong, "net 1 down");
        let nets = networks(&now.status);
        let nets: Vec<_> = nets.iter().map(|n| (n.nodes.as_str(), n.wrong.as_str())).collect();
        assert_eq!(nets, [("1-2 201", ""), ("1-2 201", "2"), ("201", "")]);
        assert_eq!(
            headline(&now.status, 1075),
            "ci-1: 3 of 3 ready, without KVM, user networks, up 1 min".replace("3 of", "2 of")
        );
    }

    #[test]
    fn numbers_are_put_together() {
        assert_eq!(ranges(&[1, 2, 3, 5, 201, 202, 240]), "1-3 5 201-202 240");
        assert_eq!(ranges(&[]), "");
    }
}
