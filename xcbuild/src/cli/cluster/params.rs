//! From settings to what a cluster is started with.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use super::{images, run_directory};
use crate::settings::Settings;
use xc_cluster::StartParams;
use xc_cluster::boot::order::Order;
use xc_cluster::key::Access;
use xc_cluster::start::DnsParams;
use xc_cluster::state::{DnsProgram, DnsService};
use xc_net::ports::Policy;
use xc_net::user::UserNet;
use xc_sys::shell;
use xc_topology::{Node, Topology};
use xc_vm::accel::Choice;

/// What is started when these nodes of the topology are.
///
/// # Errors
/// When a setting is no such thing, or an image is not there.
pub fn params(
    settings: &Settings,
    topology: &Topology,
    nodes: Vec<Node>,
    replace: bool,
) -> Result<StartParams> {
    let logs = settings.places.tmp.join(format!("cluster-{}", settings.cluster.name));
    let hosts = super::dns_zone::write_hosts(settings, topology, &logs)?;
    let cluster = &settings.cluster;
    let start = images::of(settings)?;
    Ok(StartParams {
        run: run_directory(settings)?,
        logs,
        nodes,
        counts: None,
        program: cluster.qemu.clone(),
        machine: cluster.machine.clone(),
        qemu_options: qemu_options(&cluster.qemu_options)?,
        qemu_options_of: settings.qemu_options_of()?,
        accel: accelerator(settings)?,
        boot: start.boot,
        prefix: cluster.prefix.clone(),
        append: start.append,
        network: settings.variables.or("__net", "auto").parse()?,
        net_setup: settings.variables.get("__net_setup").map(PathBuf::from),
        queues: queues(settings)?,
        net: net(settings),
        ports: ports(settings),
        dns: Some(dns_proxy(settings, &hosts)?),
        parallel: number(settings, "__parallel")?,
        order: order(settings)?,
        keep_going: settings.variables.get("__keep_going").is_some(),
        timeout: number(settings, "__boot_timeout")?.map(|s| Duration::from_secs(s as u64)),
        overcommit: settings.variables.get("__overcommit").is_some(),
        meminfo: "/proc/meminfo".into(),
        queue: number(settings, "__queue")?.map(|s| Duration::from_secs(s as u64)),
        replace,
        access: access(settings)?,
        wait: start.wait,
        at_once: false,
    })
}

/// Scripts that call plain ssh rely on the cluster that has no name of its own.
fn access(settings: &Settings) -> Result<Access> {
    Ok(match (settings.variables.get("__access"), settings.cluster.name.is_default()) {
        (Some("open"), _) | (None, true) => Access::Open,
        (Some("key"), _) | (None, _) => Access::Key,
        (Some(other), _) => anyhow::bail!("--access={other}: open or key is expected"),
    })
}

fn number(settings: &Settings, name: &str) -> Result<Option<usize>> {
    let Some(text) = settings.variables.get(name) else { return Ok(None) };
    let number = text.parse().ok().filter(|n| (1..=86_400).contains(n));
    Ok(Some(
        number.with_context(|| format!("{name}={text}: a number from 1 to 86400 is expected"))?,
    ))
}

fn order(settings: &Settings) -> Result<Order> {
    let Some(text) = settings.variables.get("__order") else { return Ok(Order::default()) };
    text.parse().with_context(|| format!("--order={text}"))
}

/// qemu's taps have 1024 queues at most, virtio's interrupts fewer; a node has 255 processors.
fn queues(settings: &Settings) -> Result<Option<u32>> {
    let Some(text) = settings.variables.get("__queues") else { return Ok(None) };
    let queues = text.parse().ok().filter(|n| (1..=255).contains(n));
    Ok(Some(
        queues.with_context(|| format!("__queues={text}: a number from 1 to 255 is expected"))?,
    ))
}

fn qemu_options(text: &str) -> Result<Vec<String>> {
    shell::split(text).with_context(|| format!("--kvm_opt={text}"))
}

fn accelerator(settings: &Settings) -> Result<Choice> {
    Ok(match settings.variables.or("__accel", "auto").as_str() {
        "auto" => Choice::Auto,
        "kvm" => Choice::Kvm,
        "tcg" => Choice::Tcg,
        other => anyhow::bail!("--accel={other}: kvm, tcg or auto is expected"),
    })
}

fn net(settings: &Settings) -> UserNet {
    let cluster = &settings.cluster;
    UserNet {
        telnet_base: cluster.telnet_base,
        ssh_base: cluster.ssh_base,
        k8s_port: cluster.kubernetes_port,
        mcast_base: cluster.multicast_base,
        dns_port: cluster.dns_port,
        ..UserNet::default()
    }
}

/// Scripts rely on the ports of the cluster that has no name of its own; others leave them alone, and
/// theirs are shown by `status`. Bases that the user chose for a named cluster are meant for it.
fn ports(settings: &Settings) -> Policy {
    const BASES: [&str; 4] =
        ["XCLUSTER_SSH_BASE", "XCLUSTER_TELNET_BASE", "XCLUSTER_K8S_PORT", "XCLUSTER_DNS_PORT"];
    let chosen = BASES.iter().any(|name| settings.variables.get(name).is_some());
    match (settings.cluster.name.is_default(), chosen) {
        (true, _) => Policy::Given,
        (_, true) => Policy::FirstFree,
        (_, false) => Policy::AvoidDefault,
    }
}

/// The user's own CoreDNS, which the contract has preferred: of the Go workspace, or of ours.
fn coredns(settings: &Settings) -> Option<PathBuf> {
    let go = settings.variables.get("GOPATH").map(PathBuf::from);
    let places = go.into_iter().chain([settings.places.workspace.clone()]);
    let found = places.map(|place| place.join("bin/coredns")).find(|path| path.is_file())?;
    std::path::absolute(found).ok()
}

/// The DNS proxy is this program; it goes on after this process.
fn dns_proxy(settings: &Settings, hosts: &Path) -> Result<DnsParams> {
    let cluster = &settings.cluster;
    let upstreams = cluster.dns_upstream.iter().map(|server| super::dns_zone::upstream(server));
    // The proxy has another working directory.
    let spoof = cluster.dns_spoof.as_ref().map(std::path::absolute).transpose()?;
    let program = coredns(settings).map_or(DnsProgram::Own, DnsProgram::CoreDns);
    let upstreams = upstreams.collect::<Result<_>>()?;
    let service = DnsService { program, upstreams, spoof };
    Ok(DnsParams { command: dns_command(settings, hosts, &service)?, service })
}

fn dns_command(settings: &Settings, hosts: &Path, service: &DnsService) -> Result<Vec<String>> {
    let program = std::env::current_exe().context("can't tell where xcbuild itself is")?;
    let mut words = vec![program.display().to_string(), "dns".into(), "serve".into()];
    words.push(format!("--hosts={}", hosts.display()));
    words.extend(service.spoof.iter().map(|file| format!("--hosts={}", file.display())));
    words.push(format!("--zone={}", super::dns_zone::ZONE));
    if let DnsProgram::CoreDns(program) = &service.program {
        words.push(format!("--coredns={}", program.display()));
    }
    if let Some(stale) = settings.variables.get("__dns_stale") {
        let seconds: u64 = stale
            .parse()
            .with_context(|| format!("--dns-stale={stale}: a number of seconds is expected"))?;
        words.push(format!("--stale={seconds}"));
    }
    words.extend(service.upstreams.iter().map(|server| format!("--dns-upstream={server}")));
    Ok(words)
}
