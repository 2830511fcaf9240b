//! A namespace of the cluster's own, made without root: how it is held and joined to the outside.
//! Pure.
//!
//! A user may make a user namespace, is root in it, and so may make a network namespace with
//! bridges and taps. slirp4netns, outside, plays the internet in it: it carries what leaves by the
//! tap `out0` in sockets of the user's own. What it shows of the host is closed by rules in the
//! namespace, but for the DNS proxy, which nodes know as `192.168.0.250`:
//!
//! ```text
//!   nodes ── xcbr0 ── masquerade ── out0 ── slirp4netns ── the world
//!               │                            10.0.2.2, fd00::2 is the host's loopback:
//!               └─ 192.168.0.250:10053 ────▶ port 10053 alone
//! ```
//!
//! Reference: user_namespaces(7), slirp4netns(1).

use super::bridges;
use super::namespace::CLUSTER_TABLE;
use super::op::Op;
use xc_topology::address::{HOST_BYTE, MAINTENANCE, Prefix, ipv4, ipv6};

/// The link to the outside.
const OUTSIDE: &str = "out0";
/// The host's loopback addresses as slirp4netns shows them.
const HOST_V4: &str = "10.0.2.2";
const HOST_V6: &str = "fd00::2";

/// How the line begins that slirp4netns writes to stderr when the link is up; the others wait in a
/// buffer of its.
pub const OUTSIDE_READY: &str = "received tapfd";

/// The command that holds the namespace, but for the file that it shows: it makes the namespaces,
/// then waits for ever.
pub const HOLDER: [&str; 6] = ["unshare", "--user", "--map-root-user", "--net", "tail", "-f"];

/// The command that joins the namespace to the outside.
pub fn outside(program: &str, net: &str, user: &str, socket: &str) -> Vec<String> {
    let words = [program, "--configure", "--mtu=65520", "--enable-ipv6", "--netns-type=path"];
    let mut words: Vec<_> = words.map(str::to_owned).into();
    words.extend([format!("--userns-path={user}"), format!("--api-socket={socket}")]);
    words.extend([net.to_owned(), OUTSIDE.to_owned()]);
    words
}

/// What is done in the namespace in addition to bridges and taps. `dns_port` is the DNS proxy's on the
/// host's loopback addresses, if there is an outside.
pub fn plan(prefix: &Prefix, dns_port: Option<u16>) -> Vec<Op> {
    let mut ops = vec![Op::up("lo"), Op::sysctl("net/ipv4/ip_forward", "1")];
    // slirp4netns announces its IPv6 network, which a forwarding host accepts only if set to.
    ops.push(Op::sysctl("net/ipv6/conf/default/accept_ra", "2"));
    ops.push(Op::sysctl("net/ipv6/conf/all/forwarding", "1"));
    if let Some(port) = dns_port {
        let rules = bridges::masquerade(prefix, OUTSIDE) + &host_rules(prefix, port);
        ops.push(Op::Table { name: CLUSTER_TABLE.into(), rules });
    }
    ops
}

/// Of the host's loopback, the DNS proxy is reachable and nothing else.
fn host_rules(prefix: &Prefix, port: u16) -> String {
    let (v4, v6) = (ipv4(MAINTENANCE, HOST_BYTE), ipv6(prefix, MAINTENANCE, HOST_BYTE));
    let dns = format!("meta l4proto {{ tcp, udp }} th dport {port}");
    let chain = |name: &str, head: &str, rules: &[String]| {
        let lines: String = rules.iter().map(|rule| format!("\t\t{rule}\n")).collect();
        format!("\tchain {name} {{\n\t\t{head}\n{lines}\t}}\n")
    };
    let lead = [
        format!("ip daddr {v4} {dns} dnat ip to {HOST_V4}"),
        format!("ip6 daddr {v6} {dns} dnat ip6 to {HOST_V6}"),
    ];
    let close = [
        format!("ip daddr {HOST_V4} {dns} accept"),
        format!("ip6 daddr {HOST_V6} {dns} accept"),
        format!("ip daddr {HOST_V4} reject"),
        // Neighbour discovery is between the namespace and slirp4netns itself.
        format!("ip6 daddr {HOST_V6} meta l4proto != icmpv6 reject"),
    ];
    [
        chain("nodes_to_dns", "type nat hook prerouting priority dstnat", &lead),
        chain("own_to_dns", "type nat hook output priority -100", &lead),
        chain("nodes_to_host", "type filter hook forward priority filter", &close),
        chain("own_to_host", "type filter hook output priority filter", &close),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::{outside, plan};
    use crate::op::text;
    use xc_topology::address::Prefix;

    #[test]
    fn host_is_closed_but_for_the_dns_proxy() {
        assert_snapshot!(text(&plan(&Prefix::default(), Some(10_053))), @r#"
        ip link set lo up
        sysctl -w net/ipv4/ip_forward=1
        sysctl -w net/ipv6/conf/default/accept_ra=2
        sysctl -w net/ipv6/conf/all/forwarding=1
        nft table inet xcbuild {
        	chain postrouting {
        		type nat hook postrouting priority srcnat
        		ip saddr 192.168.0.0/24 oifname "out0" masquerade
        		ip6 saddr 1000::1:c0a8:0/120 oifname "out0" masquerade
        	}
        	chain nodes_to_dns {
        		type nat hook prerouting priority dstnat
        		ip daddr 192.168.0.250 meta l4proto { tcp, udp } th dport 10053 dnat ip to 10.0.2.2
        		ip6 daddr 1000::1:c0a8:fa meta l4proto { tcp, udp } th dport 10053 dnat ip6 to fd00::2
        	}
        	chain own_to_dns {
        		type nat hook output priority -100
        		ip daddr 192.168.0.250 meta l4proto { tcp, udp } th dport 10053 dnat ip to 10.0.2.2
        		ip6 daddr 1000::1:c0a8:fa meta l4proto { tcp, udp } th dport 10053 dnat ip6 to fd00::2
        	}
        	chain nodes_to_host {
        		type filter hook forward priority filter
        		ip daddr 10.0.2.2 meta l4proto { tcp, udp } th dport 10053 accept
        		ip6 daddr fd00::2 meta l4proto { tcp, udp } th dport 10053 accept
        		ip daddr 10.0.2.2 reject
        		ip6 daddr fd00::2 meta l4proto != icmpv6 reject
        	}
        	chain own_to_host {
        		type filter hook output priority filter
        		ip daddr 10.0.2.2 meta l4proto { tcp, udp } th dport 10053 accept
        		ip6 daddr fd00::2 meta l4proto { tcp, udp } th dport 10053 accept
        		ip daddr 10.0.2.2 reject
        		ip6 daddr fd00::2 meta l4proto != icmpv6 reject
        	}
        }
        "#);
        assert_eq!(plan(&Prefix::default(), None).len(), 4, "no rules where nothing leads outside");
    }

    #[test]
    fn slirp_is_told_all_by_paths() {
        assert_snapshot!(outside("slirp4netns", "/r/net.ns", "/r/user.ns", "/r/s").join(" "), @"slirp4netns --configure --mtu=65520 --enable-ipv6 --netns-type=path --userns-path=/r/user.ns --api-socket=/r/s /r/net.ns out0");
    }
}
