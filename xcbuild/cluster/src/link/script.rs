//! The shell script by which a node's kernel impairs a link, and what its failure means. Pure.

use xc_sys::exec::Output;
use xc_topology::LinkImpairments;
use xc_topology::address::{Mac, NetworkId};
use xc_topology::impairment::{inbound, inbound_link, queue};

/// What the node's tools said, and what its kernel lacks if that is it.
pub(super) fn why(output: &Output, ways: &LinkImpairments) -> String {
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
pub(super) fn script(
    mac: Mac,
    network: NetworkId,
    before: &LinkImpairments,
    ways: &LinkImpairments,
) -> String {
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
    use super::{LinkImpairments, Mac, NetworkId, script};
    use xc_topology::Netem;

    fn netem(fields: &[(&str, &str)]) -> Netem {
        let mut netem = Netem::default();
        fields.iter().for_each(|(field, value)| netem.set(field, value).unwrap());
        netem
    }

    #[test]
    fn scripts_touch_only_queues_of_ours() {
        let text = |before: &LinkImpairments, ways: &LinkImpairments| {
            let script = script(Mac([0, 0, 0, 1, 2, 0xc9]), NetworkId(2), before, ways);
            // What finds the interface is the same for all.
            script.lines().skip(4).collect::<Vec<_>>().join("\n")
        };
        let sound = LinkImpairments::default();
        let bad = LinkImpairments {
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
}
