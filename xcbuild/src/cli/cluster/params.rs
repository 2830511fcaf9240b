//! From settings to what a cluster is started with.

use std::path::Path;

use anyhow::{Context, Result};

use super::{images, run_directory};
use crate::cli::build::coredns;
use crate::settings::{ClusterSettings, Settings};
use xc_cluster::StartParams;
use xc_cluster::key::Access;
use xc_cluster::start::{Admission, BringUp, DnsParams, MachineParams, NetworkParams};
use xc_cluster::state::{DnsProgram, DnsService};
use xc_net::policy::{Fixed, Policy};
use xc_net::user::UserNet;
use xc_topology::{Node, Topology};

/// What is started when these nodes of the topology are.
///
/// # Errors
/// When a setting is no such thing, or an image is not there.
pub(crate) fn params(
    settings: &Settings,
    topology: &Topology,
    nodes: Vec<Node>,
    replace: bool,
) -> Result<StartParams> {
    let logs = settings.places.tmp.join(format!("cluster-{}", settings.cluster.name));
    let hosts = super::dns_zone::write_hosts(settings, topology, &logs)?;
    let boot = images::of(settings)?;
    let start = settings.start()?;
    let cluster = &settings.cluster;
    Ok(StartParams {
        machine: MachineParams {
            program: cluster.qemu.clone(),
            kind: cluster.machine.clone(),
            accel: start.accel,
            options: cluster.qemu_options.all.clone().unwrap_or_default(),
            options_of: settings.qemu_options_of(),
        },
        network: NetworkParams {
            choice: start.network,
            setup: start.net_setup.clone(),
            queues: start.queues,
            prefix: cluster.prefix.clone(),
            ports: net(settings),
            policy: ports(settings),
        },
        dns: Some(dns_proxy(settings, start.dns_stale, &hosts)?),
        access: access(settings, start.access),
        admission: Admission { overcommit: start.overcommit, queue: start.queue, replace },
        bring_up: BringUp {
            parallel: start.parallel,
            order: start.order.clone().unwrap_or_default(),
            timeout: start.boot_timeout,
            keep_going: start.keep_going,
            detach: false,
        },
        ..StartParams::new(run_directory(settings)?, &logs, nodes, boot)
    })
}

/// Scripts that call plain ssh rely on the cluster that has no name of its own.
fn access(settings: &Settings, set: Option<Access>) -> Access {
    let usual = if settings.cluster.name.is_default() { Access::Open } else { Access::Key };
    set.unwrap_or(usual)
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
/// theirs are shown by `status`. What the user has set for a named cluster is meant for it.
fn ports(settings: &Settings) -> Policy {
    if settings.cluster.name.is_default() {
        return Policy::Given;
    }
    Policy::Free(Fixed {
        telnet: settings.is_set(&ClusterSettings::telnet_base),
        ssh: settings.is_set(&ClusterSettings::ssh_base),
        k8s: settings.is_set(&ClusterSettings::kubernetes_port),
        dns: settings.is_set(&ClusterSettings::dns_port),
    })
}

/// The DNS proxy is this program; it goes on after this process.
fn dns_proxy(settings: &Settings, stale: Option<u64>, hosts: &Path) -> Result<DnsParams> {
    let cluster = &settings.cluster;
    let upstreams = cluster.dns_upstream.iter().map(|server| super::dns_zone::upstream(server));
    // The proxy has another working directory.
    let spoof = cluster.dns_spoof.as_ref().map(std::path::absolute).transpose()?;
    let program = coredns::of_user(settings).map_or(DnsProgram::Own, DnsProgram::CoreDns);
    let upstreams = upstreams.collect::<Result<_>>()?;
    let service = DnsService { program, upstreams, spoof };
    Ok(DnsParams { command: dns_command(stale, hosts, &service)?, service })
}

fn dns_command(stale: Option<u64>, hosts: &Path, service: &DnsService) -> Result<Vec<String>> {
    let program = std::env::current_exe().context("can't tell where xcbuild itself is")?;
    let mut words = vec![program.display().to_string(), "dns".into(), "serve".into()];
    words.push(format!("--hosts={}", hosts.display()));
    words.extend(service.spoof.iter().map(|file| format!("--hosts={}", file.display())));
    words.push(format!("--zone={}", super::dns_zone::ZONE));
    if let DnsProgram::CoreDns(program) = &service.program {
        words.push(format!("--coredns={}", program.display()));
    }
    words.extend(stale.map(|seconds| format!("--stale={seconds}")));
    words.extend(service.upstreams.iter().map(|server| format!("--dns-upstream={server}")));
    Ok(words)
}
