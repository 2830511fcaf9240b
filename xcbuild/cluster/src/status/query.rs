//! How a cluster is now: what is recorded, held against what runs.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;

use super::{LinkStatus, NodeCondition, NodeStatus, Status};
use crate::agent::{Agent, reboots};
use crate::console_log::panicked;
use crate::network::{Endpoint, HostPorts};
use crate::state::{NodeState, Phase};
use crate::{Cluster, RunDir, key, stop};
use xc_topology::address::NodeId;
use xc_vm::process::ProcessId;

/// Looks what has become of a cluster, which need not exist.
///
/// # Errors
/// When its state is there and can't be read.
pub fn status(run: &RunDir) -> Result<Status> {
    Ok(Cluster::find(run)?.map_or_else(|| none(run), |cluster| cluster.status()))
}

fn none(run: &RunDir) -> Status {
    Status {
        cluster: run.name().clone(),
        exists: false,
        interrupted: false,
        of_another_boot: false,
        accel: None,
        started: None,
        net: None,
        network: None,
        ssh_key: None,
        host_ports: HostPorts::default(),
        netns_prefix: Vec::new(),
        dns: None,
        nodes: Vec::new(),
    }
}

impl Cluster {
    /// What has become of it.
    pub fn status(&self) -> Status {
        let state = self.state();
        let alive = |p: Option<ProcessId>| p.filter(|p| self.is_alive(*p));
        let strays = self.strays();
        let nodes = state.nodes.iter().map(|(id, node)| {
            let process = alive(node.process).or_else(|| strays.get(id).copied());
            self.node_status(*id, node, process)
        });
        let owner = Some(state.owner).filter(|owner| self.is_of_this_boot() && owner.is_alive());
        Status {
            cluster: state.cluster.clone(),
            exists: true,
            of_another_boot: !self.is_of_this_boot(),
            interrupted: state.phase == Phase::Starting && owner.is_none(),
            accel: Some(state.accel),
            started: Some(state.started),
            net: Some(state.net.clone()),
            network: Some(state.network.kind().to_string()),
            ssh_key: state.key.as_ref().map(|_| key::path(self.run())),
            host_ports: state.network.host_ports(),
            netns_prefix: state.network.netns_prefix(),
            dns: state.dns.as_ref().map(|dns| alive(dns.helper.process).is_some()),
            nodes: nodes.collect(),
        }
    }

    /// Processes of nodes that are not recorded: only looked for where some node's is missing.
    pub(crate) fn strays(&self) -> BTreeMap<NodeId, ProcessId> {
        if self.state().nodes.values().all(|n| n.process.is_some()) {
            return BTreeMap::new();
        }
        let number =
            |process, path: PathBuf| Some((path.file_stem()?.to_str()?.parse().ok()?, process));
        let found = stop::find(&**self.host(), self.run()).into_iter();
        found.filter_map(|(process, path)| number(process, path)).collect()
    }

    fn node_status(&self, id: NodeId, node: &NodeState, process: Option<ProcessId>) -> NodeStatus {
        let state = self.state();
        let (condition, failure) = self.condition(id, node, process);
        let addressed = node.interfaces.iter().filter(|i| i.ipv4.is_some() || i.ipv6.is_some());
        let Endpoint { address, ssh_port, telnet_port } = state.network.endpoint(&state.net, id);
        let said = self.said(id);
        NodeStatus {
            number: id,
            name: node.name.clone(),
            role: node.role,
            condition,
            failure,
            pid: process.map(|p| p.pid),
            ready_ms: node.ready_ms,
            restarts: node.restarts + reboots(&**self.host(), &self.files(id).agent_log),
            usage: process.and_then(|p| self.host().usage(p)),
            links: node.interfaces.iter().map(|i| LinkStatus::of(i, said)).collect(),
            addresses: addressed.map(|i| (i.network, i.ipv4, i.ipv6)).collect(),
            memory_mib: node.memory_mib,
            cpus: node.cpus,
            address,
            ssh_port,
            telnet_port,
        }
    }

    /// What a node is doing, and what is wrong with it.
    fn condition(
        &self,
        id: NodeId,
        node: &NodeState,
        process: Option<ProcessId>,
    ) -> (NodeCondition, Option<String>) {
        match process {
            Some(_) if node.paused => (NodeCondition::Paused, None),
            Some(_) => self.reported(id),
            None if node.process.is_some() => (NodeCondition::Dead, None),
            None if self.state().owner.is_alive() => (NodeCondition::Waiting, None),
            None => (NodeCondition::Dead, Some("it was never started".to_owned())),
        }
    }

    /// What a node whose processors run is doing, by what it says or its kernel's panic.
    fn reported(&self, id: NodeId) -> (NodeCondition, Option<String>) {
        let (host, files) = (&**self.host(), self.files(id));
        if let Some(panic) = panicked(host, &files) {
            return (NodeCondition::Failed, Some(panic));
        }
        match Agent::read(host, &files.agent_log) {
            Agent::Ready => (NodeCondition::Ready, None),
            Agent::Failed(what) => (NodeCondition::Failed, Some(what)),
            Agent::Silent => (NodeCondition::Booting, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use xc_report::Reporter;

    use super::none;
    use crate::RunDir;

    #[test]
    fn programs_find_the_prefix_of_the_namespace_by_its_former_name() {
        let run = RunDir::new("/r".as_ref(), &"c".parse().unwrap(), &Reporter::silent()).unwrap();
        let json = serde_json::to_value(none(&run)).unwrap();
        assert_eq!(json["through"], serde_json::json!([]));
        assert_eq!(json.get("host_ports"), None);
    }
}
