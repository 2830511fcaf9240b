//! Clusters in hard times: nodes that can't boot, a kernel that panics, a power cut.

use serde_json::Value;

use crate::common::need::QEMU;
use crate::common::{Workspace, tool};

#[test(needs = [QEMU], serial)]
fn failing_nodes_panics_and_a_power_cut_are_told_and_cleaned_up() {
    let workspace = Workspace::new();
    let cluster = workspace.cluster();
    workspace.ok(&["mkimage"]);
    workspace.ok(&["mkcdrom", "network-topology"]);
    the_others_go_on(&workspace);
    a_panic_is_noticed(&workspace);
    a_power_cut_leaves_nothing(&workspace);
    drop(cluster);
}

/// Node 2's kernel finds no init. Routers come first.
fn the_others_go_on(workspace: &Workspace) {
    let start = |more: &[&str]| {
        let words = ["start", "--nvm=2", "--ntesters=0", "--append2=rdinit=/nonexistent"];
        workspace.xcbuild(&[&words[..], more].concat()).assert().code(1)
    };
    let stopped = start(&["--nrouters=0"]);
    let stderr = String::from_utf8_lossy(&stopped.get_output().stderr).into_owned();
    assert!(stderr.contains("vm-002 did not come up: Kernel panic - not syncing: "), "{stderr}");
    assert!(stderr.contains("Call Trace"), "what its console says about that: {stderr}");
    workspace.xcbuild(&["status"]).assert().code(0);

    let gone_on = start(&["--nrouters=1", "--order=routers", "--keep-going"]);
    let output = gone_on.get_output();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(stderr.contains("ERROR: vm-002 did not come up; the other nodes run"), "{stderr}");
    assert!(stderr.contains("Started 2 nodes"), "{stderr}");
    for row in ["vm-001  vm      ready", "vm-002  vm      failed", "vm-201  router  ready"] {
        assert!(stdout.contains(row), "{stdout}");
    }
    let ready = stderr.find("Ready vm-201").unwrap();
    assert!(ready < stderr.find("Ready vm-001").unwrap(), "{stderr}");
}

fn a_panic_is_noticed(workspace: &Workspace) {
    let waited = "Kernel panic - not syncing: sysrq triggered crash";
    // Who waits for the node's answer hears of it, and does not wait for ever.
    let lost = workspace.fails(&["rsh", "1", "echo c >/proc/sysrq-trigger; sleep 3600"], 255);
    assert!(lost.contains(&format!("vm-001 has died: {waited}")), "{lost}");
    let status = workspace.xcbuild(&["status", "--table"]).assert().code(3);
    let output = status.get_output();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(stdout.contains("vm-001  vm      failed"), "{stdout}");
    assert!(stderr.contains(&format!("vm-001 has failed: {waited}")), "{stderr}");
    let never = workspace.fails(&["wait", "1"], 1);
    assert!(never.contains(&format!("vm-001 will not be ready: {waited}")), "{never}");
    workspace.ok(&["reset_vm", "1"]);
    workspace.ok(&["wait", "1", "201"]);
}

/// As after a power cut: the run directory is there, of another boot of the host, and no process.
fn a_power_cut_leaves_nothing(workspace: &Workspace) {
    let directory = workspace.run_directory().join("tests");
    let file = directory.join("state.json");
    let mut state: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let nodes = state["nodes"].as_object().unwrap().values().map(|n| n["process"]["pid"].clone());
    let mut pids: Vec<String> = nodes.map(|pid| pid.to_string()).collect();
    pids.push(state["dns"]["process"]["pid"].to_string());
    let mut busy = workspace.command(&["exec", "--nodes=1,201", "touch /tmp/busy; sleep 3600"]);
    let busy = busy.stderr(std::process::Stdio::piped()).spawn().unwrap();
    for node in ["1", "201"] {
        workspace.ok(&["rsh", node, "until test -e /tmp/busy; do sleep 0.1; done"]);
    }
    for pid in &pids {
        tool::run("kill", &["-KILL", pid]);
    }
    let said = text(&busy.wait_with_output().unwrap().stderr);
    assert!(said.contains("vm-201 has died: its qemu has ended"), "{said}");
    assert!(said.contains("Ended 2 as their nodes died"), "{said}");
    state["boot_id"] = "11111111-2222-3333-4444-555555555555".into();
    std::fs::write(&file, state.to_string()).unwrap();

    let status = workspace.xcbuild(&["status"]).assert().code(0);
    let output = status.get_output();
    assert_eq!(text(&output.stdout), "dead  1\ndead  2\ndead  201\nAlive; 0\n");
    let stderr = text(&output.stderr);
    assert!(stderr.contains("this host has booted since the cluster was started"), "{stderr}");
    let all: Value = serde_json::from_str(&workspace.ok(&["ps", "--json"])).unwrap();
    assert_eq!(
        (all[0]["cluster"].as_str(), &all[0]["of_another_boot"]),
        (Some("tests"), &true.into())
    );
    assert!(workspace.ok(&["ps"]).contains("the host has booted since"));
    let refused = workspace.fails(&["rsh", "1", "true"], 1);
    assert!(refused.contains("the cluster `tests` does not run"), "{refused}");

    workspace.ok(&["stop"]);
    assert!(!directory.exists());
    let left: Vec<_> = std::fs::read_dir(workspace.run_directory()).unwrap().flatten().collect();
    let left: Vec<_> = left.iter().map(|entry| entry.file_name()).collect();
    let shared = |name: &str| name == "ports.lock" || name.starts_with(".boot-");
    assert!(left.iter().all(|name| shared(&text(name.as_encoded_bytes()))), "{left:?}");
    assert_eq!(workspace.ok(&["ps"]).lines().count(), 1, "only the heads");
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
