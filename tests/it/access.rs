//! Commands on nodes and files of theirs: what is handed on, when it comes, and what ends it.

use std::process::Stdio;

use crate::common::running::PAIR;
use crate::common::{Workspace, read_until, tool};

/// Runs a command until two lines of it are read, then reads no more; on the node, `yes` ends as well.
fn read_two_lines_of(workspace: &Workspace, arguments: &[&str], line: &str) {
    let mut command = workspace.command(arguments);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    read_until(&mut stdout, &format!("{line}\n{line}\n"));
    drop(stdout);
    // 141: as a shell shows a program that was ended by SIGPIPE.
    assert_eq!(child.wait().unwrap().code(), Some(141), "{arguments:?}");
    for node in ["1", "201"] {
        workspace.ok(&["rsh", node, "timeout 60 sh -c 'while pidof yes; do sleep 0.1; done'"]);
    }
}

#[test(on = &PAIR)]
fn commands_end_when_nobody_reads_their_output() {
    let workspace = &PAIR.get();
    read_two_lines_of(workspace, &["rsh", "1", "yes"], "y");
    read_two_lines_of(workspace, &["exec", "--nodes=1", "yes"], "vm-001: y");
    // The other one writes nothing, and is not waited for.
    let both = "test $(hostname) = vm-201 && exec sleep 3600; exec yes";
    read_two_lines_of(workspace, &["exec", both], "vm-001: y");
}

#[test(on = &PAIR)]
fn output_of_many_comes_while_they_run() {
    let workspace = PAIR.get();
    let mut command = workspace.command(&["exec", "echo here; sleep 3600"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let stdout = child.stdout.as_mut().unwrap();
    let first = read_until(stdout, ": here\n");
    let other = if first.contains("vm-001: here\n") { "vm-201: here\n" } else { "vm-001: here\n" };
    if !first.contains(other) {
        read_until(stdout, other);
    }
    tool::run("kill", &["-INT", &child.id().to_string()]);
    assert!(!child.wait().unwrap().success());
}

#[test(on = &PAIR)]
fn words_after_a_double_dash_reach_the_program_as_they_are() {
    let workspace = PAIR.get();
    let print = ["printf", "[%s]", "a  b", "$HOME", "it's", "*", ""];
    let exact = workspace.ok(&[&["rsh", "1", "--"], &print[..]].concat());
    assert_eq!(exact, "[a  b][$HOME][it's][*][]");
    let exact = workspace.ok(&["exec", "--nodes=201", "--", "echo", "a  b"]);
    assert_eq!(exact, "vm-201: a  b\n");
    let joined = workspace.ok(&["rsh", "1", "echo", "a  b", "|", "tr", "a", "c"]);
    assert_eq!(joined, "c b\n");
}

#[test(on = &PAIR)]
fn files_with_odd_names_are_copied() {
    let workspace = PAIR.get();
    for name in ["a:b", "-x", "host:c d"] {
        let here = |arguments: &[&str]| {
            let mut command = workspace.command(arguments);
            command.current_dir(workspace.home()).status().unwrap()
        };
        assert!(here(&["rcp", "1", "/etc/hostname", "--", name]).success(), "{name}");
        let copied = std::fs::read_to_string(workspace.home().join(name)).unwrap();
        assert_eq!(copied, "vm-001\n", "{name}");
        assert!(here(&["rcp", "--to", "201", "/tmp/copied", "--", name]).success(), "{name}");
        assert_eq!(workspace.ok(&["rsh", "201", "cat /tmp/copied"]), "vm-001\n");
        workspace.ok(&["rsh", "201", "rm /tmp/copied"]);
    }
}
