//! `XCLUSTER_HOOK`: shell functions as commands.

use std::path::PathBuf;

use crate::common::Workspace;

/// The public-style hook of the tests.
fn hook() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/hooks/xcluster.hook")
}

fn workspace() -> Workspace {
    let mut workspace = Workspace::fresh();
    workspace.set("XCLUSTER_HOOK", hook().to_str().unwrap());
    workspace
}

/// A workspace with a hook of that text.
fn with_hook(text: &str) -> Workspace {
    let mut workspace = Workspace::fresh();
    let path = workspace.home().join("hook");
    std::fs::write(&path, text).unwrap();
    workspace.set("XCLUSTER_HOOK", path.to_str().unwrap());
    workspace
}

#[test]
fn a_hooks_function_is_a_command_with_options_and_arguments() {
    let workspace = workspace();
    let said = workspace.ok(&[
        "showargs",
        "--nets-vm=0,3",
        "--some_thing=a b",
        "--flag",
        "1",
        "x  y",
        "--z",
    ]);
    assert_eq!(said, "nets 0,3\nthing a b\nflag yes\nargument 1\nargument x  y\nargument --z\n");
    let said = workspace.ok(&["showargs"]);
    assert_eq!(said, "nets 0,1\nthing \nflag \n", "what env says, and nothing that is unset");
    workspace.xcbuild(&["ends", "7"]).assert().code(7);
    let said = workspace.fails(&["complain"], 1);
    assert_eq!(said, "ERROR: it is as it is\n");
}

#[test]
fn a_hook_uses_the_tools_own_commands() {
    let workspace = workspace();
    let said = workspace.ok(&["tour"]);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], env!("CARGO_BIN_EXE_xcbuild"), "$me");
    assert_eq!(lines[1], lines[0], "$XCLUSTER");
    assert!(lines[2].ends_with("/network-topology"), "cmd_ovld: {said}");
    assert_eq!(lines[3], "Alive; 0", "cmd_status");
    assert_eq!(lines[4], "__mem=256", "what it sets reaches commands: {said}");
    assert_eq!(lines[5], "__nets_vm=0,1", "what env told it does not");
    assert!(lines[6].starts_with("tmp "), "{said}");
    let tmp = lines[6].trim_start_matches("tmp ");
    assert!(!std::path::Path::new(tmp).exists(), "$tmp is removed");
    assert_eq!(lines.len(), 7);
}

#[test]
fn a_hook_may_take_the_place_of_a_command_and_call_it() {
    let workspace = with_hook("cmd_status() { echo before; $me status; echo after; }");
    assert_eq!(workspace.ok(&["status"]), "before\nAlive; 0\nafter\n");
}

#[test]
fn a_hook_in_bash_and_one_that_ends_with_a_false_condition_work() {
    let bash = with_hook("cmd_list() { local a=(one two); printf '%s\\n' \"${a[1]}\"; }");
    assert_eq!(bash.ok(&["list"]), "two\n");
    let ends = with_hook("cmd_x() { echo x; }\ntest -n \"\" && echo no");
    assert_eq!(ends.ok(&["x"]), "x\n");
    let other = with_hook(". $HOME/more\n");
    std::fs::write(other.home().join("more"), "cmd_more() { echo more; }\n").unwrap();
    assert_eq!(other.ok(&["more"]), "more\n", "from a file that the hook sources");
}

#[test]
fn unknown_commands_name_a_near_one_also_of_the_hook() {
    let workspace = workspace();
    let said = workspace.fails(&["showarg"], 2);
    assert!(
        said.starts_with("ERROR: there is no command `showarg`; did you mean `showargs`?"),
        "{said}"
    );
    assert!(said.contains("has no cmd_showarg() either"), "{said}");
    let plain = Workspace::fresh();
    let said = plain.fails(&["mkcdorm", "x"], 2);
    assert!(
        said.starts_with("ERROR: there is no command `mkcdorm`; did you mean `mkcdrom`?"),
        "{said}"
    );
    let mut gone = Workspace::fresh();
    gone.set("XCLUSTER_HOOK", "/nonexistent/hook");
    assert!(gone.fails(&["mystart"], 2).contains("the hook `/nonexistent/hook` can't be read"));
    gone.ok(&["env"]);
}
