//! What a start is given, in parts: functions take the part that they need.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::boot::order::Order;
use crate::host::{self, NodeHost};
use crate::key::Access;
use crate::state::DnsService;
use crate::{RunDir, network};
use xc_net::policy::Policy;
use xc_net::user::UserNet;
use xc_topology::address::{NodeId, Prefix};
use xc_topology::{Counts, Node};
use xc_vm::accel::Choice;
use xc_vm::command::Boot;

/// All that a start is given.
#[derive(Debug, Clone)]
pub struct StartParams {
    /// The cluster's run directory.
    pub run: RunDir,
    /// Where consoles and other logs go; kept until the next start.
    pub logs: PathBuf,
    /// The machine that the nodes run on.
    pub host: Arc<dyn NodeHost>,
    /// The nodes, in the order in which they are started.
    pub nodes: Vec<Node>,
    /// How many nodes of each role the nodes are told that there are; counted if not given.
    pub counts: Option<Counts>,
    /// The virtual machine that each node is.
    pub machine: MachineParams,
    /// What the nodes boot from.
    pub boot: BootParams,
    /// What joins them.
    pub network: NetworkParams,
    /// The DNS proxy, if the cluster is to have one.
    pub dns: Option<DnsParams>,
    /// Who gets into the nodes by ssh.
    pub access: Access,
    /// Whether they may be started now.
    pub admission: Admission,
    /// How they are brought up.
    pub bring_up: BringUp,
}

impl StartParams {
    /// Nodes on this machine that boot from that, all else by default: open to whoever reaches them,
    /// without a DNS proxy.
    pub fn new(run: RunDir, logs: &Path, nodes: Vec<Node>, boot: BootParams) -> Self {
        Self {
            run,
            logs: logs.into(),
            host: host::local(),
            nodes,
            counts: None,
            machine: MachineParams::default(),
            boot,
            network: NetworkParams::default(),
            dns: None,
            access: Access::Open,
            admission: Admission::default(),
            bring_up: BringUp::default(),
        }
    }
}

/// The virtual machine that each node is.
#[derive(Debug, Clone)]
pub struct MachineParams {
    /// The qemu program (`__kvm`).
    pub program: String,
    /// The machine type (`__machine`).
    pub kind: String,
    /// Which accelerator is wanted.
    pub accel: Choice,
    /// More qemu options, in words (`--kvm_opt`).
    pub options: Vec<String>,
    /// More of them for single nodes (`__kvm_opt3`).
    pub options_of: BTreeMap<NodeId, Vec<String>>,
}

impl Default for MachineParams {
    fn default() -> Self {
        Self {
            program: "qemu-system-x86_64".into(),
            kind: "pc".into(),
            accel: Choice::Auto,
            options: Vec::new(),
            options_of: BTreeMap::new(),
        }
    }
}

/// What nodes boot from.
#[derive(Debug, Clone)]
pub struct BootParams {
    /// Kernel and disks.
    pub boot: Boot,
    /// What is appended to each kernel command line (`--append`).
    pub append: String,
    /// Whether nodes say when they are ready; those of an image of the user's don't.
    pub reports_ready: bool,
}

/// What joins nodes.
#[derive(Debug, Clone, Default)]
pub struct NetworkParams {
    /// What carries the networks.
    pub choice: network::Choice,
    /// The user's script that wires each interface instead, and prints qemu's options for it
    /// (`__net_setup`).
    pub setup: Option<PathBuf>,
    /// How many queues interfaces have where taps carry them; as suits the accelerator if not given.
    pub queues: Option<u32>,
    /// The 96 bits before each IPv4 address.
    pub prefix: Prefix,
    /// The ports of slot 0.
    pub ports: UserNet,
    /// Whether just those ports, or free ones.
    pub policy: Policy,
}

/// A DNS proxy that is to be started.
#[derive(Debug, Clone)]
pub struct DnsParams {
    /// Its command. `--port=` and `--pid-file=` are added; it has to bind the port on 127.0.0.1 and
    /// ::1 and then write a line that starts with `ready` to stdout.
    pub command: Vec<String>,
    /// What that command does.
    pub service: DnsService,
}

/// Whether nodes may be started now.
#[derive(Debug, Clone, Copy, Default)]
pub struct Admission {
    /// Start even if the host has not enough memory for all nodes.
    pub overcommit: bool,
    /// How long to wait until it has, where clusters that run may end; not at all if not given.
    pub queue: Option<Duration>,
    /// Stop a running cluster first, where otherwise its running is an error.
    pub replace: bool,
}

/// How nodes are brought up.
#[derive(Debug, Clone, Default)]
pub struct BringUp {
    /// How many nodes boot at once; if not given, as the host's cores allow, counting those of the
    /// user's other clusters.
    pub parallel: Option<usize>,
    /// The roles whose nodes come first.
    pub order: Order,
    /// How long a node may take to be ready; if not given, as the accelerator is.
    pub timeout: Option<Duration>,
    /// Go on without nodes that don't come up.
    pub keep_going: bool,
    /// Return as soon as the nodes' qemus run.
    pub detach: bool,
}
