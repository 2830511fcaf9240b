//! From what the user wants to the state that will be made: everything that can be refused is
//! refused here, before anything exists.

mod node;
mod ports;

use std::path::PathBuf;

use anyhow::{Context, Result};

use self::node::NodePlan;
use self::ports::{is_served, reserved, taken};
use super::cluster::LockedCluster;
use super::key::{self, Access};
use super::memory::{self, Demand};
use super::network::{self, Kind};
use super::start::{DnsParams, NetworkParams};
use super::state::{Dns, Helper, Image, State};
use super::{Event, RunDir, StartParams};
use xc_net::bridges::{Queues, Wiring};
use xc_net::multicast::Claim;
use xc_topology::address::{NodeId, Prefix};
use xc_topology::{Counts, Node};
use xc_vm::accel::{self, Chosen};
use xc_vm::command::{Accel, Boot, Disk};
use xc_vm::version;

/// What was found before a start.
#[derive(Debug, Clone)]
pub(super) struct Preflight {
    accel: Chosen,
    network: network::Chosen,
    boot: Boot,
}

impl Preflight {
    /// What will execute the nodes.
    pub(super) fn accel(&self) -> Accel {
        self.accel.accel
    }

    /// Tells in what it differs from what was asked for.
    fn report(&self, progress: &dyn Fn(Event)) {
        if let Some(reason) = &self.accel.fallback {
            progress(Event::Fallback(reason.clone()));
        }
        let kind = self.network.kind;
        if let Some(reason) = &self.network.fallback {
            progress(Event::NetworkFallback(kind, reason.clone()));
        }
        if kind != Kind::FALLBACK {
            progress(Event::Network(kind));
        }
    }
}

/// Looks whether a start can go well, as far as that does not depend on what runs now: so that no
/// running cluster is stopped for one that can't be.
///
/// # Errors
/// What is missing or can't be used here, with a remedy.
pub(super) fn preflight(params: &StartParams) -> Result<Preflight> {
    let StartParams { machine, network, .. } = params;
    version::check(&machine.program)?;
    let accel = accel::choose(machine.accel, &machine.program)?;
    if let Some(script) = &network.setup {
        fs_err::metadata(script).context("the script of __net_setup")?;
    }
    let request = network::Request { net_setup: network.setup.is_some() };
    let chosen = network::choose(network.choice, &request)?;
    chosen.kind.carries(wired(&params.nodes, network))?;
    Ok(Preflight { accel, network: chosen, boot: absolute(&params.boot.boot)? })
}

/// The state of a cluster that is about to be started. Chooses its ports and saves it, so that no
/// other cluster of the user chooses them too; the claim of the multicast port, which is to last
/// until its nodes run, keeps other users' from it.
pub(super) fn cluster(
    run: &RunDir,
    params: &StartParams,
    preflight: &Preflight,
    progress: &dyn Fn(Event),
) -> Result<(State, Option<Claim>)> {
    // Held as well so that two clusters are not promised the same memory.
    let ports_lock = run.lock_ports()?;
    let accel = preflight.accel();
    let demand = Demand { nodes: &params.nodes, accel, replaces: false };
    memory::check(run, &*params.host, params.admission, demand)?;
    preflight.report(progress);
    let mut network = preflight.network.kind.create(run)?;
    let wanted = &params.network;
    let served = params.dns.is_some() && is_served(run, wanted, &network)?;
    if served {
        progress(Event::DnsThere(wanted.ports.dns_port));
    }
    let dns = params.dns.as_ref().filter(|_| !served);
    let ids: Vec<NodeId> = params.nodes.iter().map(|n| n.id).collect();
    let (net, claim) = taken(run, wanted, &network, &ids, dns.is_some())?;
    network.plan(&wiring(&params.nodes, wanted, accel), &net)?;
    let logs = std::path::absolute(&params.logs).context("can't tell where the logs go")?;
    let mut state = State::new(run, accel, net, logs)?;
    state.fallback = preflight.accel.fallback.clone();
    state.network = network;
    state.counts = params.counts.unwrap_or_else(|| Counts::among(ids));
    state.dns = dns.map(|dns| dns_proxy(run, &wanted.prefix, &state, dns));
    state.reports_ready = params.boot.reports_ready;
    state.images = preflight.boot.disks.iter().filter_map(|disk| Image::of(&disk.path)).collect();
    run.create()?;
    if params.access == Access::Key {
        state.key = Some(key::make(run)?);
    }
    let nodes = NodePlan::new(run, params, &preflight.boot, &state).all()?;
    state.nodes.extend(nodes);
    state.save(run)?;
    drop(ports_lock);
    Ok((state, claim))
}

/// Adds the nodes of the parameters to a running cluster's state; they take its ports and
/// accelerator. Saves it.
pub(super) fn more(cluster: &mut LockedCluster, params: &StartParams) -> Result<()> {
    let run = &params.run;
    let _lock = run.lock_ports()?;
    let mut state = cluster.state().clone();
    let demand = Demand { nodes: &params.nodes, accel: state.accel, replaces: false };
    memory::check(run, &**cluster.host(), params.admission, demand)?;
    let ids: Vec<NodeId> = params.nodes.iter().map(|n| n.id).collect();
    if state.network.host_ports().forwards {
        xc_net::ports::check(&state.net, &ids, &reserved(run)?)?;
    }
    state.network.kind().carries(wired(&params.nodes, &params.network))?;
    let wiring = wiring(&params.nodes, &params.network, state.accel);
    state.network.plan(&wiring, &state.net)?;
    let boot = absolute(&params.boot.boot)?;
    let nodes = NodePlan::new(run, params, &boot, &state).all()?;
    state.nodes.extend(nodes);
    cluster.update(|saved| *saved = state)
}

/// What of the networks is ours to make.
fn wiring<'a>(nodes: &'a [Node], network: &'a NetworkParams, accel: Accel) -> Wiring<'a> {
    let nodes = wired(nodes, network);
    Wiring { nodes, prefix: &network.prefix, queues: queues(network, accel) }
}

/// The nodes whose networks are ours to make: none where a script of the user's does it.
fn wired<'a>(nodes: &'a [Node], network: &NetworkParams) -> &'a [Node] {
    if network.setup.is_some() { &[] } else { nodes }
}

fn queues(network: &NetworkParams, accel: Accel) -> Queues {
    match (network.queues, accel) {
        (Some(queues), _) => Queues::Exactly(queues),
        (None, Accel::Kvm) => Queues::PerProcessor,
        (None, Accel::Tcg) => Queues::One,
    }
}

/// The same files by absolute paths: qemu runs in `/`, so that it keeps no other directory busy.
fn absolute(boot: &Boot) -> Result<Boot> {
    let path = |path: &PathBuf| {
        fs_err::metadata(path)?;
        std::path::absolute(path)
            .with_context(|| format!("can't tell where `{}` is", path.display()))
    };
    let disks = boot.disks.iter().map(|disk| Ok(Disk { path: path(&disk.path)?, ..disk.clone() }));
    Ok(Boot {
        kernel: boot.kernel.as_ref().map(path).transpose()?,
        initrd: boot.initrd.as_ref().map(path).transpose()?,
        disks: disks.collect::<Result<_>>()?,
    })
}

fn dns_proxy(run: &RunDir, prefix: &Prefix, state: &State, dns: &DnsParams) -> Dns {
    let port = format!("--port={}", state.net.dns_port);
    let pid_file = format!("--pid-file={}", run.dns_pid_file().display());
    let (listen, enter) = state.network.dns(prefix);
    let words = enter.into_iter().chain(dns.command.iter().cloned()).chain([port, pid_file]);
    let helper = Helper { argv: words.chain(listen).collect(), process: None };
    Dns { service: dns.service.clone(), helper }
}
