//! Clusters side by side: of one user and of two, on the loopback of one host to throw away.

use xc_harness::Need;

use crate::common::host::Host;
use crate::common::need::{HOST, QEMU};
use crate::common::running::NAMESPACE_LANE;

/// What tells a cluster's user-space networks from another's.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Ports {
    ssh: u64,
    multicast: u64,
    dns: u64,
}

fn ports(host: &Host, cluster: &str) -> Ports {
    let status = host.xcbuild(&["status", "--json", "--cluster", cluster]);
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    let number = |name: &str| status["net"][name].as_u64().unwrap();
    Ports { ssh: number("ssh_base"), multicast: number("mcast_port"), dns: number("dns_port") }
}

/// Whether a node of a cluster reaches an address, of frames up to 9,000 bytes.
fn reaches(host: &Host, (cluster, node): (&str, &str), to: &str) -> bool {
    let ping = format!("ping -c2 -W3 -M do -s 8972 {to}");
    host.xcbuild(&["rsh", "--cluster", cluster, node, &ping]).status.success()
}

#[test(needs = [HOST, QEMU, Need::Program("setpriv"), Need::Program("ss")], serial_in = NAMESPACE_LANE)]
fn clusters_of_one_user_and_of_two_do_not_meet() {
    let root = Host::new();
    let alone = root.workspace.cluster();
    root.prepare();
    let kim = root.kim();
    let shape = ["up", "--net=user", "--mtu=9000", "--ntesters=0"];
    let first = [&shape[..], &["--nvm=2", "--nrouters=0"]].concat();
    let router = [&shape[..], &["--nvm=0", "--nrouters=1"]].concat();
    let mut with_base = root.command(root.program());
    let done = with_base.args(&first).env("XCLUSTER_SSH_BASE", "16300").output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    root.ok(&[&router[..], &["--cluster=other"]].concat());
    kim.ok(&router);

    let all = [ports(&root, "tests"), ports(&root, "other"), ports(&kim, "tests")];
    assert_eq!(all[0].ssh, 16_300, "the base that the user has set");
    for number in [|p: &Ports| p.ssh, |p: &Ports| p.multicast, |p: &Ports| p.dns] {
        let distinct: std::collections::BTreeSet<_> = all.iter().map(number).collect();
        assert_eq!(distinct.len(), 3, "{all:?}");
    }
    let shown = root.ok(&["ps"]);
    for ports in &all[..2] {
        assert!(shown.contains(&format!("127.0.0.1:{}+N", ports.ssh)), "{shown}");
        assert!(shown.contains(&format!("224.0.0.160+N:{}", ports.multicast)), "{shown}");
    }

    // All three have a network 1 of the same group; a router's address is 192.168.1.201 on each.
    assert!(reaches(&root, ("tests", "1"), "192.168.1.2"));
    assert!(!reaches(&root, ("tests", "1"), "192.168.1.201"));
    assert!(!reaches(&root, ("other", "201"), "192.168.1.1"));
    assert!(!reaches(&kim, ("tests", "201"), "192.168.1.2"));
    let heard = root.ok(&["rsh", "1", "ip neigh show dev eth1"]);
    assert!(!heard.contains("00:00:00:01:01:c9"), "{heard}");

    // Nobody listens on an address that other hosts reach. What has a port of the kernel's choice is
    // a client, such as qemu's when a node asks for a name.
    let listens = root.host.said("ss -Hlnt; ss -Hlnu | grep -v 0.0.0.0:[3456]....\\ ");
    let local = |line: &str| line.split_whitespace().nth(3).map(ToOwned::to_owned);
    let open: Vec<_> = listens.lines().filter_map(local).collect();
    let closed =
        |a: &&String| ["127.", "[::1]", "224.0.0."].iter().any(|start| a.starts_with(start));
    assert!(open.len() > 8 && open.iter().all(|a| closed(&a)), "{listens}");
    root.ok(&["stop", "--all"]);
    kim.ok(&["stop"]);
    drop(alone);
}
