//! The ports of the host that a cluster takes, next to those of the user's other clusters.

use anyhow::{Context, Result};

use crate::network::{DnsListener, HostPorts, Network};
use crate::start::NetworkParams;
use crate::{Cluster, RunDir, dns};
use xc_net::multicast::Claim;
use xc_net::policy;
use xc_net::ports::{self, Reserved};
use xc_net::user::{Purpose, UserNet};
use xc_topology::address::NodeId;

/// Whether a DNS server is at the port that the nodes will ask, as users of the contract have a
/// coredns there. Only for a cluster whose port is given or set: others take a free one.
pub(super) fn is_served(run: &RunDir, wanted: &NetworkParams, network: &Network) -> Result<bool> {
    let on_host = network.dns_listener() == DnsListener::HostLoopback;
    if !wanted.policy.holds(Purpose::Dns) || !on_host {
        return Ok(false);
    }
    let port = wanted.ports.dns_port;
    Ok(!reserved(run)?.contains_key(&port) && dns::answers(port))
}

/// The ports that a cluster takes of the host, as its kind of network needs them, and that of its DNS
/// proxy if it has one.
pub(super) fn taken(
    run: &RunDir,
    wanted: &NetworkParams,
    network: &Network,
    nodes: &[NodeId],
    dns: bool,
) -> Result<(UserNet, Option<Claim>)> {
    let needs = network.host_ports();
    let nodes = if needs.forwards { nodes } else { &[] };
    let dns = dns && network.dns_listener() == DnsListener::HostLoopback;
    let reserved = reserved(run)?;
    let mut net = policy::choose(&wanted.ports, wanted.policy, nodes, dns, &reserved)?;
    if !needs.groups {
        return Ok((net, None));
    }
    let claim = Claim::first(net.mcast_port, &reserved).context("no UDP port is free")?;
    net.mcast_port = claim.port().unwrap_or(net.mcast_port);
    Ok((net, Some(claim)))
}

/// The ports of the user's other clusters. One whose state can't be read reserves none: if it runs,
/// it has bound them.
pub(super) fn reserved(run: &RunDir) -> Result<Reserved> {
    let mut reserved = Reserved::new();
    for other in run.of_all_clusters()?.iter().filter(|other| other.name() != run.name()) {
        let Ok(Some(cluster)) = Cluster::find(other) else { continue };
        if !cluster.is_running() {
            continue;
        }
        let state = cluster.state();
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
