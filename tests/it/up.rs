//! From nothing to a running, checked cluster, and back to nothing.

use std::io::{BufRead, BufReader, Lines};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStderr, Command, Stdio};

use crate::common::dns::DNSMASQ;
use crate::common::need::QEMU;
use crate::common::{Workspace, dns, tool};

/// Programs whose command line names something of the workspace: its qemus, its DNS proxy.
fn processes(workspace: &Workspace) -> Vec<String> {
    let mark = workspace.run_directory().to_str().unwrap().to_owned();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(line) = std::fs::read(entry.path().join("cmdline")) else { continue };
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(&mark) {
            found.push(line);
        }
    }
    found
}

fn assert_nothing_left(workspace: &Workspace) {
    assert_eq!(processes(workspace), Vec::<String>::new());
    let left: Vec<_> = std::fs::read_dir(workspace.run_directory())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .filter(|name| !name.to_str().unwrap().ends_with(".lock"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

/// The whole way once, since a boot costs the machine's two cores ten seconds and more.
#[test(needs = [QEMU, DNSMASQ], serial)]
fn a_cluster_comes_up_works_and_goes() {
    let upstream = dns::Upstream::start();
    let mut workspace = Workspace::new();
    // As people have it.
    workspace.set("__smp", "");
    let cluster = workspace.cluster();
    let upstream_option = format!("--dns-upstream={}", upstream.address());
    let up = ["up", &upstream_option, "--check-name", dns::NAME];
    let table = workspace.ok(&up);
    assert_eq!(table.matches(" ready ").count(), 7, "{table}");
    // Two pings and two ways in each direction, and two names a node.
    assert_eq!(table.matches(" ok ").count(), 8 + 2 * 7, "{table}");
    assert!(!table.contains("FAILED") && !table.contains("SKIPPED"), "{table}");

    let again = workspace.fails(&up, 1);
    assert!(again.contains("the cluster `tests` is running (7 nodes alive)"), "{again}");
    workspace.xcbuild(&["status"]).assert().code(7);

    nodes_reach_each_other(&workspace);
    names_resolve(&workspace);
    files_are_copied(&workspace);
    exit_codes_are_passed_on(&workspace);
    every_tool_runs(&workspace);

    workspace.ok(&["stop"]);
    assert_nothing_left(&workspace);
    workspace.xcbuild(&["status"]).assert().code(0);
    drop(cluster);
}

fn nodes_reach_each_other(workspace: &Workspace) {
    for (from, v4, v6) in [
        ("1", "192.168.2.221", "1000::1:192.168.2.221"),
        ("221", "192.168.1.1", "1000::1:192.168.1.1"),
        ("2", "192.168.1.4", "1000::1:192.168.1.4"),
    ] {
        for address in [v4, v6] {
            workspace.ok(&["rsh", from, "ping", "-c1", "-W5", address]);
        }
    }
    let path = workspace.ok(&["rsh", "1", "traceroute -n -q1 -N1 192.168.2.221"]);
    let hops: Vec<_> = path.lines().skip(1).filter_map(|l| l.split_whitespace().nth(1)).collect();
    assert!(matches!(hops[..], ["192.168.1.201" | "192.168.1.202", "192.168.2.221"]), "{path}");
}

fn names_resolve(workspace: &Workspace) {
    let status: serde_json::Value =
        serde_json::from_str(&workspace.ok(&["status", "--json"])).unwrap();
    let port = &status["net"]["dns_port"];
    let direct = format!("dig +short {} @192.168.0.250 -p {port}", dns::NAME);
    for node in ["1", "201", "221"] {
        let short = workspace.ok(&["rsh", node, &direct]);
        assert_eq!(short.trim(), dns::V4);
        let looked_up = workspace.ok(&["rsh", node, "nslookup", dns::NAME]);
        assert!(looked_up.contains(dns::V4), "{looked_up}");
    }
}

fn files_are_copied(workspace: &Workspace) {
    let local = workspace.home().join("hostname");
    workspace.ok(&["rcp", "3", "/etc/hostname", local.to_str().unwrap()]);
    assert_eq!(std::fs::read_to_string(&local).unwrap(), "vm-003\n");
    workspace.ok(&["rcp", "--to", "4", "/tmp/copied", local.to_str().unwrap()]);
    assert_eq!(workspace.ok(&["rsh", "4", "cat", "/tmp/copied"]), "vm-003\n");
}

fn exit_codes_are_passed_on(workspace: &Workspace) {
    workspace.xcbuild(&["rsh", "2", "exit 7"]).assert().code(7);
    let stderr = workspace.fails(&["rsh", "99", "true"], 1);
    assert!(stderr.contains("vm-099"), "{stderr}");
    workspace.fails(&["rsh", "500", "true"], 2);
}

/// `iptools_test` is in the overlay: it runs every tool of it and counts those that don't work.
fn every_tool_runs(workspace: &Workspace) {
    let said = workspace.ok(&["rsh", "1", "iptools_test"]);
    assert!(said.lines().count() > 20, "{said}");
}

/// An `up` that runs, with the lines of its stderr as they come.
fn small_up(workspace: &Workspace) -> (Child, Lines<BufReader<ChildStderr>>) {
    let mut up = Command::new(env!("CARGO_BIN_EXE_xcbuild"))
        .args(["up", "--nvm=1", "--nrouters=1", "network-topology"])
        .env_clear()
        .envs(workspace.environment())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(up.stderr.take().unwrap()).lines();
    (up, lines)
}

/// Ctrl-C, and being ended, half way.
#[test(needs = [QEMU], serial)]
fn a_cancelled_start_leaves_nothing() {
    // DNS is the first thing that runs: from there on there is something to undo.
    for (signal, moment) in [("INT", "Serving"), ("TERM", "Checking")] {
        let workspace = Workspace::new();
        let cluster = workspace.cluster();
        let (mut up, lines) = small_up(&workspace);
        let id = up.id().to_string();
        let mut signalled = false;
        let mut said = String::new();
        for line in lines.map_while(Result::ok) {
            if line.contains(moment) && !signalled {
                tool::run("kill", &[&format!("-{signal}"), &id]);
                signalled = true;
            }
            said += &(line + "\n");
        }
        assert!(signalled, "{said}");
        assert_eq!(up.wait().unwrap().code(), Some(130), "{said}");
        assert_nothing_left(&workspace);
        drop(cluster);
    }
}

/// What a killed xcbuild leaves is found and ended by `stop`.
#[test(needs = [QEMU], serial)]
fn a_killed_start_is_cleaned_up_by_stop() {
    let workspace = Workspace::new();
    let cluster = workspace.cluster();
    let (mut up, lines) = small_up(&workspace);
    for line in lines.map_while(Result::ok) {
        if line.contains("Ready") {
            up.kill().unwrap();
        }
    }
    assert_eq!(up.wait().unwrap().signal(), Some(9), "it was killed half way");
    assert!(!processes(&workspace).is_empty(), "qemus outlive a killed xcbuild");
    workspace.ok(&["stop"]);
    assert_nothing_left(&workspace);
    drop(cluster);
}
