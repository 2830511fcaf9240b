//! Namespaces joined to the host, on hosts to throw away: they work, and leave no trace.

use std::process::Output;

use crate::common::throwaway::Throwaway;
use crate::common::{Workspace, tool};

/// All of a host that `nsadd` may touch, as text. Counters, timers and what belongs to single links
/// that come and go are not in it.
const SNAPSHOT: &str = "nft list ruleset
    ip -o link | sed 's/^[0-9]*: //'
    ip -o address | sed 's/^[0-9]*: //; s/valid_lft.*//'
    ip -4 route show table all
    ip -6 route show table all | sed 's/expires [0-9]*sec//'
    ip rule; ip -6 rule
    sysctl -a 2>/dev/null | grep -E '^net\\.ipv[46]\\.(ip_|conf\\.|icmp|fib)' | sort
    ls /run/netns /run/xcbuild";

/// What a cluster of its own namespace may not touch.
const LINKS: &str = "nft list ruleset; ip -o link; ip route show table all";

/// A link to a neighbour that knows no way back to anything but the host's own address, an IPv6
/// default route that a router announced, a firewall table and settings that are not the default.
const SETTLED: &str = "set -e
    ip netns add world
    ip link add lan type veth peer name uplink netns world
    ip address add 10.9.0.1/24 dev lan; ip address add fd09::1/64 dev lan nodad
    ip link set lan addrgenmode none up
    ip -n world address add 10.9.0.2/24 dev uplink
    ip -n world address add fd09::2/64 dev uplink nodad
    ip -n world link set uplink up
    sysctl -qw net.ipv4.conf.lan.forwarding=1 net.ipv4.conf.all.accept_redirects=0
    ip route add default via 10.9.0.2
    ip -6 route add default via fd09::2 dev lan proto ra expires 9000
    nft add table inet mine
    nft add chain inet mine forward '{ type filter hook forward priority 0; policy accept; }'
    mkdir -p /run/xcbuild; touch /run/xcbuild/lock
    until ip link show lan | grep -q 'state UP'; do :; done";

struct Host {
    host: Throwaway,
    workspace: Workspace,
}

impl Host {
    fn new() -> Option<Self> {
        if !["ip", "nft", "nsenter", "ping"].iter().all(|program| tool::present(program)) {
            return None;
        }
        let host = Throwaway::new()?;
        let mut workspace = Workspace::new();
        workspace.set("USER", "kim");
        Some(Self { host, workspace })
    }

    fn xcbuild(&self, arguments: &[&str]) -> Output {
        let mut command = self.host.command(env!("CARGO_BIN_EXE_xcbuild"));
        command.args(arguments).env_clear().envs(self.workspace.environment()).output().unwrap()
    }

    /// Compares the host with a snapshot.
    fn assert_is(&self, before: &str) {
        let after = self.host.said(SNAPSHOT);
        let gone: Vec<_> = before.lines().filter(|l| !after.lines().any(|a| a == *l)).collect();
        let new: Vec<_> = after.lines().filter(|l| !before.lines().any(|b| b == *l)).collect();
        assert!(gone.is_empty() && new.is_empty(), "gone: {gone:#?}\nnew: {new:#?}");
        assert_eq!(after.lines().count(), before.lines().count());
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let done = self.xcbuild(arguments);
        let stderr = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{arguments:?}: {stderr}");
        String::from_utf8(done.stdout).unwrap()
    }

    fn fails(&self, arguments: &[&str]) -> String {
        let done = self.xcbuild(arguments);
        assert_eq!(done.status.code(), Some(1), "{arguments:?}");
        String::from_utf8(done.stderr).unwrap()
    }
}

#[test]
fn host_is_the_same_before_and_after() {
    let Some(host) = Host::new() else { return };
    host.host.said(SETTLED);
    let before = host.host.said(SNAPSHOT);
    assert!(before.contains("net.ipv4.ip_forward = 0"), "{before}");
    host.ok(&["nsadd", "1"]);
    host.ok(&["nsadd", "--ipv4-base=172.30.0.0/24", "2"]);
    assert_ne!(host.host.said(SNAPSHOT), before);
    host.ok(&["nsdel", "1"]);
    let forwards = host.host.said("sysctl -n net.ipv4.ip_forward net.ipv6.conf.all.forwarding");
    assert_eq!(forwards, "1\n1\n", "the second namespace still needs it");
    host.ok(&["nsdel", "2"]);
    host.assert_is(&before);
}

/// Out of the namespace by two masquerades: the neighbour knows no way back to either network.
#[test]
fn world_is_reached_from_the_nodes_network() {
    let Some(host) = Host::new() else { return };
    host.host.said(SETTLED);
    host.ok(&["nsadd", "7"]);
    let inside = |script: &str| host.ok(&["nsenter", "7", "sh", "-c", script]);
    for (from, to) in [("192.168.0.250", "10.9.0.2"), ("1000::1:192.168.0.250", "fd09::2")] {
        inside(&format!("ping -c1 -W5 -I {from} {to}"));
    }
    let links = inside("ip -br address");
    for address in ["172.30.0.30/30", "192.168.2.250/24", "1000::1:c0a8:2fa/120"] {
        assert!(links.contains(address), "{links}");
    }
    host.ok(&["nsenter", "7", env!("CARGO_BIN_EXE_xcbuild"), "br_setup", "5", "mtu", "9000"]);
    let bridge = inside("ip address show xcbr5");
    assert!(bridge.contains("mtu 9000") && bridge.contains("192.168.5.250/24"), "{bridge}");
}

#[test]
fn what_can_not_be_is_refused_and_leaves_nothing() {
    let Some(host) = Host::new() else { return };
    host.host.said(SETTLED);
    let before = host.host.said(SNAPSHOT);
    let rows: &[(&[&str], &str)] = &[
        (&["nsadd", "--ipv4-base=nonsense", "1"], "`nonsense` is not an IPv4 network"),
        (&["nsadd", "64"], "room for the namespaces 0 to 63"),
        (
            &["nsdel", "1"],
            "there is no namespace kim_xcluster1; those that `xcbuild nsadd` made: none",
        ),
        (&["nsenter", "1"], "there is no namespace kim_xcluster1; `xcbuild nsadd 1` makes it"),
    ];
    for (arguments, message) in rows {
        let error = host.fails(arguments);
        assert!(error.contains(message), "{error}");
    }
    host.assert_is(&before);
    host.host.said("ip link add xcluster1 type bridge");
    let error = host.fails(&["nsadd", "1"]);
    assert!(error.contains("the host has a link xcluster1 already"), "{error}");
    host.host.said("ip link delete xcluster1");
    host.ok(&["nsadd", "1"]);
    let error = host.fails(&["nsadd", "1"]);
    assert!(error.contains("there is a namespace kim_xcluster1 already"), "{error}");
    // The namespace of whoever asks is one that a process runs in.
    let error = host.xcbuild(&["nsenter", "1", env!("CARGO_BIN_EXE_xcbuild"), "nsdel", "1"]);
    let error = String::from_utf8_lossy(&error.stderr).into_owned();
    assert!(error.contains("processes run in kim_xcluster1"), "{error}");
}

/// nft refuses the last table: what was made until then goes again.
#[test]
fn failure_half_way_is_unwound() {
    let Some(host) = Host::new() else { return };
    host.host.said(SETTLED);
    let before = host.host.said(SNAPSHOT);
    let program = env!("CARGO_BIN_EXE_xcbuild");
    let done = host.host.shell(&format!(
        "cp /usr/sbin/nft /run/nft; mount -t tmpfs tmpfs /usr/sbin
         printf '%s\\n' '#!/bin/sh' 'rules=$(cat)' 'case $rules in *host1*) exit 7; esac' \
             'echo \"$rules\" | /run/nft -f -' >/usr/sbin/nft
         chmod 755 /usr/sbin/nft
         USER=kim HOME=/ {program} nsadd 1; code=$?
         umount /usr/sbin
         exit $code"
    ));
    let error = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(1), "{error}");
    assert!(error.contains("`nft -f -` ended with exit code 7"), "{error}");
    assert!(!error.contains("not all of it"), "{error}");
    host.assert_is(&before);
}

/// The nodes of the tests of clusters: one of each role, so that there is a way through a router.
const NODES: [&str; 3] = ["--nvm=1", "--nrouters=1", "--ntesters=1"];

/// A workspace with images, made where the packages can be fetched.
fn prepared(host: &Host) {
    let up = ["up", "--net=user", NODES[0], NODES[1], NODES[2]];
    host.workspace.ok(&up);
    host.workspace.ok(&["stop"]);
}

/// What works in a cluster on bridges, whichever the namespace; commands are run from outside it.
fn assert_cluster_works(host: &Host) {
    host.ok(&["rsh", "1", "ping", "-c1", "-W5", "-M", "do", "-s", "8972", "192.168.2.221"]);
    host.ok(&["rsh", "221", "ping", "-c1", "-W5", "1000::1:192.168.1.1"]);
    let answer = host.ok(&["rsh", "1", "nslookup", "host.xcluster"]);
    assert!(answer.contains("Address: 192.168.0.250"), "{answer}");
    let route = host.ok(&["rsh", "1", "traceroute", "-n", "192.168.2.221"]);
    assert!(route.contains(" 1  192.168.1.201"), "{route}");
    // Nodes reach each other on network 0, too, which each qemu's own network can't give them.
    host.ok(&["rsh", "1", "ping", "-c1", "-W5", "192.168.0.221"]);
    assert_links_fail(host);
}

/// Faults of links, where taps carry them.
fn assert_links_fail(host: &Host) {
    host.ok(&["link", "201", "2", "--delay=50ms", "--direction=both"]);
    let said = host.ok(&["rsh", "201", "ping", "-q", "-c3", "-i0.1", "-W5", "192.168.2.221"]);
    let shortest = said.split("mdev = ").nth(1).and_then(|t| t.split('/').next()?.parse().ok());
    assert!(shortest.is_some_and(|ms: f64| ms >= 100.0), "{said}");
    host.ok(&["link", "201", "2", "--down", "--clear"]);
    host.ok(&["rsh", "201", "grep", "-x", "0", "/sys/class/net/eth2/carrier"]);
    host.ok(&["link", "201", "2", "--up"]);
    host.ok(&["rsh", "201", "ping", "-c1", "-W5", "192.168.2.221"]);
}

/// A cluster in a namespace of `nsadd`, ended by the book, and one whose xcbuild is killed half way:
/// of neither anything is left in the namespace or on the host.
#[test]
fn a_cluster_on_bridges_comes_up_works_and_goes() {
    let Some(host) = Host::new() else { return };
    if !tool::present("qemu-system-x86_64") || !taps() {
        return;
    }
    let alone = host.workspace.cluster();
    prepared(&host);
    host.host.said(SETTLED);
    let before = host.host.said(SNAPSHOT);
    host.ok(&["nsadd", "1"]);
    let inside = |words: &[&str]| host.ok(&[&["nsenter", "1"], words].concat());
    let links = inside(&["ip", "-br", "-o", "link", "show", "up"]);
    let start = [env!("CARGO_BIN_EXE_xcbuild"), "start", "--net=netns", "--mtu=9000", "--nvm=1"];
    let start = [&start[..], &NODES[1..]].concat();
    inside(&start);
    assert_cluster_works(&host);
    host.ok(&["stop"]);
    assert_eq!(names(&inside(&["ip", "-br", "link"])), names(&links));

    let kill = "until [ -e $XCBUILD_RUN/$__cluster/001.qmp ]; do :; done; kill -9 $1";
    let script = format!("{} & {}", start.join(" "), kill.replace("$1", "$!"));
    host.xcbuild(&["nsenter", "1", "sh", "-c", &script]);
    host.ok(&["stop"]);
    assert_eq!(names(&inside(&["ip", "-br", "link"])), names(&links));
    host.ok(&["nsdel", "1"]);
    host.assert_is(&before);
    drop(alone);
}

/// The same in a namespace of the cluster's own; the host's loopback is closed but for DNS.
#[test]
fn a_rootless_cluster_comes_up_works_and_goes() {
    let Some(host) = Host::new() else { return };
    if !tool::present("qemu-system-x86_64") || !tool::present("slirp4netns") || !taps() {
        return;
    }
    let alone = host.workspace.cluster();
    prepared(&host);
    let before = host.host.said(LINKS);
    host.ok(&["start", "--net=rootless", "--mtu=9000", NODES[0], NODES[1], NODES[2]]);
    assert_eq!(host.host.said(LINKS), before);
    assert_cluster_works(&host);
    host.ok(&["stop"]);
    // The host's first process does not gather what has ended.
    let left = host
        .host
        .said("ps ax -o args | grep -E '[s]lirp4netns|[q]emu-system|[n]amespace$' | grep -v defunct || true");
    assert_eq!(left, "");
    drop(alone);
}

/// The names in `ip -br link`, less the peer's.
fn names(links: &str) -> Vec<&str> {
    links.lines().filter_map(|line| line.split([' ', '@']).next()).collect()
}

/// Whether taps can be made here; says `SKIPPED` if not.
fn taps() -> bool {
    let opened = std::fs::File::options().read(true).write(true).open("/dev/net/tun");
    if let Err(error) = &opened {
        println!("SKIPPED: /dev/net/tun can't be opened: {error}");
    }
    opened.is_ok()
}
