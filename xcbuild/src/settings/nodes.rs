//! What the user set for nodes besides the topology: for a role, for all, for single ones.

use std::collections::BTreeMap;

use super::Settings;
use xc_topology::address::{NodeId, Role};
use xc_topology::{Counts, Overrides, Topology};

impl Settings {
    /// How many nodes of each role: as set, else as the topology has it.
    pub(crate) fn counts(&self, topology: &Topology) -> Counts {
        let set = &self.cluster;
        let default = topology.counts;
        Counts {
            vm: set.vms.unwrap_or(default.vm),
            routers: set.routers.unwrap_or(default.routers),
            testers: set.testers.unwrap_or(default.testers),
        }
    }

    /// More qemu options for single nodes, `__kvm_opt3`, in words.
    pub(crate) fn qemu_options_of(&self) -> BTreeMap<NodeId, Vec<String>> {
        self.cluster.qemu_options.of.clone()
    }

    /// What is set besides the topology.
    pub(crate) fn overrides(&self) -> Overrides {
        let set = &self.cluster;
        let of_roles = [
            (Role::Vm, &set.networks_of_vms),
            (Role::Router, &set.networks_of_routers),
            (Role::Tester, &set.networks_of_testers),
        ];
        let of_roles = of_roles.into_iter().filter_map(|(role, n)| Some((role, n.clone()?)));
        Overrides {
            prefix: set.prefix.clone(),
            mtu: set.mtu,
            networks_of_role: of_roles.collect(),
            networks: set.networks.of.clone(),
            memory_mib: set.memory_mib.all,
            memory_mib_of: set.memory_mib.of.clone(),
            cpus: set.cpus.all,
            cpus_of: set.cpus.of.clone(),
            append: set.append.all.clone().unwrap_or_default(),
            append_of: set.append.of.clone(),
        }
    }
}
