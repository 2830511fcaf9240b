//! A start as the user sees it, for all verbs that boot nodes.

use anyhow::{Result, bail};

use super::{params, topology_file};
use crate::settings::Settings;
use crate::ui::{self, Progress};
use xc_cluster::boot::NodeFailed;
use xc_cluster::{ClusterName, Event, Report};
use xc_topology::address::NodeId;

/// That some nodes did not come up, where the others went on, is a failure all the same.
///
/// # Errors
/// When there is one; it was told when it happened.
pub(crate) fn judge(failed: &[NodeFailed]) -> Result<()> {
    let names: Vec<_> = failed.iter().map(|f| f.node.to_string()).collect();
    if !names.is_empty() {
        bail!("{} did not come up; the other nodes run (--keep-going)", names.join(", "));
    }
    Ok(())
}

/// Starts the cluster that the settings describe and shows its progress.
///
/// # Errors
/// Whatever keeps a node from being ready; nothing of the cluster is left then.
pub(crate) fn start(settings: &Settings, replace: bool) -> Result<Report> {
    let topology = topology_file::load(settings)?;
    let nodes = topology.nodes(&settings.counts(&topology), &settings.overrides())?;
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
pub(crate) fn show(cluster: &ClusterName, bar: &Progress, event: &Event) {
    match event {
        Event::Fallback(reason) => {
            ui::warn(format_args!("nodes run without KVM, some ten times slower: {reason}"))
        }
        Event::NetworkFallback(kind, reason) => {
            ui::warn(format_args!("networks are {} (--net={kind}): {reason}", kind.summary()))
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
