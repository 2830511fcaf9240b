//! A node as people sit before it: its console, by several at once, its log, windows, commands in
//! the background; and that nothing of this shows the key by which they get in.

use std::process::Stdio;

use crate::common::need::SCRIPT;
use crate::common::running::PAIR;
use crate::common::tmux::{TMUX, Tmux};
use crate::common::viewer::Viewer;
use crate::common::{Workspace, read_until};

/// What leaves a console.
const DETACH: &str = "\x1d";

#[test(on = &PAIR)]
fn a_restart_changes_nothing_but_the_node() {
    let workspace = PAIR.get();
    let node = || {
        let status = workspace.ok(&["status", "--json"]);
        serde_json::from_str::<serde_json::Value>(&status).unwrap()["nodes"][0].take()
    };
    workspace.ok(&["link", "1", "1", "--delay=5ms", "--loss=1%"]);
    workspace.ok(&["rsh", "1", "touch /tmp/before"]);
    let (before, links) = (node(), workspace.ok(&["link"]));
    workspace.ok(&["restart", "1"]);
    let after = node();
    workspace.ok(&["rsh", "1", "test ! -e /tmp/before"]);
    assert_ne!(before["pid"], after["pid"], "a new qemu");
    let restarts = |node: &serde_json::Value| node["restarts"].as_u64().unwrap();
    assert_eq!(restarts(&after), restarts(&before) + 1);
    for same in ["addresses", "ssh_port", "telnet_port", "links", "memory_mib"] {
        assert_eq!(before[same], after[same], "{same}");
    }
    assert_eq!(workspace.ok(&["link"]), links);
    let said = workspace.ok(&["rsh", "1", "tc qdisc show dev eth1"]);
    assert!(said.contains("delay 5ms loss 1%"), "{said}");
    let none = workspace.fails(&["restart", "7"], 1);
    assert!(none.contains("vm-007"), "{none}");
    workspace.ok(&["link", "1", "1", "--clear"]);
}

/// A log that is followed and a console that is watched end with the cluster, and that is a success.
#[test(on = &PAIR, needs = [SCRIPT], last)]
fn followers_and_watchers_end_with_the_cluster() {
    let workspace = PAIR.get();
    let mut first = Viewer::start(&workspace, "console 1");
    first.until("vm-001 / >");
    let mut watcher = Viewer::start(&workspace, "console 1");
    watcher.until("Another user types on this console; you only watch.");
    first.types(DETACH);
    assert!(first.ended().success());
    let follow = ["logs", "1", "-f"];
    let mut follower = workspace.command(&follow).stdout(Stdio::piped()).spawn().unwrap();
    let mut log = follower.stdout.take().unwrap();
    read_until(&mut log, "vm-001 / >");
    workspace.ok(&["rsh", "1", "echo all of you >/dev/console"]);
    read_until(&mut log, "all of you");
    workspace.ok(&["stop", "--all"]);
    workspace.xcbuild(&["status"]).assert().code(0);
    assert!(follower.wait().unwrap().success());
    watcher.until("all of you");
    assert!(watcher.ended().success());
}

/// The first who comes has the keyboard, until it is left.
#[test(on = &PAIR, needs = [SCRIPT])]
fn one_types_on_a_console_and_others_watch() {
    let workspace = &PAIR.get();
    let mut first = Viewer::start(workspace, "console 1");
    first.until("vm-001 / >");
    first.types("echo ty$((1+1))ped\n");
    first.until("ty2ped");
    let [mut second, mut third] = [(); 2].map(|()| Viewer::start(workspace, "console 1"));
    for watcher in [&mut second, &mut third] {
        watcher.until("Another user types on this console; you only watch.");
        watcher.until("ty2ped");
    }
    // Once it has ended, all that was typed there was read.
    second.types(&format!("echo ne$((1+1))ver\n{DETACH}"));
    assert!(second.ended().success());
    first.types("echo do$((1+1))ne\n");
    for viewer in [&mut first, &mut third] {
        viewer.until("do2ne");
        assert!(!viewer.seen().contains("ver"), "{}", viewer.seen());
    }
    first.types(DETACH);
    assert!(first.ended().success());
    let mut next = Viewer::start(workspace, "console 1");
    next.until("do2ne");
    next.types("echo ne$((1+1))xt\n");
    third.until("ne2xt");
    for mut viewer in [next, third] {
        viewer.types(DETACH);
        assert!(viewer.ended().success());
    }
}

/// `rsh --bg` returns while its command runs, which goes on after it.
#[test(on = &PAIR)]
fn a_command_goes_on_in_the_background_and_no_key_is_seen() {
    let workspace = &PAIR.get();
    workspace.ok(&[
        "rsh",
        "--bg",
        "1",
        "mkfifo /tmp/go; cat /tmp/go >/tmp/some; mv /tmp/some /tmp/all",
    ]);
    the_key_is_nowhere(workspace);
    let until = |test: &str| format!("timeout 60 sh -c 'until {test}; do sleep 0.1; done'");
    let [made, done] = ["test -p /tmp/go", "test -e /tmp/all"].map(until);
    let said =
        workspace.ok(&["rsh", "1", &format!("{made}; echo here >/tmp/go; {done}; cat /tmp/all")]);
    assert_eq!(said, "here\n");
}

/// In tmux, `vm` opens a window on a node that takes nobody without the key.
#[test(on = &PAIR, needs = [TMUX])]
fn a_window_gets_in_by_the_key() {
    let workspace = &PAIR.get();
    let tmux = Tmux::start(workspace);
    tmux.xcbuild(workspace, &["vm", "1"]);
    tmux.run(&[
        "send-keys",
        "-t",
        "vm-001",
        "cd /tmp; hostname >window.part; mv window.part window",
        "Enter",
    ]);
    let until = "timeout 60 sh -c 'until test -e /tmp/window; do sleep 0.1; done'; cat /tmp/window";
    let said = workspace.xcbuild(&["rsh", "1", until]).output().unwrap();
    let screen = tmux.run(&["capture-pane", "-p", "-t", "vm-001"]);
    assert_eq!(String::from_utf8_lossy(&said.stdout), "vm-001\n", "{screen}");
}

/// Neither in any command line of the host, nor in logs, ours with all its words among them, nor in
/// the state; only in its file.
fn the_key_is_nowhere(workspace: &Workspace) {
    let run = workspace.run_directory().join("tests");
    let key = std::fs::read_to_string(run.join("key")).unwrap();
    // What the first lines hold is the public half.
    let secrets: Vec<&str> =
        key.lines().skip(3).filter(|l| l.len() > 40 && !l.contains("--")).collect();
    assert!(secrets.len() > 1, "a key of another form");
    let shows = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        secrets.iter().any(|secret| text.contains(secret))
    };
    assert!(shows(key.as_bytes()));
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|p| std::fs::read(p.path().join("cmdline")).ok());
    let lines: Vec<Vec<u8>> = lines.collect();
    let of_ours = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(run.to_str().unwrap());
    // A qemu, a DNS proxy, an ssh at least.
    assert!(lines.iter().filter(|line| of_ours(line)).count() >= 3);
    assert!(!lines.iter().any(|line| shows(line)), "it is on a command line");
    let logs = workspace.home().join("xcluster/xcluster/tmp/cluster-tests");
    for directory in [&run, &logs] {
        for file in std::fs::read_dir(directory).unwrap().map(|e| e.unwrap().path()) {
            let text = std::fs::read(&file).unwrap_or_default();
            assert!(file.ends_with("key") || !shows(&text), "it is in `{}`", file.display());
        }
    }
    let loud =
        workspace.xcbuild(&["rsh", "1", "true"]).env("XCBUILD_LOG", "trace").output().unwrap();
    assert!(loud.status.success() && loud.stderr.len() > 100, "{loud:?}");
    assert!(!shows(&loud.stderr), "it is in the debug log");
}
