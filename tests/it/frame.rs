//! The frame of the command line: help, usage, settings.

use crate::common::Workspace;

#[test]
fn unknown_commands_and_options_are_usage_errors() {
    let workspace = Workspace::new();
    for (arguments, said) in [
        (&["nosuch"][..], "there is no command `nosuch`"),
        (&["env", "--nosuch"], "unexpected argument '--nosuch'"),
        (&[], "Usage: xcbuild"),
    ] {
        let stderr = workspace.fails(arguments, 2);
        assert!(stderr.contains(said), "{arguments:?}: {stderr}");
    }
}

#[test]
fn env_is_fit_for_eval() {
    let mut workspace = Workspace::new();
    workspace.set("__append", "it's 'quoted'");
    workspace.set("ARCHIVE", "/a b");
    let script = "eval \"$($0 env)\"; echo \"$ARCHIVE|$__mem|$__nets_vm\"";
    let stdout = workspace.ok(&["env"]);
    assert!(stdout.lines().all(|l| l.split_once('=').is_some()), "{stdout}");
    let mut shell = assert_cmd::Command::new("sh");
    let program = env!("CARGO_BIN_EXE_xcbuild");
    shell.args(["-c", script, program]).env("ARCHIVE", "/a b").env("HOME", workspace.home());
    shell.assert().success().stdout("/a b|128|0,1\n");
}

#[test]
fn bad_settings_are_named() {
    let mut workspace = Workspace::new();
    workspace.set("__mem", "lots");
    let stderr = workspace.fails(&["env"], 1);
    assert!(stderr.starts_with("ERROR: __mem=lots: a number from 32"), "{stderr}");
}
