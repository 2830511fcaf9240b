//! `xcbuild start`: the cluster, from finished images.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use serde::Serialize;

use super::cluster::{self, ClusterOption};
use super::terminal::Terminal;
use super::{params, topology};
use crate::settings::{Settings, Variables, set_options};
use crate::ui::{self, Progress};
use xc_cluster::boot::NodeFailed;
use xc_cluster::{ClusterName, Event, Report};
use xc_sys::exec::own_program;
use xc_topology::address::NodeId;

/// Start the cluster from the base image and the cdrom, with a window for each node in tmux or on
/// the X display; stop a running one of the name first
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    options: StartOptions,
}

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

/// Runs the verb.
///
/// # Errors
/// Whatever keeps a node from being ready; nothing of the cluster is left then.
pub fn run(arguments: &Arguments, mut variables: Variables, windows: bool) -> Result<ExitCode> {
    set_options(&mut variables, &arguments.options);
    let settings = Settings::resolve(variables)?;
    let report = start(&settings, true)?;
    if let Some(terminal) = Terminal::of(&settings.variables).filter(|_| windows) {
        let ids = report.status.nodes.iter().map(|node| node.number);
        let cluster = &report.status.cluster;
        ids.into_iter().try_for_each(|id| window(terminal, &settings, cluster, id))?;
    }
    ui::result(cluster::table(&report.status));
    judge(&report.failed)?;
    Ok(ExitCode::SUCCESS)
}

/// That some nodes did not come up, where the others went on, is a failure all the same.
///
/// # Errors
/// When there is one; it was told when it happened.
pub fn judge(failed: &[NodeFailed]) -> Result<()> {
    let names: Vec<_> = failed.iter().map(|f| f.node.to_string()).collect();
    if !names.is_empty() {
        bail!("{} did not come up; the other nodes run (--keep-going)", names.join(", "));
    }
    Ok(())
}

/// Opens a window that shows a node's console.
///
/// # Errors
/// When it can't be opened.
pub fn window(
    terminal: Terminal,
    settings: &Settings,
    cluster: &ClusterName,
    node: NodeId,
) -> Result<()> {
    let command = on_node("console", settings, cluster, node)?;
    terminal.open(&node.to_string(), &command, false)
}

/// The words of a command of ours on a node, for wherever it may run: the environment of a window is
/// that of tmux, or of the session, which may know nothing of ours.
///
/// # Errors
/// When it is not known where xcbuild itself is.
pub fn on_node(
    verb: &str,
    settings: &Settings,
    cluster: &ClusterName,
    node: NodeId,
) -> Result<Vec<String>> {
    let program = own_program().context("can't tell where xcbuild itself is")?;
    let run = std::path::absolute(&settings.places.run)?;
    Ok(vec![
        "env".into(),
        format!("XCBUILD_RUN={}", run.display()),
        program.display().to_string(),
        verb.into(),
        format!("--cluster={cluster}"),
        node.number().to_string(),
    ])
}

/// Starts the cluster that the settings describe and shows its progress.
///
/// # Errors
/// Whatever keeps a node from being ready; nothing of the cluster is left then.
pub fn start(settings: &Settings, replace: bool) -> Result<Report> {
    let topology = topology::load(settings)?;
    let nodes = topology.nodes(&settings.counts(&topology), &settings.overrides()?)?;
    let params = params::params(settings, &topology, nodes, replace)?;
    let bar = Progress::sized("starting nodes", params.nodes.len() as u64, false);
    let report = xc_cluster::start(&params, &|event| show(&settings.cluster.name, &bar, &event))?;
    drop(bar);
    let nodes = report.status.nodes.len() - report.failed.len();
    let seconds = report.boot_time.as_secs_f32();
    ui::status("Started", format_args!("{nodes} nodes in {seconds:.1} s"));
    Ok(report)
}

/// Shows a step of a start, or of whatever else boots nodes.
pub fn show(cluster: &ClusterName, bar: &Progress, event: &Event) {
    match event {
        Event::Fallback(reason) => {
            ui::warn(format_args!("nodes run without KVM, some ten times slower: {reason}"))
        }
        Event::NoBridges(reason) => {
            ui::warn(format_args!("networks are qemu's own (--net=user): {reason}"))
        }
        Event::Network(kind) => ui::status("Using", format_args!("{kind} networks")),
        Event::Queued(room) => {
            ui::warn(room);
            ui::status("Waiting", "for memory");
        }
        Event::Stopping => ui::status("Stopping", "the cluster that was there"),
        Event::DnsThere(port) => {
            ui::status("Using", format_args!("the DNS server that is at port {port} already"));
        }
        Event::Dns(port) => ui::status("Serving", format_args!("DNS at port {port}")),
        Event::Changed(image) => ui::warn(format_args!(
            "`{}` has been made anew since the cluster was started: nodes that start now get the new one",
            image.display()
        )),
        Event::Launched(node) => bar.message(format_args!("booting {node}")),
        Event::Ready(node, after) => {
            bar.advance(1);
            ui::status("Ready", format_args!("{node} after {:.1} s", after.as_secs_f32()));
        }
        Event::Warning(node, what) => ui::warn(node_warning(cluster, *node, what)),
        Event::Failed(failed) => {
            bar.advance(1);
            ui::warn(failed);
        }
        Event::Unwinding => ui::status("Undoing", "what was started"),
    }
}

/// Something wrong with a node, and what shows more.
fn node_warning(cluster: &ClusterName, node: NodeId, what: &str) -> String {
    let logs = cluster.command(format_args!("logs {}", node.number()));
    format!("{node}: {what}; {logs} shows its console")
}

#[cfg(test)]
mod tests {
    use super::node_warning;
    use xc_topology::address::NodeId;

    #[test]
    fn warnings_of_nodes_name_their_cluster() {
        let node = NodeId::new(201).unwrap();
        let text = node_warning(&"ci".parse().unwrap(), node, "lost a link");
        assert_eq!(text, "vm-201: lost a link; `xcbuild logs --cluster=ci 201` shows its console");
    }
}
