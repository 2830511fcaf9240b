//! Links of nodes, taken down and impaired while the cluster runs, in every kind of network.
//!
//! | fault | where it happens |
//! |---|---|
//! | down | at the node's network card in qemu: the node sees its carrier go, nothing passes |
//! | delay, loss and the like | in the node's kernel, by `tc` over ssh; see [`xc_topology::impairment`] and `script` |
//!
//! What was set is in the cluster's state. A node that xcbuild restarts or resets gets it again;
//! one that boots by itself loses what was in its kernel, and its status says so.

mod script;

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::access::Target;
use super::cluster::{Cluster, LockedCluster};
use super::state::InterfaceState;
use super::status::LinkStatus;
use super::{ClusterError, ErrorKind};
use xc_topology::address::{MAINTENANCE, NetworkId, NodeId};
use xc_topology::impairment::End;
use xc_topology::{LinkImpairments, Netem};

/// What is wanted of a link.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// Whether it is taken up or down; `None` leaves it.
    pub up: Option<bool>,
    /// Whether all impairments are taken off first, in both directions.
    pub clear: bool,
    /// The directions that `netem` is for.
    pub ends: Vec<End>,
    /// What is set there, in addition to what is.
    pub netem: Netem,
    /// Which settings are taken off there: their names in a topology file.
    pub off: Vec<&'static str>,
}

impl LockedCluster {
    /// Changes a node's link to a network and gives what it is like then.
    ///
    /// # Errors
    /// When the node is not there or not on that network, when the settings don't go together, or
    /// when the node can't be reached or its kernel has no netem.
    pub fn change_link(
        &mut self,
        node: NodeId,
        network: NetworkId,
        change: &Change,
    ) -> Result<LinkStatus> {
        let before = self.interface(node, network)?.clone();
        let wanted = wanted(&before.impaired, change)?;
        refuse_unreachable(self, node, network, change, &wanted)?;
        // Up before, since the way to the node may be this link; down after, for the same reason.
        if change.up == Some(true) {
            set_carrier(self, node, network, true)?;
        }
        if change.clear || !change.ends.is_empty() {
            impair(self, node, network, (&before.impaired, &wanted))?;
        }
        if change.up == Some(false) {
            set_carrier(self, node, network, false)?;
        }
        Ok(LinkStatus::of(self.interface(node, network)?, self.said(node)))
    }
}

/// Makes the links of a node that has booted what they were before.
pub(super) fn restore(cluster: &mut LockedCluster, node: NodeId) -> Result<()> {
    let interfaces = cluster.node(node)?.interfaces.clone();
    let lost = || interfaces.iter().filter(|i| i.impaired_at.is_some());
    let down = || interfaces.iter().filter(|i| i.down);
    if lost().next().is_some() && down().any(|i| i.network == MAINTENANCE) {
        set_carrier(cluster, node, MAINTENANCE, true)?;
    }
    let failed = || format!("{node} is up, but its links are not what they were");
    for link in lost() {
        let ways = (&link.impaired_at_boot, &link.impaired);
        impair(cluster, node, link.network, ways).with_context(failed)?;
    }
    for link in down() {
        set_carrier(cluster, node, link.network, false).with_context(failed)?;
    }
    Ok(())
}

/// What a link is to do to packets, after a change.
fn wanted(before: &LinkImpairments, change: &Change) -> Result<LinkImpairments> {
    let mut ways = if change.clear { LinkImpairments::default() } else { before.clone() };
    for end in &change.ends {
        let netem = ways.of_mut(*end);
        netem.merge(&change.netem);
        for field in &change.off {
            netem.set(field, "0").map_err(anyhow::Error::msg)?;
        }
        if let Some(problem) = netem.contradiction() {
            bail!("{problem} (--delay 50ms)");
        }
    }
    Ok(ways)
}

/// Refuses what could not be done, or not be undone again, each with what helps.
fn refuse_unreachable(
    cluster: &Cluster,
    node: NodeId,
    network: NetworkId,
    change: &Change,
    wanted: &LinkImpairments,
) -> Result<()> {
    if !change.clear && change.ends.is_empty() {
        return Ok(());
    }
    let refused = |message: String, verb: &str, rest: &str, effect: &str| -> Result<()> {
        let line = format!("{verb} {}{rest}", node.number());
        let hint = cluster.name().command(line).hint(effect);
        Err(ClusterError::new(ErrorKind::NodeUnavailable, message).with_hint(hint).into())
    };
    if network == MAINTENANCE && (wanted.sends.loses_all() || wanted.receives.loses_all()) {
        let message = format!(
            "network 0 is the way to {node}, by which its impairments are set and taken off"
        );
        return refused(message, "link", " 0 --down", "cuts it in a way that can be undone");
    }
    if cluster.node(node)?.paused {
        return refused(format!("{node} is paused"), "cont", "", "lets it go on");
    }
    let opens = network == MAINTENANCE && change.up == Some(true);
    if cluster.interface(node, MAINTENANCE)?.down && !opens {
        let message = format!("network 0 of {node} is down, and impairments are set by it");
        return refused(message, "link", " 0 --up", "takes it up");
    }
    Ok(())
}

fn change_interface(
    cluster: &mut LockedCluster,
    node: NodeId,
    network: NetworkId,
    how: impl FnOnce(&mut InterfaceState),
) -> Result<()> {
    cluster.update_node(node, |node| {
        if let Some(interface) = node.interfaces.iter_mut().find(|i| i.network == network) {
            how(interface);
        }
    })
}

/// Plugs a node's network card in or out.
fn set_carrier(
    cluster: &mut LockedCluster,
    node: NodeId,
    network: NetworkId,
    up: bool,
) -> Result<()> {
    let id = netdev(node, cluster.interface(node, network)?)?.to_owned();
    cluster.qmp(node)?.execute("set_link", json!({ "name": id, "up": up }))?;
    change_interface(cluster, node, network, |link| link.down = !up)
}

/// The id by which qemu knows what carries an interface of a node.
///
/// # Errors
/// When a script of the user's has wired it in a way that does not tell.
pub(super) fn netdev(node: NodeId, interface: &InterfaceState) -> Result<&str> {
    interface.netdev.as_deref().with_context(|| {
        let InterfaceState { network, mac, .. } = interface;
        format!(
            "can't tell what carries network {network} of {node}: the script of __net_setup gave \
             no `-device` the address {mac}"
        )
    })
}

/// Has a node's kernel, which impairs a link one way, do it another way.
fn impair(
    cluster: &mut LockedCluster,
    node: NodeId,
    network: NetworkId,
    (before, ways): (&LinkImpairments, &LinkImpairments),
) -> Result<()> {
    let script = script::script(cluster.interface(node, network)?.mac, network, before, ways);
    let said = cluster.said(node);
    let (status, output) = Target::find(cluster.run(), node)?.capture(&[script])?;
    if !status.success() {
        bail!("can't impair network {network} of {node}: {}", script::why(&output, ways));
    }
    change_interface(cluster, node, network, |link| {
        link.impaired = ways.clone();
        link.impaired_at = Some(said);
    })
}

#[cfg(test)]
mod tests {
    use super::{Change, End, LinkImpairments, Netem, netdev, wanted};
    use crate::tests::{id, node_state};
    use xc_topology::fixture::node;

    fn netem(fields: &[(&str, &str)]) -> Netem {
        let mut netem = Netem::default();
        fields.iter().for_each(|(field, value)| netem.set(field, value).unwrap());
        netem
    }

    fn change(ends: &[End], netem: Netem, off: &[&'static str]) -> Change {
        Change { ends: ends.into(), netem, off: off.into(), ..Change::default() }
    }

    #[test]
    fn changes_add_up_until_cleared() {
        let mut ways = LinkImpairments::default();
        let rows = [
            (change(&[End::Node], netem(&[("delay", "50ms")]), &[]), "out: delay 50ms"),
            (
                change(&[End::Node, End::Host], netem(&[("loss", "1%")]), &[]),
                "out: delay 50ms loss 1%; in: loss 1%",
            ),
            (change(&[End::Node], Netem::default(), &["delay"]), "out: loss 1%; in: loss 1%"),
            (
                Change { clear: true, ..change(&[End::Host], netem(&[("rate", "1mbit")]), &[]) },
                "in: rate 1mbit",
            ),
            (Change { clear: true, ..Change::default() }, ""),
        ];
        for (change, text) in rows {
            ways = wanted(&ways, &change).unwrap();
            assert_eq!(ways.to_string(), text);
        }
        let jitter = change(&[End::Host], netem(&[("jitter", "5ms")]), &[]);
        let error = wanted(&ways, &jitter).unwrap_err().to_string();
        assert_eq!(error, "jitter and reorder need a delay (--delay 50ms)");
    }

    #[test]
    fn links_that_a_script_wired_without_their_address_are_told() {
        let mut link = node_state(&node(5, &[0, 1])).interfaces.remove(1);
        assert_eq!(netdev(id(5), &link).unwrap(), "net1");
        link.netdev = None;
        insta::assert_snapshot!(netdev(id(5), &link).unwrap_err(), @"can't tell what carries network 1 of vm-005: the script of __net_setup gave no `-device` the address 00:00:00:01:01:05");
    }
}
