//! The lines for `ip -batch`: bridges, links, addresses, routes and policy rules.
//!
//! `ip` takes the family from the addresses in a line, so v4 and v6 go in one batch; only IPv6
//! policy rules without an address need a batch of their own.

use super::super::Topology;
use super::super::address::{MAINTENANCE, NetworkId};
use super::super::group::Group;
use super::super::route::{Destination, NextHop, Route, Via};
use super::{Device, addressed, device_to, host_address, written};

/// Tables of policy routes begin here; the network's number is added.
const POLICY_TABLES: u16 = 1000;

/// The two families that every route is written for.
#[derive(Clone, Copy)]
enum Family {
    V4,
    V6,
}

impl Family {
    const BOTH: [Family; 2] = [Family::V4, Family::V6];

    /// An address as this family has it: IPv6 puts the prefix before the IPv4 one.
    fn address(self, v4: &str) -> String {
        match self {
            Family::V4 => v4.to_string(),
            Family::V6 => format!("<prefix>:{v4}"),
        }
    }

    fn everything(self) -> &'static str {
        match self {
            Family::V4 => "0.0.0.0/0",
            Family::V6 => "::/0",
        }
    }
}

/// All of a group's lines.
pub(super) fn batch(topology: &Topology, group: &Group) -> String {
    let mut text = String::new();
    for bridge in &group.bridges {
        text += &format!("link add name {} type bridge\n", bridge.name);
    }
    text += &links(topology, group);
    for (device, subnet) in addressed(topology, group) {
        if device == Device::Network(MAINTENANCE) {
            continue;
        }
        let (v4, v6) = (subnet.ipv4(), subnet.ipv6());
        text += &format!("address replace {v4}/{} dev {device}\n", subnet.bits);
        text += &format!("address replace {v6}/{} dev {device} nodad\n", subnet.bits6());
    }
    let routes = group.routes.iter();
    text += &routes.map(|route| route_lines(topology, group, route)).collect::<String>();
    text += &rules(group, Family::V4);
    text
}

/// The IPv6 policy rules, which don't show their family.
pub(super) fn rules6(group: &Group) -> String {
    rules(group, Family::V6)
}

/// `eth0` is the base image's; an interface without addresses stays down.
fn links(topology: &Topology, group: &Group) -> String {
    let mut text = String::new();
    for network in group.networks.iter().filter(|network| **network != MAINTENANCE) {
        let Some(known) = topology.networks.get(network) else { continue };
        let master = group.bridge_of(*network).map(|bridge| format!(" master {}", bridge.name));
        let up = if known.subnet().is_some() { " up" } else { "" };
        let mtu = known.mtu;
        text += &format!(
            "link set dev <if{network}>{} mtu <mtu{network}:{mtu}>{up}\n",
            master.unwrap_or_default()
        );
    }
    for bridge in &group.bridges {
        text += &format!("link set dev {} up\n", bridge.name);
    }
    text
}

fn route_lines(topology: &Topology, group: &Group, route: &Route) -> String {
    let line = |family| route_line(topology, group, route, family).unwrap_or_default();
    Family::BOTH.into_iter().map(line).collect()
}

/// One route in one family; several lines where it leads to each of several nodes. Nothing, where
/// a network has no addresses: the parser refuses such routes.
fn route_line(topology: &Topology, group: &Group, route: &Route, family: Family) -> Option<String> {
    let table = route.leaving_by.map(|network| format!(" table {}", policy_table(network)));
    let table = table.unwrap_or_default();
    let to = match &route.to {
        Destination::Default => family.everything().to_string(),
        Destination::Network(network) => {
            let subnet = written(topology, *network)?;
            let bits = if matches!(family, Family::V4) { subnet.bits } else { subnet.bits6() };
            format!("{}/{bits}", family.address(&subnet.host("0")))
        }
        Destination::Each(nodes, network) => {
            let Via::Itself(on) = route.via else { return None };
            let (far, near) = (written(topology, *network)?, written(topology, on)?);
            let device = device_to(topology, group, on)?;
            let lines = nodes.iter().map(|node| {
                let number = node.number().to_string();
                let to = family.address(&far.host(&number));
                let via = family.address(&near.host(&number));
                format!("<?{number} route replace {to} via {via} dev {device}{table}>\n")
            });
            return Some(lines.collect());
        }
    };
    match &route.via {
        Via::Nothing => Some(format!("route replace unreachable {to}{table}\n")),
        Via::Host => {
            let host = family.address(&host_address());
            Some(format!("route replace {to} via {host} dev <if{MAINTENANCE}>{table}\n"))
        }
        Via::Nodes(hops) => {
            let hops = hops.iter().map(|hop| next_hop(topology, group, hop, family));
            Some(format!("route replace {to}{table}{}\n", hops.collect::<Option<String>>()?))
        }
        Via::Itself(_) => None,
    }
}

fn next_hop(topology: &Topology, group: &Group, hop: &NextHop, family: Family) -> Option<String> {
    let number = hop.node.number();
    let via = family.address(&written(topology, hop.network)?.host(&number.to_string()));
    let device = device_to(topology, group, hop.network)?;
    let text = format!("nexthop via {via} dev {device}");
    Some(if hop.if_present { format!("<?{number}  {text}>") } else { format!(" {text}") })
}

/// One rule per interface that has a table of its own.
fn rules(group: &Group, family: Family) -> String {
    let mut networks: Vec<NetworkId> = group.routes.iter().filter_map(|r| r.leaving_by).collect();
    networks.sort_unstable();
    networks.dedup();
    let from = family.everything();
    let rule = |network: &NetworkId| {
        format!("rule add from {from} oif <if{network}> table {}\n", policy_table(*network))
    };
    networks.iter().map(rule).collect()
}

fn policy_table(network: NetworkId) -> u16 {
    POLICY_TABLES + u16::from(network.0)
}
