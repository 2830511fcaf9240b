//! `TOPOLOGY/Envsettings`: a topology's settings for the shell that sources it.
//!
//! Contract of the tool's users: `. $($XCLUSTER ovld network-topology)/diamond/Envsettings`. The
//! files are kept in the overlay's directory; a test holds them to the topologies.

use std::fmt::Write as _;

use super::super::address::{NetworkId, NodeId, Role};
use super::super::{Counts, Topology};

/// Networks whose bridges `nsadd` makes by itself.
const BRIDGES_OF_NSADD: u8 = 2;

const HEAD: &str = "\
# Made from topologies/NAME.toml by `make derived`; don't edit.
# To be sourced: sets the topology for `xc mkcdrom` and `xc start`.
";

/// Settings of another topology must not stay behind; a user's `__memN` and `__smpN` are kept.
const FORGET: &str = "\
__n=1
while test $__n -le 240; do
	unset __nets$__n
	__n=$((__n + 1))
done
unset __n
";

/// In a namespace of `nsadd`, the bridges that it doesn't make.
const BRIDGES: &str = "\
if ip link show xcbr0 >/dev/null 2>&1; then
	for __net in NETWORKS; do
		ip link show xcbr$__net >/dev/null 2>&1 || $XCLUSTER br_setup $__net
	done
	unset __net
fi
";

/// The file's text.
pub(super) fn render(topology: &Topology) -> String {
    let mut text = HEAD.replace("NAME", &topology.name) + FORGET;
    let Counts { vm, routers, testers } = topology.counts;
    // Writing to a String can't fail.
    let mut export = |name: &str, value: &dyn std::fmt::Display| {
        let _ = writeln!(text, "export {name}={value}");
    };
    export("TOPOLOGY", &topology.name);
    export("__nvm", &vm);
    export("__nrouters", &routers);
    export("__ntesters", &testers);
    for (role, name) in [(Role::Vm, "__nets_vm"), (Role::Router, "__nets_router")] {
        if let Some(usual) = usual_networks(topology, role) {
            export(name, &usual);
        }
    }
    for (node, networks) in own_networks(topology) {
        export(&format!("__nets{}", node.number()), &networks);
    }
    for group in &topology.groups {
        for node in group.nodes.iter() {
            if let Some(memory) = group.memory_mib {
                export(&format!("__mem{}", node.number()), &memory);
            }
            if let Some(cpus) = group.cpus {
                export(&format!("__smp{}", node.number()), &cpus);
            }
        }
    }
    let more = topology.networks.keys().filter(|id| id.0 > BRIDGES_OF_NSADD);
    let more: Vec<String> = more.map(NetworkId::to_string).collect();
    if !more.is_empty() {
        text += &BRIDGES.replace("NETWORKS", &more.join(" "));
    }
    text
}

/// The networks of a role's first group, `0,1`.
fn usual_networks(topology: &Topology, role: Role) -> Option<String> {
    topology.groups.iter().find(|group| group.role() == role).map(|group| list(&group.networks))
}

/// Nodes whose networks are not the usual ones of their role; testers have no such setting.
fn own_networks(topology: &Topology) -> Vec<(NodeId, String)> {
    let mut own = Vec::new();
    for group in &topology.groups {
        let networks = list(&group.networks);
        let usual = usual_networks(topology, group.role());
        if group.role() == Role::Tester || usual.as_deref() != Some(networks.as_str()) {
            own.extend(group.nodes.iter().map(|id| (id, networks.clone())));
        }
    }
    own
}

fn list(networks: &[NetworkId]) -> String {
    networks.iter().map(NetworkId::to_string).collect::<Vec<_>>().join(",")
}
