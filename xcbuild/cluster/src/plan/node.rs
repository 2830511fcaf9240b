//! From a node of the topology to what is saved of it, its qemu command among that.

use std::path::Path;

use anyhow::{Context, Result};

use super::queues;
use crate::network::Attach;
use crate::start::{MachineParams, NetworkParams};
use crate::state::{NodeState, State};
use crate::{RunDir, StartParams};
use xc_sys::exec::Exec;
use xc_sys::shell;
use xc_topology::address::NodeId;
use xc_topology::{Interface, Node};
use xc_vm::command::{Boot, Machine, command};
use xc_vm::kernel_line::{Common, kernel_line};
use xc_vm::port::{Port, netdev_id};

/// What the nodes of a start have in common.
pub(super) struct NodePlan<'a> {
    run: &'a RunDir,
    state: &'a State,
    nodes: &'a [Node],
    params: &'a MachineParams,
    network: &'a NetworkParams,
    boot: &'a Boot,
    machine: Machine,
    common: Common,
}

impl<'a> NodePlan<'a> {
    /// That of the parameters' nodes in the cluster of that state.
    pub(super) fn new(
        run: &'a RunDir,
        params: &'a StartParams,
        boot: &'a Boot,
        state: &'a State,
    ) -> Self {
        let StartParams { machine, network, nodes, .. } = params;
        let others = state.nodes.iter().filter(|(id, _)| nodes.iter().all(|node| node.id != **id));
        let processors = others.map(|(_, node)| node.cpus).chain(nodes.iter().map(|n| n.cpus));
        let common = Common {
            counts: state.counts,
            prefix: network.prefix.clone(),
            dns_port: state.net.dns_port,
            key: state.key.clone(),
            append: params.boot.append.clone(),
        };
        let crowded = processors.sum::<u32>() as usize > params.host.cores();
        let machine = Machine {
            program: machine.program.clone(),
            kind: machine.kind.clone(),
            accel: state.accel,
            crowded,
            options: machine.options.clone(),
        };
        Self { run, state, nodes, params: &params.machine, network, boot, machine, common }
    }

    /// All of them.
    pub(super) fn all(&self) -> Result<Vec<(NodeId, NodeState)>> {
        self.nodes.iter().map(|node| Ok((node.id, self.node(node)?))).collect()
    }

    fn node(&self, node: &Node) -> Result<NodeState> {
        let ports = self.ports(node)?;
        let mut machine = self.machine.clone();
        machine.options.extend(self.params.options_of.get(&node.id).into_iter().flatten().cloned());
        let line = kernel_line(node, self.state.accel, &self.common);
        let paths = self.run.node(node.id, &self.state.logs);
        let argv = command(node, &machine, self.boot, &line, &ports, &paths)?;
        Ok(NodeState::new(node, &ports, argv))
    }

    /// What a node's interfaces are plugged into.
    fn ports(&self, node: &Node) -> Result<Vec<Port>> {
        let interfaces = node.interfaces.iter().enumerate();
        let port = |(i, interface): (usize, &Interface)| match &self.network.setup {
            Some(script) => Ok(Port::Options(self.setup(script, node, interface)?)),
            None => Ok(self.state.network.attach(&Attach {
                id: &netdev_id(i),
                node,
                network: interface.network,
                ports: &self.state.net,
                prefix: &self.network.prefix,
                queues: queues(self.network, self.state.accel),
            })),
        };
        interfaces.map(port).collect()
    }

    /// What a script of the user's says about a node's interface: `__net_setup`.
    fn setup(&self, script: &Path, node: &Node, port: &Interface) -> Result<Vec<String>> {
        let numbers = [node.id.number(), port.network.0].map(|number| number.to_string());
        let exec = Exec::new(script).args(numbers);
        let exec = exec.env("__mtu", port.mtu.to_string()).env("__kvm", &self.params.program);
        let said = exec.output().context("the script of __net_setup")?;
        let said = String::from_utf8(said).context("the script of __net_setup prints no UTF-8")?;
        shell::split(&said).context("what the script of __net_setup prints")
    }
}
