//! Options that verbs of clusters share.

use anyhow::Result;
use serde::Serialize;

use super::ClusterOption;
use crate::settings::{Settings, Variables, set_options};
use xc_cluster::RunDir;
use xc_topology::address::NodeId;

/// How large nodes are.
#[derive(Debug, clap::Args, Serialize)]
pub struct NodeSize {
    /// MiB of memory a node; --mem201= for one node [default: 128]
    #[arg(long, value_name = "MIB")]
    mem: Option<String>,
    /// CPUs a node; --smp201= for one node [default: 2]
    #[arg(long, value_name = "N")]
    smp: Option<String>,
}

/// What a cluster is started with; each is also read from the environment, `--nets-vm` as
/// `__nets_vm`.
#[derive(Debug, clap::Args, Serialize)]
pub struct StartOptions {
    #[command(flatten)]
    #[serde(flatten)]
    cluster: ClusterOption,
    /// How many cluster nodes, 1 and up [default: the topology's]
    #[arg(long, value_name = "N")]
    nvm: Option<String>,
    /// How many routers, 201 and up [default: the topology's]
    #[arg(long, value_name = "N")]
    nrouters: Option<String>,
    /// How many testers, 221 and up [default: the topology's]
    #[arg(long, value_name = "N")]
    ntesters: Option<String>,
    /// Networks of cluster nodes, as in 0,1 [default: the topology's]
    #[arg(long, value_name = "NETS")]
    nets_vm: Option<String>,
    /// Networks of routers [default: the topology's]
    #[arg(long, value_name = "NETS")]
    nets_router: Option<String>,
    /// Networks of testers [default: the topology's]
    #[arg(long, value_name = "NETS")]
    nets_tester: Option<String>,
    #[command(flatten)]
    #[serde(flatten)]
    size: NodeSize,
    /// MTU of all networks, in bytes [default: the topology's]
    #[arg(long, value_name = "BYTES")]
    mtu: Option<String>,
    /// The base image
    #[arg(long, value_name = "FILE")]
    image: Option<String>,
    /// The overlays' ISO
    #[arg(long, value_name = "FILE")]
    cdrom: Option<String>,
    /// The kernel
    #[arg(long, value_name = "FILE")]
    kbin: Option<String>,
    /// More for the kernel command line; --append201= for one node
    #[arg(long, value_name = "WORDS")]
    append: Option<String>,
    /// The qemu program
    #[arg(long, value_name = "PROGRAM")]
    kvm: Option<String>,
    /// More options for qemu
    #[arg(long, value_name = "OPTIONS")]
    kvm_opt: Option<String>,
    /// kvm, tcg, or auto: KVM where it works
    #[arg(long, value_name = "KIND")]
    accel: Option<String>,
    /// qemu's machine type [default: pc]
    #[arg(long, value_name = "TYPE")]
    machine: Option<String>,
    /// A program that wires each interface: called with node and network, it prints options of qemu
    #[arg(long, value_name = "PROGRAM")]
    net_setup: Option<String>,
    /// What carries the networks: user, netns, rootless, or auto: netns in a namespace of `nsadd`,
    /// else user
    #[arg(long, value_name = "KIND")]
    net: Option<String>,
    /// Who gets into the nodes by ssh: key, who has the cluster's key; open, any user of this host,
    /// by telnet as well [default: open for the cluster `default`, else key]
    #[arg(long, value_name = "WHO")]
    access: Option<String>,
    /// How many queues interfaces on bridges have [default: one a CPU with KVM, else 1]
    #[arg(long, value_name = "N")]
    queues: Option<String>,
    /// How many seconds a node may take to be ready [default: 60 with KVM, else 180]
    // The setting is __boot_timeout: __timeout is a variable of the contract's test library.
    #[arg(long = "timeout", value_name = "SECONDS")]
    boot_timeout: Option<String>,
    /// How many of its nodes boot at once [default: as the host's cores allow, over all clusters]
    #[arg(long, value_name = "N")]
    parallel: Option<String>,
    /// Which roles come first, as in routers,vms,testers: the next boots when the one before is ready
    #[arg(long, value_name = "ROLES")]
    order: Option<String>,
    /// Go on without nodes that don't come up; the exit code is 1 then
    #[arg(long)]
    keep_going: bool,
    /// Wait so long for memory that clusters which run may give back, where otherwise that is an error
    #[arg(long, value_name = "SECONDS")]
    queue: Option<String>,
    /// Start even if the host has not enough memory for all nodes
    #[arg(long)]
    overcommit: bool,
    /// Ask these DNS servers in place of those of /etc/resolv.conf
    #[arg(long, value_name = "SERVER")]
    dns_upstream: Vec<String>,
    /// A hosts file whose names the DNS proxy answers itself
    #[arg(long, value_name = "FILE")]
    dns_spoof: Option<String>,
    /// Have the DNS proxy use answers so many seconds past their time where no server answers
    #[arg(long, value_name = "SECONDS")]
    dns_stale: Option<String>,
}

/// Nodes of a cluster.
#[derive(Debug, clap::Args)]
pub struct Nodes {
    #[command(flatten)]
    cluster: ClusterOption,
    /// The nodes, as in 1 or vm-001
    #[arg(required = true, value_name = "N")]
    nodes: Vec<NodeId>,
}

impl Nodes {
    /// The run directory of their cluster.
    ///
    /// # Errors
    /// When a setting is not valid.
    pub fn run_directory(&self, variables: Variables) -> Result<RunDir> {
        run_directory_of(&self.cluster, variables)
    }

    /// The nodes, each once.
    pub fn distinct(&self) -> Vec<NodeId> {
        super::distinct(&self.nodes)
    }
}

/// The run directory of a cluster that is given by an option.
///
/// # Errors
/// When a setting is not valid.
pub fn run_directory_of(cluster: &ClusterOption, mut variables: Variables) -> Result<RunDir> {
    set_options(&mut variables, cluster);
    super::run_directory(&Settings::resolve(variables)?)
}
