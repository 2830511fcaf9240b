//! Starting a cluster: plan, DNS proxy, nodes; all of it or nothing.
//!
//! What fails or is cancelled on the way is undone before the error is returned. What an xcbuild
//! that was killed left behind is undone by the next start or stop.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::boot::order::Order;
use super::boot::{self, Limits, NodeFailed, Way};
use super::key::Access;
use super::memory::{self, NoRoom};
use super::network::{self, Kind};
use super::plan::{self, Preflight};
use super::rundir::{ClusterLock, private_directory};
use super::state::{DnsService, Phase, State};
use super::{ClusterName, ErrorKind, RunDir, Status, dns, hint, stop};
use xc_net::ports::Policy;
use xc_net::user::UserNet;
use xc_sys::cancel;
use xc_topology::address::{NodeId, Prefix};
use xc_topology::{Counts, Node};
use xc_vm::accel::Choice;
use xc_vm::command::{Accel, Boot};

/// All that a start is told.
#[derive(Debug, Clone)]
pub struct StartParams {
    /// The cluster's run directory.
    pub run: RunDir,
    /// Where consoles and other logs go; kept until the next start.
    pub logs: PathBuf,
    /// The nodes, in the order in which they are started.
    pub nodes: Vec<Node>,
    /// How many vms, routers and testers the nodes are told that there are; counted if not given.
    pub counts: Option<Counts>,
    /// The qemu program (`__kvm`).
    pub program: String,
    /// The machine type (`__machine`).
    pub machine: String,
    /// More qemu options, in words (`--kvm_opt`).
    pub qemu_options: Vec<String>,
    /// More of them for single nodes (`__kvm_opt3`).
    pub qemu_options_of: BTreeMap<NodeId, Vec<String>>,
    /// Which accelerator is wanted.
    pub accel: Choice,
    /// What the nodes boot from.
    pub boot: Boot,
    /// The 96 bits before each IPv4 address.
    pub prefix: Prefix,
    /// What is appended to each kernel command line (`--append`).
    pub append: String,
    /// What carries the networks.
    pub network: network::Choice,
    /// The user's script that wires each interface instead, and prints qemu's options for it
    /// (`__net_setup`).
    pub net_setup: Option<PathBuf>,
    /// How many queues interfaces have where taps carry them; as suits the accelerator if not given.
    pub queues: Option<u32>,
    /// The ports of slot 0.
    pub net: UserNet,
    /// Whether just those ports, or free ones.
    pub ports: Policy,
    /// The DNS proxy, if the cluster is to have one.
    pub dns: Option<DnsParams>,
    /// How many nodes boot at once; if not given, as the host's cores allow, counting those of the
    /// user's other clusters.
    pub parallel: Option<usize>,
    /// The roles whose nodes come first.
    pub order: Order,
    /// Go on without nodes that don't come up.
    pub keep_going: bool,
    /// How long a node may take to be ready; if not given, as the accelerator is.
    pub timeout: Option<Duration>,
    /// Start even if the host has not enough memory for all nodes.
    pub overcommit: bool,
    /// Where the kernel tells what memory the host has: proc_meminfo(5).
    pub meminfo: PathBuf,
    /// How long to wait until it has, where clusters that run may end; not at all if not given.
    pub queue: Option<Duration>,
    /// Stop a running cluster first, where otherwise its running is an error.
    pub replace: bool,
    /// Who gets into the nodes by ssh.
    pub access: Access,
    /// Whether the nodes say when they are ready.
    pub wait: bool,
    /// Return as soon as the nodes' qemus run.
    pub at_once: bool,
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

/// What happens during a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The nodes run without KVM, for that reason.
    Fallback(String),
    /// What carries the networks in place of the kind that was requested, and why.
    NetworkFallback(Kind, String),
    /// What carries the networks, where that is not each qemu by itself.
    Network(Kind),
    /// There is not enough memory yet, and that is waited for.
    Queued(NoRoom),
    /// A cluster of that name was running, or its remains were there, and is being ended.
    Stopping,
    /// Somebody serves names at that port already; the nodes ask that server.
    DnsThere(u16),
    /// The DNS proxy is bound to that port.
    Dns(u16),
    /// An image has been made anew since the cluster was started.
    Changed(PathBuf),
    /// A node's qemu was started.
    Launched(NodeId),
    /// A node is ready, so long after its launch.
    Ready(NodeId, Duration),
    /// A start script of a node's overlays failed, as it says; the node comes up all the same.
    Warning(NodeId, String),
    /// A node is not ready and won't be; the others go on.
    Failed(NodeFailed),
    /// Something failed, and what was made is being undone.
    Unwinding,
}

/// A cluster that was started.
#[derive(Debug, Clone)]
pub struct Report {
    /// Its nodes, as `status` shows them.
    pub status: Status,
    /// What executes them.
    pub accel: Accel,
    /// Its ports.
    pub net: UserNet,
    /// From the start of the first qemu to the last node's being ready.
    pub boot_time: Duration,
    /// Nodes that did not come up, where the others were to go on.
    pub failed: Vec<NodeFailed>,
}

/// Why there is no start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// There is a cluster already.
    #[error(
        "the cluster `{cluster}` is running ({alive} nodes alive); stop it first, or choose another name (--cluster NAME)"
    )]
    Running {
        /// Its name.
        cluster: ClusterName,
        /// How many of its nodes are alive.
        alive: usize,
    },
    /// Somebody starts or stops it right now.
    #[error(
        "the cluster `{0}` is being started or stopped by another xcbuild; wait for it, or end it by {stop}",
        stop = .0.command("stop")
    )]
    Busy(ClusterName),
}

/// Starts a cluster and returns when all its nodes are ready.
///
/// # Errors
/// [`StartError`], [`NoRoom`], [`NodeFailed`], [`xc_net::ports::PortsTaken`],
/// [`cancel::Cancelled`], or what else is missing or refused. Nothing of the cluster is left then
/// but its logs.
pub fn start(params: &StartParams, progress: &dyn Fn(Event)) -> Result<Report> {
    let preflight = plan::preflight(params)?;
    memory::queued(&params.run, params.queue, progress, || start_now(params, &preflight, progress))
}

fn start_now(
    params: &StartParams,
    preflight: &Preflight,
    progress: &dyn Fn(Event),
) -> Result<Report> {
    let run = &params.run;
    let Some(lock) = run.try_lock()? else {
        bail!(StartError::Busy(run.name().clone()));
    };
    let admitted = refuse_running(run, params.replace)
        .and_then(|()| memory::check(run, params, preflight.accel(), true));
    match admitted {
        Ok(()) => {}
        Err(error) if run.path().exists() => return Err(error),
        Err(error) => return Err(unwound(run, lock, error)),
    }
    make_room(run, progress)?;
    let (mut state, claim) = match plan::cluster(run, params, preflight, progress) {
        Ok(planned) => planned,
        Err(error) => return Err(unwound(run, lock, error)),
    };
    let up = bring_up(run, params, &mut state, progress);
    drop(claim);
    match up {
        Ok((boot_time, failed)) => {
            let status = super::status(run)?;
            Ok(Report { status, accel: state.accel, net: state.net, boot_time, failed })
        }
        Err(error) => {
            progress(Event::Unwinding);
            Err(unwound(run, lock, error))
        }
    }
}

/// A running cluster is only replaced where that is wanted.
fn refuse_running(run: &RunDir, replace: bool) -> Result<()> {
    let alive = match super::status(run) {
        Ok(status) => status.alive(),
        // Its nodes may run, and can't be counted.
        Err(error) if !replace && hint::kind(&error) == Some(ErrorKind::OtherVersion) => {
            return Err(error);
        }
        // A damaged state is no hindrance: what is left of the cluster is ended.
        Err(_) => 0,
    };
    if alive > 0 && !replace {
        bail!(StartError::Running { cluster: run.name().clone(), alive });
    }
    Ok(())
}

/// Ends what there is of a former cluster of the name.
fn make_room(run: &RunDir, progress: &dyn Fn(Event)) -> Result<()> {
    if !run.path().exists() {
        return Ok(());
    }
    progress(Event::Stopping);
    stop::undo(run)?;
    Ok(())
}

fn bring_up(
    run: &RunDir,
    params: &StartParams,
    state: &mut State,
    progress: &dyn Fn(Event),
) -> Result<(Duration, Vec<NodeFailed>)> {
    private_directory(&state.logs)?;
    network::make(run, state)?;
    if state.dns.is_some() {
        dns::start(run, state)?;
        progress(Event::Dns(state.net.dns_port));
    }
    let began = Instant::now();
    let ids: Vec<_> = params.nodes.iter().map(|n| (n.id, Way::Launch)).collect();
    let limits = Limits::of(state.accel, params);
    let failed = boot::nodes(run, state, &ids, &limits, progress)?;
    state.phase = Phase::Running;
    state.save(run)?;
    cancel::check()?;
    Ok((began.elapsed(), failed))
}

/// Undoes a start; the error that led to it stays the one that is told, with what could not be
/// undone.
fn unwound(run: &RunDir, lock: ClusterLock, error: anyhow::Error) -> anyhow::Error {
    match stop::undo(run).and_then(|_| lock.remove()) {
        Ok(()) => error,
        Err(left) => error.context(format!("and not all of it could be undone: {left:#}")),
    }
}
