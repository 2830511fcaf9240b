//! Namespaces joined to the host, on hosts to throw away: they work, and leave no trace.

use crate::common::host::Host;
use crate::common::need::HOST;

#[test(needs = [HOST])]
fn host_is_the_same_before_and_after() {
    let host = Host::new();
    host.settle();
    let before = host.snapshot();
    assert!(before.contains("net.ipv4.ip_forward = 0"), "{before}");
    host.ok(&["nsadd", "1"]);
    host.ok(&["nsadd", "--ipv4-base=172.30.0.0/24", "2"]);
    assert_ne!(host.snapshot(), before);
    host.ok(&["nsdel", "1"]);
    let forwards = host.host.said("sysctl -n net.ipv4.ip_forward net.ipv6.conf.all.forwarding");
    assert_eq!(forwards, "1\n1\n", "the second namespace still needs it");
    host.ok(&["nsdel", "2"]);
    host.assert_is(&before);
}

/// Out of the namespace by two masquerades: the neighbour knows no way back to either network.
#[test(needs = [HOST])]
fn world_is_reached_from_the_nodes_network() {
    let host = Host::new();
    host.settle();
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

#[test(needs = [HOST])]
fn what_can_not_be_is_refused_and_leaves_nothing() {
    let host = Host::new();
    host.settle();
    let before = host.snapshot();
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
#[test(needs = [HOST])]
fn failure_half_way_is_unwound() {
    let host = Host::new();
    host.settle();
    let before = host.snapshot();
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
