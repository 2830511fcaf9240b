//! The life of nodes in a running cluster: what is run on many, shown, paused, reset, added, taken.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::common::need::SCRIPT;
use crate::common::running::PAIR;
use crate::common::viewer::Viewer;
use crate::common::{Workspace, read_until, tool};

/// A node as `status --json` has it; `index` counts those that run.
fn node(workspace: &Workspace, index: usize) -> serde_json::Value {
    let status = workspace.ok(&["status", "--json"]);
    serde_json::from_str::<serde_json::Value>(&status).unwrap()["nodes"][index].take()
}

#[test(on = &PAIR)]
fn consoles_and_clusters_are_listed() {
    let workspace = PAIR.get();
    let console = workspace.ok(&["logs", "1"]);
    assert!(console.contains("vm-001"), "{console}");
    assert!(workspace.ok(&["ps"]).contains("2 of 2"));
}

#[test(on = &PAIR)]
fn a_paused_node_is_not_asked_and_goes_on() {
    let workspace = PAIR.get();
    workspace.ok(&["stop_vm", "201"]);
    let paused = workspace.xcbuild(&["status", "--table"]).assert().code(2);
    let table = String::from_utf8_lossy(&paused.get_output().stdout).into_owned();
    assert!(table.contains("vm-201  router  paused"), "{table}");
    let asked = workspace.fails(&["rsh", "201", "true"], 1);
    assert!(asked.contains("vm-201 is paused; `xcbuild cont --cluster=tests 201`"), "{asked}");
    let asked = workspace.xcbuild(&["exec", "hostname"]).assert().code(1);
    let asked = String::from_utf8_lossy(&asked.get_output().stderr).into_owned();
    assert!(asked.contains("1 not asked (vm-201), 1 with exit code 0"), "{asked}");
    workspace.ok(&["cont", "201"]);
    workspace.ok(&["rsh", "201", "true"]);
}

#[test(on = &PAIR)]
fn small_changes_take_their_turns() {
    let workspace = PAIR.get();
    let change = |node| workspace.command(&["link", node, "1", "--delay=1ms"]).spawn().unwrap();
    let mut changes = ["1", "201", "1"].map(change);
    assert!(changes.iter_mut().all(|change| change.wait().unwrap().success()));
    workspace.ok(&["link", "1", "1", "--clear"]);
    workspace.ok(&["link", "201", "1", "--clear"]);
}

#[test(on = &PAIR)]
fn a_reset_forgets_what_was_in_the_node_and_is_counted() {
    let workspace = PAIR.get();
    let before = node(&workspace, 0);
    workspace.ok(&["rsh", "1", "touch /tmp/before"]);
    workspace.ok(&["reset_vm", "1"]);
    workspace.ok(&["rsh", "1", "test ! -e /tmp/before"]);
    let after = node(&workspace, 0);
    let restarts = |node: &serde_json::Value| node["restarts"].as_u64().unwrap();
    assert_eq!(restarts(&after), restarts(&before) + 1, "{after}");
    assert!(after["usage"]["memory_mib"].as_u64().unwrap() > 10, "{after}");
}

#[test(on = &PAIR)]
fn who_watches_the_status_sees_it_until_interrupted() {
    let workspace = PAIR.get();
    let mut watch =
        workspace.command(&["status", "--watch"]).stdout(Stdio::piped()).spawn().unwrap();
    read_until(watch.stdout.as_mut().unwrap(), "127.0.0.1:");
    tool::run("kill", &["-INT", &watch.id().to_string()]);
    assert!(watch.wait().unwrap().success());
}

#[test(on = &PAIR, needs = [SCRIPT])]
fn top_draws_nodes_networks_and_a_console() {
    let workspace = &PAIR.get();
    let mut top = Viewer::start(workspace, "top");
    // The foot comes last: all is drawn when it is there. It is ended before it is judged, since a
    // failure would leave it running.
    top.until("leave");
    let drawn = top.seen().to_owned();
    top.types("q");
    let ended = top.ended();
    // Between words of one style the cursor is moved: there are no blanks to be found.
    for text in ["tests: 2 of 2 ready", "vm-001", "vm-201", "┌networks", "┌console"] {
        assert!(drawn.contains(text), "{text}: {drawn}");
    }
    assert!(ended.success(), "{ended}");
}

/// A cluster with a name of its own has a key; without it nodes take nobody, whoever reaches the port.
#[test(on = &PAIR)]
fn a_node_takes_only_who_has_the_key() {
    let workspace = PAIR.get();
    let status: serde_json::Value =
        serde_json::from_str(&workspace.ok(&["status", "--json"])).unwrap();
    let (key, node) = (status["ssh_key"].as_str().unwrap(), &status["nodes"][0]);
    let plain = |options: &[&str]| {
        let mut ssh = Command::new("ssh");
        ssh.args(["-F", "none", "-o", "BatchMode=yes", "-o", "UserKnownHostsFile=/dev/null"]);
        ssh.args(["-o", "StrictHostKeyChecking=no", "-p", &node["ssh_port"].to_string()]);
        ssh.args(options).args(["root@127.0.0.1", "hostname"]).output().unwrap()
    };
    let refused = plain(&["-o", "IdentityFile=none"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(255) && said.contains("Permission denied"), "{said}");
    assert_eq!(plain(&["-i", key]).stdout, b"vm-001\n");
    assert_eq!(workspace.ok(&["rsh", "1", "netstat -ltn | grep -c ':23 ' || true"]), "0\n");
    // Of what is on disk nobody else can read or enter anything.
    let run = workspace.run_directory().join("tests");
    for entry in std::fs::read_dir(&run).unwrap().flatten() {
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", entry.path());
    }
    assert_eq!(std::fs::metadata(&run).unwrap().permissions().mode() & 0o777, 0o700);
}

/// Nothing is built either: that would take the ISO from it that its nodes boot from.
#[test(on = &PAIR)]
fn a_test_takes_no_cluster_that_runs() {
    let workspace = PAIR.get();
    let said = workspace.fails(&["test", "--cluster=tests", "iptools"], 1);
    assert!(
        said.contains("the cluster `tests` is running (2 nodes alive); stop it first"),
        "{said}"
    );
    assert!(!said.contains("Starting"), "{said}");
    workspace.xcbuild(&["status"]).assert().code(2);
}

#[test(on = &PAIR)]
fn many_are_asked_at_once() {
    let workspace = PAIR.get();
    let said = workspace.ok(&["exec", "hostname"]);
    let mut lines: Vec<_> = said.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["vm-001: vm-001", "vm-201: vm-201"]);
    assert_eq!(workspace.ok(&["exec", "--role", "routers", "echo here"]), "vm-201: here\n");
    let failed = workspace.xcbuild(&["exec", "--nodes=1,201", "test $(hostname) = vm-001"]);
    let failed = { failed }.assert().code(1);
    let stderr = String::from_utf8_lossy(&failed.get_output().stderr).into_owned();
    assert!(stderr.contains("1 with exit code 0, 1 with exit code 1"), "{stderr}");
}

#[test(on = &PAIR)]
fn nodes_come_and_go() {
    let workspace = PAIR.get();
    let table = workspace.ok(&["scaleout", "2"]);
    assert_eq!(table.matches(" ready ").count(), 3, "{table}");
    workspace.ok(&["rsh", "2", "ping", "-c1", "-W5", "192.168.1.1"]);
    let again = workspace.fails(&["scaleout", "2"], 1);
    assert!(again.contains("vm-002 is in the cluster already"), "{again}");
    workspace.ok(&["wait"]);
    workspace.ok(&["scalein", "2"]);
    workspace.xcbuild(&["status"]).assert().code(2);
    let gone = workspace.fails(&["rsh", "2", "true"], 1);
    assert!(gone.contains("vm-002 does not run; those that run are 1, 201"), "{gone}");
}
