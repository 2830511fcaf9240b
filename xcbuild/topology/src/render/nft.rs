//! The node's nftables tables, of our own; what others have in theirs stays.
//!
//! One does NAT. The other keeps bridges from echoes: user-space networking (multicast sockets) gives
//! a node back what it sends, so a bridge would take its own frames in again and send them round for
//! ever. Who was sent out by a port a moment ago is not behind that port: frames from there are
//! dropped. On networks without echoes nothing ever matches.

use super::super::Topology;
use super::super::address::{MAINTENANCE, NetworkId};
use super::super::group::{Bridge, Group};
use super::written;

/// How long a bridge remembers whom it has sent out by a port: longer than an echo takes on a
/// crowded machine, short enough for a machine that moves to the other side.
const ECHO: &str = "10s";

/// The ruleset, empty where there is nothing to do. Loading it twice leaves one of each table.
pub(super) fn render(topology: &Topology, group: &Group) -> String {
    masquerade(topology, group) + &group.bridges.iter().map(no_echo).collect::<String>()
}

fn masquerade(topology: &Topology, group: &Group) -> String {
    let subnets = group.masquerade.iter().filter_map(|network| written(topology, *network));
    let (v4, v6): (Vec<String>, Vec<String>) = subnets
        .map(|subnet| (format!("{}/{}", subnet.host("0"), subnet.bits), subnet.ipv6_hex()))
        .unzip();
    if v4.is_empty() {
        return String::new();
    }
    format!(
        "table inet xcluster_topology
delete table inet xcluster_topology
table inet xcluster_topology {{
	chain postrouting {{
		type nat hook postrouting priority srcnat
		oifname \"<if{MAINTENANCE}>\" ip saddr {{ {} }} masquerade
		oifname \"<if{MAINTENANCE}>\" ip6 saddr {{ {} }} masquerade
	}}
}}
",
        v4.join(", "),
        v6.join(", ")
    )
}

fn no_echo(bridge: &Bridge) -> String {
    let lines = |line: &dyn Fn(&NetworkId) -> String| -> String {
        bridge.networks.iter().map(line).collect()
    };
    let sets = lines(&|id| {
        let of = "type ether_addr; size 4096; flags dynamic,timeout; timeout";
        format!("\tset sent_{id} {{ {of} {ECHO}; }}\n")
    });
    let drops = lines(&|id| format!("\t\tiifname \"<if{id}>\" ether saddr @sent_{id} drop\n"));
    let notes =
        lines(&|id| format!("\t\toifname \"<if{id}>\" update @sent_{id} {{ ether saddr }}\n"));
    let name = &bridge.name;
    format!(
        "table bridge echo_{name}
delete table bridge echo_{name}
table bridge echo_{name} {{
{sets}\tchain prerouting {{
\t\ttype filter hook prerouting priority 0
{drops}\t}}
\tchain postrouting {{
\t\ttype filter hook postrouting priority 0
{notes}\t}}
}}
"
    )
}
