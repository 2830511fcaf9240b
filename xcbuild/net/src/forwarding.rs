//! Turning forwarding on in a namespace without losing what was there.
//!
//! Both switches change more than themselves: IPv4's sets every interface's and turns redirects
//! off, IPv6's sets every interface's and drops the default routes that routers announced, unless
//! the interface accepts announcements also while forwarding (`accept_ra` 2). So that is set first,
//! and all that changes is noted, in the order in which it has to be written back.
//!
//! Reference: the kernel's `Documentation/networking/ip-sysctl.rst`, `ip_forward`, `forwarding`,
//! `accept_ra`.

use std::collections::BTreeMap;

use super::apply::read_setting;
use super::op::{Op, Undo};

const V4: &str = "net/ipv4/ip_forward";
const V4_ALL: &str = "net/ipv4/conf/all/forwarding";
const V4_REDIRECTS: &str = "net/ipv4/conf/all/accept_redirects";
const V6: &str = "net/ipv6/conf/all/forwarding";

/// Settings by their path below `/proc/sys`.
pub type Values = BTreeMap<String, String>;

/// How forwarding is turned on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Forwarding {
    /// What is written.
    pub ops: Vec<Op>,
    /// What reverts it, the last first, as with all plans.
    pub undo: Vec<Undo>,
}

/// The steps that turn forwarding on, none for a family that forwards already.
pub fn plan(now: &Values) -> Forwarding {
    let mut plan = Forwarding::default();
    let is_off = |key: &str| now.get(key).is_some_and(|value| value == "0");
    let mut kept: Vec<(&String, &String)> = Vec::new();
    if is_off(V4) {
        plan.ops.push(Op::sysctl(V4, "1"));
        let changed = |key: &String| key.starts_with("net/ipv4/") && key != V4_ALL;
        kept.extend(now.iter().filter(|(key, _)| changed(key)));
        // The switch comes first when all is written back, since it sets the others.
        kept.sort_by_key(|(key, _)| (*key != V4, *key));
    }
    if is_off(V6) {
        let (ra, rest): (Vec<_>, Vec<_>) = now
            .iter()
            .filter(|(key, _)| key.starts_with("net/ipv6/"))
            .partition(|(key, _)| key.ends_with("/accept_ra"));
        let heard: Vec<_> = ra.into_iter().filter(|(_, value)| *value == "1").collect();
        plan.ops.extend(heard.iter().map(|(key, _)| Op::sysctl(key, "2")));
        plan.ops.push(Op::sysctl(V6, "1"));
        kept.extend(rest.into_iter().chain(heard));
    }
    let back = kept.into_iter().rev();
    plan.undo = back.map(|(key, value)| Undo::Sysctl(key.clone(), value.clone())).collect();
    plan
}

/// The settings of this namespace that matter here.
pub fn read() -> Values {
    let mut keys = vec![V4.to_owned(), V4_REDIRECTS.to_owned()];
    for (family, names) in [("ipv4", &["forwarding"][..]), ("ipv6", &["forwarding", "accept_ra"])] {
        let Ok(links) = fs_err::read_dir(format!("/proc/sys/net/{family}/conf")) else { continue };
        for link in links.flatten().filter_map(|e| e.file_name().into_string().ok()) {
            keys.extend(names.iter().map(|name| format!("net/{family}/conf/{link}/{name}")));
        }
    }
    keys.into_iter().filter_map(|key| Some((key.clone(), read_setting(&key)?))).collect()
}

#[cfg(test)]
mod tests {
    use insta::assert_debug_snapshot;

    use super::{Forwarding, Values, plan};

    fn values(v4: &str, v6: &str) -> Values {
        let rows = [
            ("net/ipv4/ip_forward", v4),
            ("net/ipv4/conf/all/accept_redirects", "0"),
            ("net/ipv4/conf/all/forwarding", v4),
            ("net/ipv4/conf/lan/forwarding", "1"),
            ("net/ipv6/conf/all/forwarding", v6),
            ("net/ipv6/conf/lan/forwarding", "0"),
            ("net/ipv6/conf/all/accept_ra", "0"),
            ("net/ipv6/conf/lan/accept_ra", "1"),
        ];
        rows.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn nothing_is_written_where_forwarding_is_on() {
        assert_eq!(plan(&values("1", "1")), Forwarding::default());
        assert_eq!(plan(&Values::new()), Forwarding::default());
    }

    #[test]
    fn what_the_switches_change_is_noted_in_order() {
        let plan = plan(&values("0", "0"));
        let ops: Vec<_> = plan.ops.iter().map(ToString::to_string).collect();
        assert_debug_snapshot!(ops, @r#"
        [
            "sysctl -w net/ipv4/ip_forward=1",
            "sysctl -w net/ipv6/conf/lan/accept_ra=2",
            "sysctl -w net/ipv6/conf/all/forwarding=1",
        ]
        "#);
        let back: Vec<_> = plan.undo.iter().rev().map(|u| format!("{u:?}")).collect();
        assert_debug_snapshot!(back, @r#"
        [
            "Sysctl(\"net/ipv4/ip_forward\", \"0\")",
            "Sysctl(\"net/ipv4/conf/all/accept_redirects\", \"0\")",
            "Sysctl(\"net/ipv4/conf/lan/forwarding\", \"1\")",
            "Sysctl(\"net/ipv6/conf/all/forwarding\", \"0\")",
            "Sysctl(\"net/ipv6/conf/lan/forwarding\", \"0\")",
            "Sysctl(\"net/ipv6/conf/lan/accept_ra\", \"1\")",
        ]
        "#);
    }
}
