//! Links of nodes, taken down and impaired while the cluster runs, in every kind of network.
//!
//! | fault | where it happens |
//! |---|---|
//! | down | at the node's network card in qemu: the node sees its carrier go, nothing passes |
//! | delay, loss and the like | in the node's kernel, by `tc` over ssh; see [`xc_topology::impairment`] |
//!
//! What was set is in the cluster's state. A node that xcbuild restarts or resets gets it again;
//! one that boots by itself loses what was in its kernel, and its status says so.

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::RunDir;
use super::access::Target;
use super::life::{QMP_LIMIT, known, taken};
use super::state::{InterfaceState, State};
use super::status::LinkStatus;
use super::tail::length;
use xc_sys::exec::Output;
use xc_topology::address::{MAINTENANCE, Mac, NetworkId, NodeId};
use xc_topology::impairment::{End, inbound, inbound_link, queue};
use xc_topology::{Netem, Ways};
use xc_vm::qmp::Qmp;

/// What is wanted of a link.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// Whether it is taken up or down; `None` leaves it.
    pub up: Option<bool>,
    /// Whether all impairments are taken off first, in both directions.
    pub clear: bool,
    /// The directions that `netem` is for.
    pub ends: Vec<End>,
    /// What is set there, beside what is.
    pub netem: Netem,
    /// Which settings are taken off there: their names in a topology file.
    pub off: Vec<&'static str>,
}

/// Changes a node's link to a network and gives what it is like then.
///
/// # Errors
/// When the node is not there or not on that network, when the settings don't go together, or when
/// the node can't be reached or its kernel has no netem.
pub fn change(
    run: &RunDir,
    node: NodeId,
    network: NetworkId,
    change: &Change,
) -> Result<LinkStatus> {
    let (_lock, mut state) = taken(run)?;
    let before = interface(&state, node, network)?.clone();
    let wanted = wanted(&before.impaired, change)?;
    refuse_the_unreachable(&state, node, network, change, &wanted)?;
    // Up before, since the way to the node may be this link; down after, for the same reason.
    if change.up == Some(true) {
        set_carrier(run, &mut state, node, network, true)?;
    }
    if change.clear || !change.ends.is_empty() {
        impair(run, &mut state, node, network, (&before.impaired, &wanted))?;
    }
    if change.up == Some(false) {
        set_carrier(run, &mut state, node, network, false)?;
    }
    let said = length(&run.node(node, &state.logs).agent_log);
    Ok(LinkStatus::of(interface(&state, node, network)?, said))
}

/// Makes the links of a node that has booted what they were before.
pub(super) fn restore(run: &RunDir, state: &mut State, node: NodeId) -> Result<()> {
    let Some(there) = state.nodes.get(&node) else { return Ok(()) };
    let interfaces = there.interfaces.clone();
    let lost = || interfaces.iter().filter(|i| i.impaired_at.is_some());
    let down = || interfaces.iter().filter(|i| i.down);
    if lost().next().is_some() && down().any(|i| i.network == MAINTENANCE) {
        set_carrier(run, state, node, MAINTENANCE, true)?;
    }
    let failed = || format!("{node} is up, but its links are not what they were");
    for link in lost() {
        let ways = (&link.impaired_at_boot, &link.impaired);
        impair(run, state, node, link.network, ways).with_context(failed)?;
    }
    for link in down() {
        set_carrier(run, state, node, link.network, false).with_context(failed)?;
    }
    Ok(())
}

/// What a link is to do to packets, after a change.
fn wanted(before: &Ways, change: &Change) -> Result<Ways> {
    let mut ways = if change.clear { Ways::default() } else { before.clone() };
    for end in &change.ends {
        let netem = ways.of_mut(*end);
        netem.merge(&change.netem);
        for field in &change.off {
            netem.set(field, zero(field)).map_err(anyhow::Error::msg)?;
        }
        if let Some(problem) = netem.contradiction() {
            bail!("{problem} (--delay 50ms)");
        }
    }
    Ok(ways)
}

/// The value of a setting that stands for not having it.
fn zero(field: &str) -> &'static str {
    match field {
        "delay" | "jitter" => "0ms",
        "rate" => "0bit",
        _ => "0%",
    }
}

fn refuse_the_unreachable(
    state: &State,
    node: NodeId,
    network: NetworkId,
    change: &Change,
    wanted: &Ways,
) -> Result<()> {
    if !change.clear && change.ends.is_empty() {
        return Ok(());
    }
    let cuts = |netem: &Netem| netem.loss.as_deref().is_some_and(|loss| loss.starts_with("100"));
    if network == MAINTENANCE && (cuts(&wanted.sends) || cuts(&wanted.receives)) {
        bail!(
            "network 0 is the way to {node}, by which its impairments are set and taken off; \
             `xcbuild link {} 0 --down` can be undone",
            node.number()
        );
    }
    let there = state.nodes.get(&node).context("a node that is not there")?;
    if there.paused {
        bail!("{node} is paused; `xcbuild cont {}` lets it go on", node.number());
    }
    let way = interface(state, node, MAINTENANCE)?;
    let opens = network == MAINTENANCE && change.up == Some(true);
    if way.down && !opens {
        bail!(
            "network 0 of {node} is down, and impairments are set by it; \
             `xcbuild link {} 0 --up` first",
            node.number()
        );
    }
    Ok(())
}

fn interface(state: &State, node: NodeId, network: NetworkId) -> Result<&InterfaceState> {
    known(state, &[node])?;
    let there = state.nodes.get(&node).map_or(&[][..], |n| &n.interfaces);
    if let Some(interface) = there.iter().find(|i| i.network == network) {
        return Ok(interface);
    }
    let networks: Vec<_> = there.iter().map(|i| i.network.to_string()).collect();
    bail!("{node} is not on network {network}; it is on {}", networks.join(", "))
}

fn change_interface(
    run: &RunDir,
    state: &mut State,
    node: NodeId,
    network: NetworkId,
    how: impl FnOnce(&mut InterfaceState),
) -> Result<()> {
    let there = state.nodes.get_mut(&node).map(|n| &mut n.interfaces);
    let mut all = there.into_iter().flatten();
    how(all.find(|i| i.network == network).context("a link that is not there")?);
    state.save(run)
}

/// Plugs a node's network card in or out.
fn set_carrier(
    run: &RunDir,
    state: &mut State,
    node: NodeId,
    network: NetworkId,
    up: bool,
) -> Result<()> {
    let id = netdev(node, interface(state, node, network)?)?.to_owned();
    let mut qmp = Qmp::connect(&run.node(node, &state.logs).qmp, QMP_LIMIT)
        .with_context(|| format!("{node} does not run"))?;
    qmp.execute("set_link", json!({ "name": id, "up": up }))?;
    change_interface(run, state, node, network, |link| link.down = !up)
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
    run: &RunDir,
    state: &mut State,
    node: NodeId,
    network: NetworkId,
    (before, ways): (&Ways, &Ways),
) -> Result<()> {
    let script = script(interface(state, node, network)?.mac, network, before, ways);
    let said = length(&run.node(node, &state.logs).agent_log);
    let (status, output) = Target::find(run, node)?.capture(&[script])?;
    if !status.success() {
        bail!("can't impair network {network} of {node}: {}", why(&output, ways));
    }
    change_interface(run, state, node, network, |link| {
        link.impaired = ways.clone();
        link.impaired_at = Some(said);
    })
}

/// What the node's tools said, and what its kernel lacks if that is it.
fn why(output: &Output, ways: &Ways) -> String {
    let text = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
    let lacks = ["Specified qdisc kind is unknown", "Unknown device type", "not found"];
    if !lacks.iter().any(|word| text.contains(word)) {
        return if text.is_empty() { "ssh can't reach it".into() } else { text };
    }
    let inbound = if ways.receives.is_sound() { "" } else { ", ifb, act_mirred, cls_matchall" };
    format!(
        "{text} (it needs `tc` and the kernel modules sch_netem{inbound}; our base image has them)"
    )
}

/// The shell script that does it in the node. Only queues that are ours are taken off.
fn script(mac: Mac, network: NetworkId, before: &Ways, ways: &Ways) -> String {
    let link = inbound_link(network);
    let mut lines = vec![
        "set -e; dev=".to_owned(),
        format!(
            "for d in /sys/class/net/*; do read -r a <$d/address || continue; \
             if [ \"$a\" = {mac} ] && [ -e $d/device ]; then dev=${{d##*/}}; fi; done"
        ),
        format!("[ -n \"$dev\" ] || {{ echo no interface has the address {mac} >&2; exit 1; }}"),
        // No error: a kernel may have them built in. If not, what needs them fails.
        "modprobe sch_netem 2>/dev/null || :".to_owned(),
    ];
    if !ways.sends.is_sound() {
        lines.push(format!("tc {}", queue("$dev", &ways.sends)));
    } else if !before.sends.is_sound() {
        lines.push("tc qdisc del dev $dev root 2>/dev/null || :".to_owned());
    }
    if !ways.receives.is_sound() {
        let (links, leads) = inbound("$dev", network);
        // Of itself, ifb makes two links that nobody wants.
        let load = "modprobe ifb numifbs=0 2>/dev/null || :; \
                    modprobe -a sch_ingress act_mirred cls_matchall 2>/dev/null || :";
        lines.push(load.to_owned());
        let make = links.iter().map(|line| format!("ip {line}"));
        let make: Vec<_> = make.chain(leads.iter().map(|line| format!("tc {line}"))).collect();
        lines.push(format!("[ -e /sys/class/net/{link} ] || {{ {}; }}", make.join("; ")));
        lines.push(format!("tc {}", queue(&link, &ways.receives)));
    } else if !before.receives.is_sound() {
        lines.push(format!(
            "if [ -e /sys/class/net/{link} ]; then tc qdisc del dev $dev ingress; ip link del {link}; fi"
        ));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::{Change, End, Mac, Netem, NetworkId, Ways, netdev, script, wanted};
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
        let mut ways = Ways::default();
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
    fn scripts_touch_only_queues_of_ours() {
        let text = |before: &Ways, ways: &Ways| {
            let script = script(Mac([0, 0, 0, 1, 2, 0xc9]), NetworkId(2), before, ways);
            // What finds the interface is the same for all.
            script.lines().skip(4).collect::<Vec<_>>().join("\n")
        };
        let sound = Ways::default();
        let bad = Ways {
            sends: netem(&[("delay", "50ms")]),
            receives: netem(&[("loss", "1%"), ("rate", "1mbit")]),
        };
        assert_eq!(text(&sound, &sound), "");
        insta::assert_snapshot!(text(&sound, &bad), @r"
        tc qdisc replace dev $dev root netem delay 50ms limit 10000
        modprobe ifb numifbs=0 2>/dev/null || :; modprobe -a sch_ingress act_mirred cls_matchall 2>/dev/null || :
        [ -e /sys/class/net/xcin2 ] || { ip link add xcin2 type ifb; ip link set xcin2 addrgenmode none up; tc qdisc add dev $dev handle ffff: ingress; tc filter add dev $dev parent ffff: matchall action mirred egress redirect dev xcin2; }
        tc qdisc replace dev xcin2 root netem loss 1% rate 1mbit
        ");
        insta::assert_snapshot!(text(&bad, &sound), @r"
        tc qdisc del dev $dev root 2>/dev/null || :
        if [ -e /sys/class/net/xcin2 ]; then tc qdisc del dev $dev ingress; ip link del xcin2; fi
        ");
    }

    #[test]
    fn links_that_a_script_wired_without_their_address_are_told() {
        let mut link = node_state(&node(5, &[0, 1])).interfaces.remove(1);
        assert_eq!(netdev(id(5), &link).unwrap(), "net1");
        link.netdev = None;
        insta::assert_snapshot!(netdev(id(5), &link).unwrap_err(), @"can't tell what carries network 1 of vm-005: the script of __net_setup gave no `-device` the address 00:00:00:01:01:05");
    }
}
