//! Scripts around the tool, as their users call them: an overlay's test script, a topology's
//! Envsettings, settings under `eval`, commands and their failures.

use std::path::Path;

use super::overlays::{place, with_overlays};
use crate::common::need::QEMU;
use crate::common::{Workspace, tool};

const PROGRAM: &str = env!("CARGO_BIN_EXE_xcbuild");

/// Runs a script of the public form with `XCLUSTER` set, from another directory.
fn run(workspace: &Workspace, script: &Path, arguments: &[&str]) -> std::process::Output {
    let mut command = assert_cmd::Command::new(script);
    command.args(arguments).env_clear().envs(workspace.environment()).env("XCLUSTER", PROGRAM);
    command.current_dir("/").output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What a shell says in which `$XCLUSTER` is ours.
fn shell(workspace: &Workspace, name: &str, script: &str) -> String {
    let mut command = assert_cmd::Command::new(name);
    command.arg("-c").arg(script).env_clear().envs(workspace.environment());
    let done = command.env("XCLUSTER", PROGRAM).assert().success();
    text(&done.get_output().stdout)
}

#[test(needs = [QEMU], serial)]
fn an_overlays_test_script_runs_as_its_users_call_it() {
    let mut workspace = with_overlays(Workspace::new());
    let script = place().join("variants/variants.sh");
    let listed = run(&workspace, &script, &["test", "--list"]);
    assert_eq!(text(&listed.stdout), "start\nplain\nfailing\n");
    let wrong = run(&workspace, &script, &["tset"]);
    assert_eq!(text(&wrong.stderr), "ERROR: Invalid command [tset]\n");

    workspace.ok(&["mkimage"]);
    let cluster = workspace.cluster();
    let log = workspace.home().join("log");
    let option = format!("--log={}", log.display());
    let passed =
        run(&workspace, &script, &["test", "--no-stop", &option, "plain", "timezone", "loose"]);
    let summary = text(&passed.stderr);
    assert!(passed.status.success(), "{summary}{}", std::fs::read_to_string(&log).unwrap());
    assert!(summary.contains("variant plain"), "{summary}");
    assert_eq!(text(&passed.stdout), "", "the log is in the file");
    assert!(std::fs::read_to_string(&log).unwrap().contains("variant plain"));
    workspace.xcbuild(&["status"]).assert().code(1);
    let home = workspace.ok(&["rsh", "1", "test -s /etc/localtime && stat -c %u:%a /root"]);
    assert_eq!(home, "0:755\n", "with another's, the key would let nobody in");

    let failed = run(&workspace, &script, &["test", "failing"]);
    let summary = text(&failed.stderr);
    assert_eq!(failed.status.code(), Some(1), "{summary}");
    assert!(summary.contains("FAILED") && summary.contains("never"), "{summary}");
    drop(cluster);
    workspace.set("XCLUSTER_OVLPATH", "");
}

#[test]
fn envsettings_bring_a_topology_into_a_shell() {
    let workspace = Workspace::fresh();
    for name in ["bash", "sh"] {
        let script = "TOPOLOGY=diamond; . $($XCLUSTER ovld network-topology)/$TOPOLOGY/Envsettings\n\
                      echo $TOPOLOGY $__nrouters $__ntesters $__nets202 $__nets_vm\n\
                      . $($XCLUSTER ovld network-topology)/backend/Envsettings\n\
                      echo $TOPOLOGY $__nrouters $__nets_vm \"[$__nets202]\"";
        let said = shell(&workspace, name, script);
        assert!(said.starts_with("diamond 4 1 0,2,5,6 0,1\nbackend 2 0,1,3 ["), "{name}: {said}");
    }
}

#[test]
fn env_gives_every_setting_to_eval() {
    let mut workspace = Workspace::fresh();
    for (name, value) in
        [("ARCHIVE", "/with space"), ("__cached", "/it's"), ("__own", "7"), ("__mem", "256")]
    {
        workspace.set(name, value);
    }
    // What is set is there as well.
    workspace.set("XCLUSTER_SSH_BASE", "16300");
    let names = "XCLUSTER_OVLPATH XCLUSTER_WORKSPACE XCLUSTER_HOME XCLUSTER_TMP XCLUSTER_MONITOR_BASE ARCHIVE KERNELDIR \
                 DISKIM __kver __kobj __kcfg __kbin __bbver __kvm __image __cdrom __machine __mem __smp \
                 __ipv4_base __ipv6_prefix __loader __cached __nets_vm __nets_router __base_libs \
                 __ipver __dropbearver __diskimver __own XCLUSTER_SSH_BASE";
    for name in ["bash", "sh"] {
        // As scripts have it, without quotes.
        let script = format!(
            "unset ARCHIVE __cached __own __mem\n\
             eval $(ARCHIVE='/with space' __cached=\"/it's\" __own=7 __mem=256 $XCLUSTER env) || exit\n\
             for n in {names}; do eval \"v=\\$$n\"; test -n \"$v\" || echo \"no $n\"; done\n\
             echo \"$ARCHIVE|$__cached|$__own|$__mem|$__machine|$__smp|$XCLUSTER_MONITOR_BASE\"\n\
             echo \"$XCLUSTER_HOME|$__nets_vm|$__nets_router|$__ipv4_base|$__ipv6_prefix\""
        );
        let said = shell(&workspace, name, &script);
        let workspace_directory = workspace.home().join("xcluster");
        let expected = format!(
            "/with space|/it's|7|256|pc|2|4000\n{}/xcluster|0,1|0,1,2|172.30.0.0/24|fd00:1723::\n",
            workspace_directory.display()
        );
        assert_eq!(said, expected, "{name}");
    }
    let said = workspace.ok(&["env", "--nets-vm=0,7", "--mem=512"]);
    let options = ["env", "--net_setup=/n", "--machine=q35", "--kver=6"];
    let own = workspace.ok(&options);
    for line in ["__net_setup=/n", "__machine=q35", "__kver=6"] {
        assert!(own.lines().any(|l| l == line), "{line}: {own}");
    }
    for line in ["__nets_vm=0,7", "__mem=512", "__own=7"] {
        assert!(said.lines().any(|l| l == line), "the command line beats the environment: {said}");
    }
    let done = workspace.xcbuild(&["env"]).assert().success();
    assert_eq!(text(&done.get_output().stderr), "", "and it says nothing");
}

#[test]
fn options_may_be_spelt_in_three_ways_and_empty_is_unset() {
    let mut workspace = Workspace::fresh();
    for spelling in ["--nets-vm=0,1,9", "--nets_vm=0,1,9"] {
        assert!(workspace.ok(&["env", spelling]).contains("__nets_vm=0,1,9\n"), "{spelling}");
    }
    workspace.set("__nets_vm", "0,9");
    workspace.set("__mem", "");
    let said = workspace.ok(&["env"]);
    assert!(said.contains("__nets_vm=0,9\n") && said.contains("__mem=128\n"), "{said}");
}

/// As in the collections of overlays that the shell tool's users have on their path.
#[test]
fn a_network_topology_of_the_users_own_says_what_topologies_are() {
    let mut workspace = Workspace::fresh();
    let overlay = workspace.home().join("ovl/network-topology");
    std::fs::create_dir_all(overlay.join("mine")).unwrap();
    std::fs::write(
        overlay.join("mine/Envsettings"),
        "export __nvm=1 __nrouters=1\nexport __nets_vm=0,1,7 __nets201=0,7\n",
    )
    .unwrap();
    let tar = overlay.join("tar");
    std::fs::write(&tar, "#! /bin/sh\ncd $(dirname $0)\ntar cf \"$1\" mine\n").unwrap();
    tool::run("chmod", &["+x", tar.to_str().unwrap()]);
    workspace.set("XCLUSTER_OVLPATH", workspace.home().join("ovl").to_str().unwrap());
    let nodes = |script: &str| {
        let said = shell(&workspace, "sh", &format!("{script}\n$XCLUSTER topology show"));
        let names = said.lines().filter(|line| line.starts_with("vm-"));
        (
            names.filter_map(|line| line.split(' ').next()).collect::<Vec<_>>().join(" "),
            said.clone(),
        )
    };
    assert_eq!(nodes("").0, "vm-001 vm-002 vm-003 vm-004 vm-201 vm-202");
    assert!(
        nodes("export TOPOLOGY=diamond").0.ends_with("vm-204 vm-221"),
        "as the contract has it"
    );
    let mine = "export TOPOLOGY=mine; . $($XCLUSTER ovld network-topology)/$TOPOLOGY/Envsettings";
    let (names, said) = nodes(mine);
    assert_eq!(names, "vm-001 vm-201", "{said}");
    let networks =
        said.lines().filter_map(|line| line.split_once("  eth")?.1.split_whitespace().nth(1));
    assert_eq!(networks.collect::<Vec<_>>(), ["0", "1", "7", "0", "7"], "{said}");
    workspace.ok(&["mkcdrom", "network-topology"]);
}

/// As where the directory of a checkout is all that a makefile knows.
#[test]
fn places_may_be_given_from_where_one_stands() {
    let mut workspace = with_overlays(Workspace::fresh());
    let root = workspace.home().join("elsewhere");
    std::fs::create_dir_all(&root).unwrap();
    tool::run("cp", &["-R", place().to_str().unwrap(), root.to_str().unwrap()]);
    tool::run(
        "cp",
        &["-R", workspace.home().join("archive").to_str().unwrap(), root.to_str().unwrap()],
    );
    workspace.set("XCLUSTER_OVLPATH", "nosuch:./overlays/");
    workspace.set("ARCHIVE", "archive");
    workspace.set("__cdrom", "our.iso");
    let here = |arguments: &[&str]| {
        let done = workspace.xcbuild(arguments).current_dir(&root).assert().success();
        text(&done.get_output().stdout)
    };
    let found = here(&["ovld", "variants"]);
    assert_eq!(found, format!("{}\n", root.join("overlays/variants").display()), "for who goes on");
    // The scripts of these go into other directories, and ask for others' and for the archive.
    assert_eq!(here(&["mkcdrom", "borrower", "packaged"]), "our.iso\n");
    assert!(root.join("our.iso").is_file());
}

#[test]
fn options_that_are_no_settings_come_from_the_environment_too() {
    let mut workspace = with_overlays(Workspace::fresh());
    let dest = workspace.home().join("dest");
    workspace.set("__dest", dest.to_str().unwrap());
    workspace.ok(&["install_prog", "ls"]);
    assert!(dest.join("bin/ls").is_file());
    workspace.set("__label", "Mine");
    let label = |arguments: &[&str]| {
        let iso = std::fs::read(workspace.ok(arguments).trim()).unwrap();
        String::from_utf8_lossy(&iso[16 * 2048 + 40..][..32]).trim_end().to_owned()
    };
    assert_eq!(label(&["mkcdrom", "variants"]), "Mine");
    let beaten = label(&["mkcdrom", "--label=one", "--label=Two", "variants"]);
    assert_eq!(beaten, "Two", "the command line beats it, and the last word counts");
}

#[test]
fn failures_are_told_on_stderr_with_an_exit_status() {
    let workspace = Workspace::fresh();
    for arguments in [
        &["ovld", "nosuch"][..],
        &["mkcdrom", "nosuch"],
        &["start"],
        &["rsh", "1", "true"],
        &["rcp", "1", "/a", "/b"],
        &["stop_vm", "1"],
        &["reset_vm", "1"],
        &["scaleout", "5"],
        &["scalein", "5"],
        &["vm", "1"],
        &["cplib", "--dest=/nonexistent/x", "/nonexistent/y"],
        &["inject", "--addr=root@192.0.2.1", "nosuch"],
    ] {
        let said = workspace.fails(arguments, 1);
        assert!(said.lines().any(|l| l.starts_with("ERROR: ")), "{arguments:?}: {said}");
    }
    // That nothing runs is what stop and status are asked about, and no failure.
    workspace.ok(&["stop"]);
    assert_eq!(workspace.ok(&["status"]), "Alive; 0\n");
    let said = workspace.fails(&["nsadd_docker", "1"], 1);
    assert!(said.contains("`xcbuild nsadd N`") && said.contains("__net_setup"), "{said}");
}
