//! What the user set for nodes beside the topology: for a role, for all, for single ones.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::{Settings, SettingsError, Variables};
use xc_sys::shell;
use xc_topology::address::{NodeId, Role, parse_networks};
use xc_topology::{Counts, Overrides, Topology};

impl Settings {
    /// How many nodes of each role: as set, else as the topology has it.
    pub fn counts(&self, topology: &Topology) -> Counts {
        let set = self.cluster.counts;
        let default = topology.counts;
        Counts {
            vm: set.vms.unwrap_or(default.vm),
            routers: set.routers.unwrap_or(default.routers),
            testers: set.testers.unwrap_or(default.testers),
        }
    }

    /// More qemu options for single nodes, `__kvm_opt3`, in words.
    ///
    /// # Errors
    /// [`SettingsError::Bad`] for a quote that is not closed.
    pub fn qemu_options_of(&self) -> Result<BTreeMap<NodeId, Vec<String>>, SettingsError> {
        per_node(&self.variables, "__kvm_opt", |name, text| {
            shell::split(text).map_err(|e| bad(name, text, &e.to_string()))
        })
    }

    /// What is set beside the topology.
    ///
    /// # Errors
    /// [`SettingsError::Bad`] for a value that is no list of networks or no number.
    pub fn overrides(&self) -> Result<Overrides, SettingsError> {
        let v = &self.variables;
        let mut networks_of_role = BTreeMap::new();
        for (name, role) in [
            ("__nets_vm", Role::Vm),
            ("__nets_router", Role::Router),
            ("__nets_tester", Role::Tester),
        ] {
            if let Some(text) = v.get(name) {
                networks_of_role.insert(role, networks(name, text)?);
            }
        }
        Ok(Overrides {
            prefix: self.cluster.prefix.clone(),
            mtu: self.cluster.mtu.map(u32::from),
            networks_of_role,
            networks: per_node(v, "__nets", networks)?,
            memory_mib: self.cluster.memory_mib,
            memory_mib_of: per_node(v, "__mem", number)?,
            cpus: self.cluster.cpus.map(u32::from),
            cpus_of: per_node(v, "__smp", number)?,
            append: self.cluster.append.clone(),
            append_of: per_node(v, "__append", |_, text| Ok(text.to_owned()))?,
        })
    }
}

/// The variables `PREFIX` + node number.
fn per_node<T>(
    variables: &Variables,
    prefix: &str,
    value: impl Fn(&str, &str) -> Result<T, SettingsError>,
) -> Result<BTreeMap<NodeId, T>, SettingsError> {
    let mut found = BTreeMap::new();
    for (name, text) in variables.iter() {
        let number = name.strip_prefix(prefix).filter(|n| n.bytes().all(|b| b.is_ascii_digit()));
        let Some(node) = number.and_then(|n| n.parse::<NodeId>().ok()) else { continue };
        found.insert(node, value(name, text)?);
    }
    Ok(found)
}

fn networks(name: &str, text: &str) -> Result<Vec<xc_topology::address::NetworkId>, SettingsError> {
    parse_networks(text).map_err(|e| bad(name, text, &e.to_string()))
}

fn number<N: FromStr + PartialOrd + From<u8>>(name: &str, text: &str) -> Result<N, SettingsError> {
    let positive = text.trim().parse::<N>().ok().filter(|n| *n > N::from(0));
    positive.ok_or_else(|| bad(name, text, "a number from 1 on is expected"))
}

fn bad(name: &str, value: &str, expected: &str) -> SettingsError {
    SettingsError::Bad { name: name.into(), value: value.into(), expected: expected.into() }
}

#[cfg(test)]
mod tests {
    use crate::settings::{Settings, Variables};
    use xc_topology::address::{NetworkId, NodeId, Role};

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        let home = [("HOME", "/h")];
        Settings::resolve(Variables::from_pairs(home.iter().chain(pairs).copied())).unwrap()
    }

    #[test]
    fn single_nodes_and_roles_are_read() {
        let s = settings(&[
            ("__nets201", "0,3"),
            ("__nets_vm", "0,5"),
            ("__mem7", "384"),
            ("__smp240", "1"),
            ("__append3", "quiet x=1"),
            ("__kvm_opt3", "-uuid  x"),
            ("__kvm_opt4", "-name 'a b'"),
            ("__memory", "1"),
            ("__mem999", "1"),
        ]);
        let o = s.overrides().unwrap();
        let node = |n| NodeId::new(n).unwrap();
        assert_eq!(o.networks[&node(201)], [NetworkId(0), NetworkId(3)]);
        assert_eq!(o.networks_of_role[&Role::Vm], [NetworkId(0), NetworkId(5)]);
        assert_eq!(o.memory_mib_of.iter().collect::<Vec<_>>(), [(&node(7), &384)]);
        assert_eq!(o.cpus_of[&node(240)], 1);
        assert_eq!(o.append_of[&node(3)], "quiet x=1");
        let options = s.qemu_options_of().unwrap();
        assert_eq!(options[&node(3)], ["-uuid", "x"]);
        assert_eq!(options[&node(4)], ["-name", "a b"]);
        let unclosed = settings(&[("__kvm_opt3", "-name 'a")]).qemu_options_of().unwrap_err();
        assert_eq!(unclosed.to_string(), "__kvm_opt3=-name 'a: a quote is not closed");
    }

    #[test]
    fn bad_values_for_single_nodes_are_named() {
        for (name, value) in [("__mem7", "0"), ("__smp1", "two"), ("__nets201", "1,2")] {
            let e = settings(&[(name, value)]).overrides().unwrap_err().to_string();
            assert!(e.starts_with(&format!("{name}={value}: ")), "{e}");
        }
    }
}
