//! From what the user wants to the state that will be made: everything that can be refused is
//! refused here, before anything exists.

use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::key::{self, Access};
use super::network::{self, Network};
use super::start::DnsParams;
use super::state::{Dns, Helper, Image, NodeState, State};
use super::{Event, RunDir, StartParams, dns, memory};
use xc_net::Kind;
use xc_net::bridges::{self, Queues, Wiring};
use xc_net::multicast::Claim;
use xc_net::ports::{self, Policy, Reserved};
use xc_net::user::UserNet;
use xc_sys::exec::Exec;
use xc_sys::shell;
use xc_topology::address::{MAINTENANCE, NetworkId, NodeId};
use xc_topology::{Counts, Interface, Node};
use xc_vm::accel::{self, Chosen};
use xc_vm::command::{Accel, Boot, Disk, Machine, command};
use xc_vm::kernel_line::{Common, kernel_line};
use xc_vm::port::{Carrier, Port, netdev_id};
use xc_vm::version;

/// What was found fit for a start.
#[derive(Debug, Clone)]
pub(super) struct Fit {
    accel: Chosen,
    network: network::Choice,
    boot: Boot,
}

impl Fit {
    /// What will execute the nodes.
    pub(super) fn accel(&self) -> Accel {
        self.accel.accel
    }
}

/// Looks whether a start can go well, as far as that does not depend on what runs now: so that no
/// running cluster is stopped for one that can't be.
///
/// # Errors
/// What is missing or can't be used here, with the way out.
pub(super) fn check(params: &StartParams) -> Result<Fit> {
    version::check(&params.program)?;
    let accel = accel::choose(params.accel, &params.program)?;
    let network = network::choose(params.network)?;
    if let Some(script) = &params.net_setup {
        fs_err::metadata(script).context("the script of __net_setup")?;
        if network.kind == Kind::Rootless {
            bail!(
                "__net_setup wires nodes in the namespace that xcbuild runs in, and --net=rootless makes one of its own; use --net=netns or user"
            );
        }
    }
    Ok(Fit { accel, network, boot: absolute(&params.boot)? })
}

/// The state of a cluster that is about to be started. Chooses its ports and saves it, so that no
/// other cluster of the user chooses them too; the claim of the multicast port, which is to last
/// until its nodes run, keeps other users' from it.
pub(super) fn cluster(
    run: &RunDir,
    params: &StartParams,
    fit: &Fit,
    progress: &dyn Fn(Event),
) -> Result<(State, Option<Claim>)> {
    // Held as well so that two clusters are not promised the same memory.
    let ports_lock = run.lock_ports()?;
    memory::check(run, params, fit.accel(), false)?;
    if let Some(reason) = &fit.accel.fallback {
        progress(Event::Fallback(reason.clone()));
    }
    let ids: Vec<NodeId> = params.nodes.iter().map(|n| n.id).collect();
    let kind = fit.network.kind;
    if let Some(reason) = &fit.network.instead {
        progress(Event::NoBridges(reason.clone()));
    }
    if kind != Kind::User {
        progress(Event::Network(kind));
    }
    let served = params.dns.is_some() && is_served(run, params, kind)?;
    if served {
        progress(Event::DnsThere(params.net.dns_port));
    }
    let (net, claim) = ports(run, params, kind, &ids, served)?;
    let wiring = wiring(params, fit.accel.accel);
    let network = network::plan(run, kind, net.dns_port, &wiring)?;
    let logs = std::path::absolute(&params.logs).context("can't tell where the logs go")?;
    let mut state = State::new(run, fit.accel.accel, net, logs)?;
    state.fallback = fit.accel.fallback.clone();
    state.network = network;
    state.counts = params.counts.unwrap_or_else(|| Counts::among(ids.iter().copied()));
    let own_dns = params.dns.as_ref().filter(|_| !served);
    state.dns = own_dns.map(|dns| dns_proxy(run, params, &state, dns));
    state.reports_ready = params.wait;
    state.images = fit.boot.disks.iter().filter_map(|disk| Image::of(&disk.path)).collect();
    run.create()?;
    if params.access == Access::Key {
        state.key = Some(key::make(run)?);
    }
    nodes(run, params, &fit.boot, &mut state)?;
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
    match state.network {
        Network::User => ports::check(&state.net, &ids, &reserved(run)?)?,
        _ => state.network.add(&wiring(params, state.accel))?,
    }
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

/// Whether somebody serves names at the port that the nodes will ask, as users of the contract have
/// a coredns there. Only for a cluster whose port is given: others take a free one.
fn is_served(run: &RunDir, params: &StartParams, kind: Kind) -> Result<bool> {
    if params.ports != Policy::Given || kind == Kind::Netns {
        return Ok(false);
    }
    let port = params.net.dns_port;
    Ok(!reserved(run)?.contains_key(&port) && dns::answers(port))
}

/// The ports that a cluster of that kind takes of the host: those of its nodes, and that of its
/// multicast groups, only where qemu carries the networks.
fn ports(
    run: &RunDir,
    params: &StartParams,
    kind: Kind,
    ids: &[NodeId],
    served: bool,
) -> Result<(UserNet, Option<Claim>)> {
    let ids = if kind == Kind::User { ids } else { &[] };
    let dns = params.dns.is_some() && kind != Kind::Netns && !served;
    let reserved = reserved(run)?;
    let mut net = ports::choose(&params.net, params.ports, ids, dns, &reserved)?;
    if kind != Kind::User {
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
    let vhost = network::has_vhost();
    let interfaces = node.interfaces.iter().enumerate();
    let ports = interfaces.map(|(i, interface)| {
        let (id, network) = (netdev_id(i), interface.network);
        Ok(match (&params.net_setup, &state.network) {
            (Some(script), _) => Port::Options(setup(script, params, node, interface)?),
            (None, Network::User) => {
                let netdev = state.net.netdev(&id, node.id, network, &params.prefix);
                Port::Netdev { netdev, queues: 1, carrier: by_qemu(&state.net, network) }
            }
            _ => {
                let queues = queues(params, state.accel).of(node);
                let netdev = bridges::netdev(&id, node.id, network, queues, vhost);
                let (name, bridge) = (bridges::tap(node.id, network), bridges::bridge(network));
                let carrier = Carrier::Tap { name, bridge: Some(bridge) };
                Port::Netdev { netdev, queues, carrier }
            }
        })
    });
    ports.collect()
}

/// What carries a network that qemu does by itself.
fn by_qemu(net: &UserNet, network: NetworkId) -> Carrier {
    match network {
        MAINTENANCE => Carrier::UserStack,
        _ => Carrier::Group { address: SocketAddrV4::new(net.group(network), net.mcast_port) },
    }
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
        let forwards = state.network.kind() == Kind::User;
        let nodes: Vec<_> = state.nodes.keys().filter(|_| forwards).copied().collect();
        let tcp = ports::wanted(&state.net, &nodes, state.dns.is_some());
        let all = tcp.into_iter().map(|(port, _)| port).chain([state.net.mcast_port]);
        reserved.extend(all.map(|port| (port, state.cluster.to_string())));
    }
    Ok(reserved)
}
