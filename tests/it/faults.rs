//! Faults of links and captures, live, on real nodes.

use std::fs::File;

use crate::common::Workspace;
use crate::common::capture::{Capture, tshark};
use crate::common::need::TSHARK;
use crate::common::running::PAIR;

const PING: [&str; 3] = ["rsh", "1", "ping -c 3 -i 0.1 192.168.1.201"];

/// Two at once, one of them of two places, one into a pipe.
#[test(on = &PAIR, needs = [TSHARK])]
fn captures_see_the_same() {
    let workspace = PAIR.get();
    let error = workspace.fails(&["capture", "7", "-w", "x"], 1);
    assert!(error.contains("no running node is on network 7; there are 0, 1"), "{error}");
    let [one, two] = ["one", "two"].map(|name| workspace.home().join(name));
    let file = one.to_str().unwrap();
    let both = Capture::start(workspace.command(&["capture", "1", "201:1", "-w", file]));
    let mut piped = workspace.command(&["capture", "1", "-w", "-", "--count=4"]);
    piped.stdout(File::create(&two).unwrap());
    let piped = Capture::start(piped);
    workspace.ok(&PING);
    assert!(piped.ended().contains("Captured 4 frames"));
    assert!(both.interrupt().contains("Captured "));

    let fields = ["frame.interface_name", "frame.packet_flags_direction"];
    let requests = tshark(&one, "icmp.type == 8", &fields);
    let count = |line: &str| requests.iter().filter(|l| l.trim() == line).count();
    assert_eq!((count("net1"), count("vm-201:1 0x00000001")), (3, 3), "{requests:?}");
    let replies = tshark(&one, "icmp.type == 0", &fields);
    assert!(replies.iter().any(|l| l == "vm-201:1 0x00000002"), "{replies:?}");
    assert_eq!(tshark(&two, "frame", &["frame.number"]).len(), 4);
}

/// qemu finds nobody at the other end of its dump and the node goes on; the next capture works.
#[test(on = &PAIR, needs = [TSHARK])]
fn a_killed_capture_leaves_nothing() {
    let workspace = PAIR.get();
    let file = workspace.home().join("cut");
    let words = ["capture", "1:1", "-w", file.to_str().unwrap()];
    Capture::start(workspace.command(&words)).kill();
    workspace.ok(&PING);
    let next = Capture::start(workspace.command(&[&words[..], &["--count=2"]].concat()));
    workspace.ok(&PING);
    next.ended();
    assert_eq!(tshark(&file, "frame", &["frame.number"]).len(), 2);
}

#[test(on = &PAIR, needs = [TSHARK])]
fn nodes_capture_themselves() {
    let workspace = PAIR.get();
    workspace.ok(&["tcpdump", "--start", "1", "eth1", "-n", "icmp"]);
    workspace.ok(&PING);
    let file = workspace.ok(&["tcpdump", "--get", "1", "eth1"]);
    assert_eq!(file, "/tmp/vm-001-eth1.pcap\n");
    let replies = tshark(std::path::Path::new(file.trim_end()), "icmp.type == 0", &["ip.src"]);
    assert_eq!(replies, ["192.168.1.201"; 3]);
    let error = workspace.fails(&["tcpdump", "--get", "1", "eth1"], 1);
    assert!(error.contains("vm-001: no capture on eth1 was started"), "{error}");
    std::fs::remove_file(file.trim_end()).unwrap();
}

#[test(on = &PAIR)]
fn what_can_not_be_is_refused() {
    let workspace = PAIR.get();
    let rows: &[(&[&str], i32, &str)] = &[
        (&["link", "1", "2", "--down"], 1, "vm-001 is not on network 2; it is on 0, 1"),
        (&["link", "7", "1", "--down"], 1, "vm-007 is not in the cluster; its nodes are 1, 201"),
        (&["link", "1", "1", "--delay", "50"], 1, "--delay `50` is not of the form 50ms"),
        (&["link", "1", "1", "--delay=300s"], 1, "--delay `300s` is not between 1us and 274s"),
        (&["link", "1", "1", "--loss=101%"], 1, "--loss `101%` is not between 0% and 100%"),
        (&["link", "1", "1", "--jitter=5ms"], 1, "jitter and reorder need a delay"),
        (&["link", "1", "0", "--loss=100%"], 1, "network 0 is the way to vm-001"),
        (&["link", "1", "--down"], 2, "<NETWORK>"),
    ];
    for (arguments, code, message) in rows {
        let error = workspace.fails(arguments, *code);
        assert!(error.contains(message), "{error}");
    }
}

/// Pings vm-201 from vm-001: how many of `count` came back, and the shortest time in ms. Ping waits
/// for the last answers only as long as earlier ones took, so on a busy machine some come too late.
fn ping(workspace: &Workspace, count: u32) -> (u32, f64) {
    let script = format!("ping -q -c {count} -i 0.02 -W 2 192.168.1.201; true");
    let said = workspace.ok(&["rsh", "1", &script]);
    let back = said.split(" received").next().and_then(|t| t.rsplit(' ').next()?.parse().ok());
    let times = said.split("mdev = ").nth(1).and_then(|t| t.split('/').next()?.parse().ok());
    (back.unwrap_or_else(|| panic!("{said}")), times.unwrap_or(0.0))
}

/// vm-201 answers vm-001, at last: links need their time to be up. Ping is tried anew, since it ends
/// by itself when it is told that the host can't be reached.
fn assert_answers(workspace: &Workspace) {
    let until = "timeout 60 sh -c 'until ping -q -c 1 -W 1 192.168.1.201; do :; done'";
    workspace.ok(&["rsh", "1", until]);
}

/// The bounds of the loss are 10 standard deviations from what is expected.
#[test(on = &PAIR)]
fn delay_and_loss_are_measured() {
    let workspace = &PAIR.get();
    assert_answers(workspace);
    workspace.ok(&["link", "1", "1", "--delay", "50ms"]);
    let (back, shortest) = ping(workspace, 5);
    assert!(back > 0 && shortest >= 50.0, "{back} after {shortest} ms");
    workspace.ok(&["link", "201", "1", "--delay=30ms", "--direction=both"]);
    let (_, shortest) = ping(workspace, 5);
    assert!(shortest >= 110.0, "{shortest} ms");
    workspace.ok(&["link", "201", "1", "--clear"]);
    workspace.ok(&["link", "1", "1", "--delay=0", "--loss=30%"]);
    let (back, _) = ping(workspace, 200);
    assert!((75..200).contains(&back), "{back} of 200 came through");
    let table = workspace.ok(&["link", "1"]);
    assert!(table.contains("vm-001  1        up    loss 30%  -"), "{table}");
    workspace.ok(&["link", "1", "1", "--clear", "--duplicate=100%"]);
    let said = workspace.ok(&["rsh", "1", "ping -c 4 -i 0.02 -W 2 192.168.1.201"]);
    assert!(said.contains("duplicates"), "{said}");
    workspace.ok(&["link", "1", "1", "--clear"]);
}

/// What a node sends is lost before the other sees it, what it receives after.
#[test(on = &PAIR)]
fn each_direction_is_its_own() {
    let workspace = &PAIR.get();
    let seen = || {
        let said = workspace.ok(&["rsh", "201", "nstat -asz IcmpInEchos"]);
        let count = said.split_whitespace().skip_while(|w| *w != "IcmpInEchos").nth(1);
        count.and_then(|n| n.parse::<u32>().ok()).unwrap_or_else(|| panic!("{said}"))
    };
    let before = seen();
    workspace.ok(&["link", "1", "1", "--loss=100%"]);
    assert_eq!((ping(workspace, 5).0, seen() - before), (0, 0));
    workspace.ok(&["link", "1", "1", "--clear", "--loss=100%", "--direction=in"]);
    assert_eq!((ping(workspace, 5).0, seen() - before), (0, 5));
    workspace.ok(&["link", "1", "1", "--clear"]);
    assert_answers(workspace);
}

#[test(on = &PAIR)]
fn carrier_goes_and_comes() {
    let workspace = &PAIR.get();
    workspace.ok(&["link", "1", "1", "--down"]);
    let carrier = workspace.ok(&["rsh", "1", "cat /sys/class/net/eth1/carrier"]);
    assert_eq!((carrier.as_str(), ping(workspace, 2).0), ("0\n", 0));
    let shown = workspace.ok(&["topology", "show", "--live"]);
    assert!(shown.contains("1000::1:192.168.1.1    down"), "{shown}");
    let table = workspace.xcbuild(&["status", "--table"]).assert().code(2);
    let table = String::from_utf8_lossy(&table.get_output().stdout).into_owned();
    assert!(table.contains("vm-001  1        down"), "{table}");
    workspace.ok(&["link", "1", "0", "--down"]);
    let error = workspace.fails(&["link", "1", "1", "--delay=1ms"], 1);
    assert!(error.contains("`xcbuild link --cluster=tests 1 0 --up` takes it up"), "{error}");
    for asked in [&["rsh", "1", "hostname"][..], &["rcp", "1", "/etc/hostname", "x"]] {
        let error = workspace.fails(asked, 1);
        let why = "vm-001 can't be reached: its network 0 is down; `xcbuild link --cluster=tests 1 0 --up` takes it up";
        assert!(error.contains(why), "{error}");
    }
    workspace.ok(&["link", "1", "0", "--up"]);
    workspace.ok(&["link", "1", "1", "--up"]);
    assert_answers(workspace);
}

/// A reset forgets what was in the node's kernel; a way to the node that is down does not keep it
/// from being set again.
#[test(on = &PAIR)]
fn faults_outlive_a_boot() {
    let workspace = &PAIR.get();
    workspace.ok(&["link", "1", "1", "--delay=50ms", "--direction=in"]);
    workspace.ok(&["link", "1", "0", "--down"]);
    workspace.ok(&["reset_vm", "1"]);
    let table = workspace.ok(&["link", "1"]);
    assert!(table.contains("vm-001  0        down  -    -"), "{table}");
    assert!(table.contains("vm-001  1        up    -    delay 50ms\n"), "{table}");
    workspace.ok(&["link", "1", "0", "--up"]);
    assert_answers(workspace);
    let (back, shortest) = ping(workspace, 5);
    assert!(back > 0 && shortest >= 50.0, "{back} after {shortest} ms");
    workspace.ok(&["link", "1", "1", "--clear"]);
}
