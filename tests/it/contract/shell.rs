//! The user's interactive shell: completion, and the functions of `shell-init`, in real shells.

use xc_harness::{Case, Need};

use crate::common::Workspace;
use crate::common::need::SCRIPT;
use crate::common::viewer::Viewer;

/// A workspace with an overlay `mine` of its own.
fn workspace() -> Workspace {
    let mut workspace = Workspace::fresh();
    let place = workspace.home().join("ovl");
    std::fs::create_dir(&place).unwrap();
    workspace.set("XCLUSTER_OVLPATH", place.to_str().unwrap());
    workspace.ok(&["mkovl", "mine"]);
    workspace
}

/// What a shell says that has the functions.
fn shell(workspace: &Workspace, shell: &str, script: &str) -> String {
    let program = env!("CARGO_BIN_EXE_xcbuild");
    let script = format!("alias xc=false\neval \"$({program} shell-init)\" || exit 99\n{script}");
    let mut command = assert_cmd::Command::new(shell);
    command.arg("-c").arg(script).env_clear().envs(workspace.environment());
    let done = command.assert().success();
    String::from_utf8(done.get_output().stdout.clone()).unwrap()
}

#[test]
fn completion_lists_commands_by_prefix() {
    let mut workspace = workspace();
    let all = workspace.ok(&["completion"]);
    for name in
        "env ovld mkcdrom cache mkimage ximage install_prog cplib libs cploader inject start \
                 starts stop status scaleout scalein rsh rcp stop_vm reset_vm nsadd nsdel nsenter \
                 br_setup svm xvm boot_vm completion"
            .split_whitespace()
    {
        assert!(all.lines().any(|l| l == name), "{name}");
    }
    assert!(!all.contains("netns-apply"), "what only xcbuild itself calls");
    assert_eq!(workspace.ok(&["completion", "mkc"]), "mkcdrom\n");
    assert_eq!(workspace.ok(&["completion", "nosuch"]), "");
    workspace
        .set("XCLUSTER_HOOK", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/hooks/xcluster.hook"));
    assert_eq!(workspace.ok(&["completion", "mys"]), "mystart\n", "the hook's, too");
}

#[tests]
fn shell_functions_work_in_bash_zsh_and_sh() -> Vec<Case> {
    let case = |name| Case::new(name, || functions_work(name)).needs(&[Need::Program(name)]);
    ["bash", "sh", "zsh"].map(case).into()
}

fn functions_work(name: &str) {
    let workspace = workspace();
    let overlay = workspace.home().join("ovl/mine").canonicalize().unwrap();
    let script = "xc ovld mine && cdo mine && pwd -P && lso | grep -c '^mine$'";
    let said = shell(&workspace, name, script);
    let path = overlay.display();
    assert_eq!(said, format!("{path}\n{path}\n1\n"));
    let said = shell(&workspace, name, "cdo nosuch 2>/dev/null; echo $?; pwd");
    assert!(said.starts_with("1\n") && !said.contains("nosuch"), "{said}");
    let said = shell(&workspace, name, "vm 1 2>&1 || echo failed");
    assert!(said.contains("ERROR: vm-001 does not run") && said.ends_with("failed\n"), "{said}");
}

#[test]
fn xcadmin_makes_overlays_an_index_and_checks() {
    let workspace = workspace();
    let script = "xcadmin mkovl --template=tested --ovldir=$HOME made && ls $HOME/made\n\
                  xcadmin ovlindex | grep mine\n\
                  xcadmin env_check\n\
                  xcadmin nosuch 2>&1";
    let said = shell(&workspace, "bash", &format!("{script} || true"));
    for expected in
        ["made.sh", "ovl.toml", "| [mine](mine/README.md) |", "qemu", "usage: xcadmin mkovl"]
    {
        assert!(said.contains(expected), "{expected}: {said}");
    }
}

/// At the tab key, in a zsh that has nothing set up.
#[test(needs = [Need::Program("zsh"), SCRIPT])]
fn zsh_completes_commands_and_overlays() {
    let workspace = workspace();
    let overlay = workspace.home().join("ovl/mine").canonicalize().unwrap();
    let mut zsh = Viewer::program(&workspace, "zsh -f -i");
    // The quotes keep the echo of a line from being taken for what it does.
    zsh.types("PS1='re''ady> '\n");
    zsh.until("ready> ");
    let program = env!("CARGO_BIN_EXE_xcbuild");
    zsh.types(&format!("eval \"$({program} shell-init)\" && echo 's''et up'\n"));
    zsh.until("set up");
    zsh.types("xc scalei\t --help\n");
    zsh.until("Usage: xcbuild scalein");
    zsh.types("xc ovld min\t | sed 's/^/found: /'\n");
    zsh.until(&format!("found: {}", overlay.display()));
    zsh.types("cdo min\t\npwd | sed 's/^/now in: /'\n");
    zsh.until(&format!("now in: {}", overlay.display()));
    zsh.types("xcadmin ovli\t | grep 'mine/READ'\n");
    zsh.until("(mine/README.md)");
    zsh.types("exit\n");
    assert!(zsh.ended().success());
}

#[test]
fn bash_completes_commands_and_overlays() {
    let workspace = workspace();
    // What readline does at the tab key: the function that `complete` names, with the words.
    let script = r#"
        tab() {
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
            local function
            function=$(complete -p "$1" | sed 's/.*-F \([^ ]*\).*/\1/')
            $function "$1" "${@: -1}" "${@: -2:1}"
            echo "${COMPREPLY[@]}"
        }
        tab xc mkcd
        tab xc mkcdrom net
        tab cdo mi
        tab xcadmin ovl
    "#;
    assert_eq!(shell(&workspace, "bash", script), "mkcdrom\nnetwork-topology\nmine\novlindex\n");
}
