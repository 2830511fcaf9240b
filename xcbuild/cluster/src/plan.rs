//! From what the user wants to the state that will be made: everything that can be refused is
//! refused here, before anything exists.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::key::{self, Access};
use super::network::{self, Attach, DnsListener, HostPorts, Kind, Network};
use super::start::DnsParams;
use super::state::{Dns, Helper, Image, NodeState, State};
use super::{Event, RunDir, StartParams, dns, memory};
use xc_net::bridges::{Queues, Wiring};
use xc_net::multicast::Claim;
use xc_net::ports::{self, Policy, Reserved};
use xc_net::user::UserNet;
use xc_sys::exec::Exec;
use xc_sys::shell;
use xc_topology::address::NodeId;
use xc_topology::{Counts, Interface, Node};
use xc_vm::accel::{self, Chosen};
use xc_vm::command::{Accel, Boot, Disk, Machine, command};
use xc_vm::kernel_line::{Common, kernel_line};
use xc_vm::port::{Port, netdev_id};
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
}

/// Looks whether a start can go well, as far as that does not depend on what runs now: so that no
/// running cluster is stopped for one that can't be.
///
/// # Errors
/// What is missing or can't be used here, with a remedy.
pub(super) fn preflight(params: &StartParams) -> Result<Preflight> {
    version::check(&params.program)?;
    let accel = accel::choose(params.accel, &params.program)?;
    if let Some(script) = &params.net_setup {
        fs_err::metadata(script).context("the script of __net_setup")?;
    }
    let request = network::Request { net_setup: params.net_setup.is_some() };
    let network = network::choose(params.network, &request)?;
    Ok(Preflight { accel, network, boot: absolute(&params.boot)? })
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
    memory::check(run, params, preflight.accel(), false)?;
    if let Some(reason) = &preflight.accel.fallback {
        progress(Event::Fallback(reason.clone()));
    }
    let ids: Vec<NodeId> = params.nodes.iter().map(|n| n.id).collect();
    let kind = preflight.network.kind;
    if let Some(reason) = &preflight.network.fallback {
        progress(Event::NetworkFallback(kind, reason.clone()));
    }
    if kind != Kind::FALLBACK {
        progress(Event::Network(kind));
    }
    let mut network = kind.create(run)?;
    let served = params.dns.is_some() && is_served(run, params, &network)?;
    if served {
        progress(Event::DnsThere(params.net.dns_port));
    }
    let (net, claim) = ports(run, params, &network, &ids, served)?;
    network.plan(&wiring(params, preflight.accel.accel), &net)?;
    let logs = std::path::absolute(&params.logs).context("can't tell where the logs go")?;
    let mut state = State::new(run, preflight.accel.accel, net, logs)?;
    state.fallback = preflight.accel.fallback.clone();
    state.network = network;
    state.counts = params.counts.unwrap_or_else(|| Counts::among(ids.iter().copied()));
    let own_dns = params.dns.as_ref().filter(|_| !served);
    state.dns = own_dns.map(|dns| dns_proxy(run, params, &state, dns));
    state.reports_ready = params.wait;
    state.images = preflight.boot.disks.iter().filter_map(|disk| Image::of(&disk.path)).collect();
    run.create()?;
    if params.access == Access::Key {
        state.key = Some(key::make(run)?);
    }
    nodes(run, params, &preflight.boot, &mut state)?;
    state.save(run)?;
    drop(ports_lock);
    Ok((state, claim))
}

/// Adds the nodes of the parameters to a running cluster's state; they take its ports and
/// accelerator. Saves it.
pub(super) fn more(run: &RunDir, params: &StartParams, state: &mut State) -> Result<()> {
    let _lock = run.lock_ports()?;
    memory::check(run, params, state.accel, false)?;
    let ids: Vec<NodeId> = params.nodes.iter().map(|n| n.id).collect();
    if state.network.host_ports().forwards {
        ports::check(&state.net, &ids, &reserved(run)?)?;
    }
    state.network.plan(&wiring(params, state.accel), &state.net)?;
    nodes(run, params, &absolute(&params.boot)?, state)?;
    state.save(run)
}

/// What of the networks is ours to make: nothing where a script of the user's does it.
fn wiring(params: &StartParams, accel: Accel) -> Wiring<'_> {
    let nodes = if params.net_setup.is_some() { &[][..] } else { &params.nodes };
    Wiring { nodes, prefix: &params.prefix, queues: queues(params, accel) }
}

fn queues(params: &StartParams, accel: Accel) -> Queues {
    match (params.queues, accel) {
        (Some(queues), _) => Queues::Exactly(queues),
        (None, Accel::Kvm) => Queues::PerProcessor,
        (None, Accel::Tcg) => Queues::One,
    }
}

/// Whether a DNS server is at the port that the nodes will ask, as users of the contract have a coredns
/// there. Only for a cluster whose port is given: others take a free one.
fn is_served(run: &RunDir, params: &StartParams, network: &Network) -> Result<bool> {
    if params.ports != Policy::Given || network.dns_listener() != DnsListener::HostLoopback {
        return Ok(false);
    }
    let port = params.net.dns_port;
    Ok(!reserved(run)?.contains_key(&port) && dns::answers(port))
}

/// The ports that a cluster takes of the host, as its kind of network needs them.
fn ports(
    run: &RunDir,
    params: &StartParams,
    network: &Network,
    ids: &[NodeId],
    served: bool,
) -> Result<(UserNet, Option<Claim>)> {
    let needs = network.host_ports();
    let ids = if needs.forwards { ids } else { &[] };
    let on_host = network.dns_listener() == DnsListener::HostLoopback;
    let dns = params.dns.is_some() && on_host && !served;
    let reserved = reserved(run)?;
    let mut net = ports::choose(&params.net, params.ports, ids, dns, &reserved)?;
    if !needs.groups {
        return Ok((net, None));
    }
    let claim = Claim::first(net.mcast_port, &reserved).context("no UDP port is free")?;
    net.mcast_port = claim.port().unwrap_or(net.mcast_port);
    Ok((net, Some(claim)))
}

/// Adds the nodes of the parameters to a cluster's state.
fn nodes(run: &RunDir, params: &StartParams, boot: &Boot, state: &mut State) -> Result<()> {
    let common = common(params, state);
    for node in &params.nodes {
        let ports = node_ports(params, state, node)?;
        let argv = argv(run, params, state, boot, &common, node, &ports)?;
        state.nodes.insert(node.id, NodeState::new(node, &ports, argv));
    }
    Ok(())
}

fn argv(
    run: &RunDir,
    params: &StartParams,
    state: &State,
    boot: &Boot,
    common: &Common,
    node: &Node,
    ports: &[Port],
) -> Result<Vec<String>> {
    let mut machine = machine(params, state);
    machine.options.extend(params.qemu_options_of.get(&node.id).into_iter().flatten().cloned());
    let line = kernel_line(node, state.accel, common);
    Ok(command(node, &machine, boot, &line, ports, &run.node(node.id, &state.logs))?)
}

/// What a node's interfaces are plugged into.
fn node_ports(params: &StartParams, state: &State, node: &Node) -> Result<Vec<Port>> {
    let interfaces = node.interfaces.iter().enumerate();
    let ports = interfaces.map(|(i, interface)| match &params.net_setup {
        Some(script) => Ok(Port::Options(setup(script, params, node, interface)?)),
        None => Ok(state.network.attach(&Attach {
            id: &netdev_id(i),
            node,
            network: interface.network,
            ports: &state.net,
            prefix: &params.prefix,
            queues: queues(params, state.accel),
        })),
    });
    ports.collect()
}

/// What a script of the user's says about a node's interface: `__net_setup`.
fn setup(
    script: &Path,
    params: &StartParams,
    node: &Node,
    port: &Interface,
) -> Result<Vec<String>> {
    let exec = Exec::new(script).args([node.id.number(), port.network.0].map(|n| n.to_string()));
    let exec = exec.env("__mtu", port.mtu.to_string()).env("__kvm", &params.program);
    let said = exec.output().context("the script of __net_setup")?;
    let said = String::from_utf8(said).context("the script of __net_setup prints no UTF-8")?;
    shell::split(&said).context("what the script of __net_setup prints")
}

fn machine(params: &StartParams, state: &State) -> Machine {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let there = state.nodes.iter().filter(|(n, _)| params.nodes.iter().all(|p| p.id != **n));
    let processors = there.map(|(_, n)| n.cpus).chain(params.nodes.iter().map(|n| n.cpus));
    Machine {
        program: params.program.clone(),
        kind: params.machine.clone(),
        accel: state.accel,
        crowded: processors.sum::<u32>() as usize > cores,
        options: params.qemu_options.clone(),
    }
}

fn common(params: &StartParams, state: &State) -> Common {
    Common {
        counts: state.counts,
        prefix: params.prefix.clone(),
        dns_port: state.net.dns_port,
        key: state.key.clone(),
        append: params.append.clone(),
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

fn dns_proxy(run: &RunDir, params: &StartParams, state: &State, dns: &DnsParams) -> Dns {
    let port = format!("--port={}", state.net.dns_port);
    let pid_file = format!("--pid-file={}", run.dns_pid_file().display());
    let (listen, enter) = state.network.dns(&params.prefix);
    let words = enter.into_iter().chain(dns.command.iter().cloned()).chain([port, pid_file]);
    let helper = Helper { argv: words.chain(listen).collect(), process: None };
    Dns { service: dns.service.clone(), helper }
}

/// The ports of the user's other clusters. One whose state can't be read reserves none: if it runs,
/// it has bound them.
fn reserved(run: &RunDir) -> Result<Reserved> {
    let mut reserved = Reserved::new();
    for other in run.of_all_clusters()?.iter().filter(|other| other.name() != run.name()) {
        let Ok(Some(state)) = State::load(other) else { continue };
        if state.is_from_another_boot()? || !state.is_alive() {
            continue;
        }
        let HostPorts { forwards, groups } = state.network.host_ports();
        let dns = state.dns.is_some() && state.network.dns_listener() == DnsListener::HostLoopback;
        let nodes: Vec<_> = state.nodes.keys().filter(|_| forwards).copied().collect();
        let tcp = ports::wanted(&state.net, &nodes, dns);
        let udp = groups.then_some(state.net.mcast_port);
        let all = tcp.into_iter().map(|(port, _)| port).chain(udp);
        reserved.extend(all.map(|port| (port, state.cluster.to_string())));
    }
    Ok(reserved)
}
