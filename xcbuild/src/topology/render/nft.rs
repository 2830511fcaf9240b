//! NAT of a node, as an nftables table of our own; what others have in theirs stays.

use super::super::Topology;
use super::super::address::MAINTENANCE;
use super::super::group::Group;
use super::written;

/// The ruleset, empty where nothing is masqueraded. Loading it twice leaves one table.
pub fn render(topology: &Topology, group: &Group) -> String {
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
