//! Scripts of overlays as their users meet them: forecasts, ends by Ctrl-C and by force, set-id
//! programs, what is not declared.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use xc_harness::Need;

use crate::common::{Workspace, tool};

/// A workspace with the overlay `s`, which has that file, and files of its own.
fn overlay(file: &str, text: &str) -> Workspace {
    let mut workspace = Workspace::in_memory();
    let directory = workspace.home().join("ovl/s");
    std::fs::create_dir_all(directory.join("default/etc")).unwrap();
    std::fs::write(directory.join("default/etc/x"), "x").unwrap();
    std::fs::write(directory.join(file), text).unwrap();
    std::fs::set_permissions(directory.join(file), PermissionsExt::from_mode(0o755)).unwrap();
    workspace.set("XCLUSTER_OVLPATH", workspace.home().join("ovl").to_str().unwrap());
    workspace
}

fn stderr(workspace: &Workspace, arguments: &[&str]) -> String {
    let done = workspace.xcbuild(arguments).assert().success();
    String::from_utf8(done.get_output().stderr.clone()).unwrap()
}

const COPIES: &str = "#! /bin/sh\ncd $(dirname $0)/default; tar -cf $1 *\n";

#[test]
fn forecasts_are_made_without_running_it() {
    let workspace = overlay("tar", COPIES);
    let forecast = || workspace.ok(&["mkcdrom", "--dry-run", "s"]);
    assert!(forecast().contains("never built before"));
    workspace.ok(&["mkcdrom", "s"]);
    assert_eq!(forecast().trim_end(), "s                        cached");
    std::fs::write(workspace.home().join("ovl/s/default/etc/x"), "y").unwrap();
    assert!(forecast().ends_with(" default/etc/x changed\n"));
    assert!(forecast().ends_with(" default/etc/x changed\n"), "nothing was built");
    let said = stderr(&workspace, &["mkcdrom", "--explain", "s"]);
    assert!(said.contains("because default/etc/x changed"), "{said}");
    let built = workspace.ok(&["cache", "s"]);
    assert!(built.trim().ends_with("/default/s.tar.xz"), "{built}");
}

/// A build whose script waits for ever, with a process in a session of its own; the pipe is open as
/// long as any of them is there.
fn waiting() -> (Workspace, Child, File) {
    let script = "#! /bin/sh\nexec 9> $(dirname $0)/pipe\necho up >&9\n\
        (setsid sleep 100000 > /dev/null 2>&1 &)\nsleep 100000\n";
    let workspace = overlay("tar", script);
    let pipe = workspace.home().join("ovl/s/pipe");
    tool::run("mkfifo", &[pipe.to_str().unwrap()]);
    let child = Command::new(env!("CARGO_BIN_EXE_xcbuild"))
        .args(["mkcdrom", "s"])
        .env_clear()
        .envs(workspace.environment())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut pipe = File::open(pipe).unwrap();
    let mut up = [0; 3];
    pipe.read_exact(&mut up).unwrap();
    (workspace, child, pipe)
}

fn signal(child: &Child, name: &str) {
    tool::run("kill", &[name, &child.id().to_string()]);
}

/// Comes back when the last process is gone.
fn all_gone(mut pipe: File) {
    let mut rest = Vec::new();
    pipe.read_to_end(&mut rest).unwrap();
}

#[test]
fn an_interrupted_build_ends_its_script_and_leaves_nothing() {
    let (workspace, mut child, pipe) = waiting();
    signal(&child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    all_gone(pipe);
    let left = std::fs::read_dir(workspace.home().join("store/tmp")).unwrap().count();
    assert_eq!(left, 0);
}

#[test]
fn a_killed_build_leaves_no_process() {
    let (_workspace, mut child, pipe) = waiting();
    signal(&child, "-KILL");
    child.wait().unwrap();
    all_gone(pipe);
}

/// The script's stderr is its own, also where ours is a file, as in CI, that changes meanwhile.
#[test]
fn what_a_script_says_is_no_input() {
    let says = COPIES.replace(
        "tar -cf",
        "ln -s /dev/stderr $TMPDIR/log; echo one >> /dev/stderr\n\
        echo two >> $TMPDIR/log; tar -cf",
    );
    let workspace = overlay("tar", &says);
    let log = File::create(workspace.home().join("log")).unwrap();
    let done = workspace.command(&["mkcdrom", "s"]).stderr(log).output().unwrap();
    assert!(done.status.success());
    let forecast = workspace.ok(&["mkcdrom", "--dry-run", "s"]);
    assert_eq!(forecast.trim_end(), "s                        cached");
}

/// A set-id program would gain no rights while it is watched.
#[test(needs = [Need::Root])]
fn set_id_programs_are_run_unwatched() {
    let script = "#! /bin/sh\n$(dirname $0)/id -u > $TMPDIR/id\ncd $TMPDIR; tar -cf $1 id\n";
    let workspace = overlay("tar", script);
    let at = |path: &str| workspace.home().join(path).to_str().unwrap().to_owned();
    std::fs::copy("/usr/bin/id", at("ovl/s/id")).unwrap();
    tool::run("chmod", &["4755", &at("ovl/s/id")]);
    std::fs::copy(env!("CARGO_BIN_EXE_xcbuild"), at("xcbuild")).unwrap();
    tool::run("chmod", &["-R", "a+rX", &at("")]);
    tool::run("chmod", &["a+w", &at("")]);
    let build = || {
        let ids = ["--reuid=65534", "--regid=65534", "--clear-groups"];
        let done = Command::new("setpriv")
            .args(ids)
            .args([at("xcbuild").as_str(), "mkcdrom", "--explain", "s"])
            .env_clear()
            .envs(workspace.environment())
            .output()
            .unwrap();
        String::from_utf8(done.stderr).unwrap()
    };
    for _ in 0..2 {
        let said = build();
        let expected =
            format!("it is run every time: it runs the set-id program `{}`", at("ovl/s/id"));
        assert!(said.contains(&expected), "{said}");
    }
    let iso = at("xcluster/xcluster/tmp/cdrom.iso");
    workspace.ok(&["iso", "extract", &iso, "-C", &at("extracted")]);
    assert_eq!(std::fs::read_to_string(at("extracted/00s/id")).unwrap(), "0\n");
}

#[test]
fn what_a_declared_script_reads_and_does_not_declare_is_told() {
    let build = "#! /bin/sh\ncd $(dirname $0); cat src/in other > $1/made\n";
    let workspace = overlay("build", build);
    let write = |path: &str, text: &str| {
        let path = workspace.home().join("ovl/s").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("src/in", "in");
    write("other", "other");
    write("ovl.toml", "description = 'x'\n[script]\nrun = 'build'\ninputs = ['src']\n");
    let said = stderr(&workspace, &["mkcdrom", "s"]);
    assert!(said.contains("the script of `s` reads `other`, which its `inputs` don't"), "{said}");
    write("ovl.toml", "description = 'x'\n[script]\nrun = 'build'\ninputs = ['src', 'other']\n");
    let said = stderr(&workspace, &["mkcdrom", "s"]);
    assert!(said.contains("Built s") && !said.contains("WARNING"), "{said}");
}

#[test]
fn a_script_has_its_time() {
    let workspace = overlay("tar", "#! /bin/sh\nsleep 100000\n");
    let said = workspace.fails(&["mkcdrom", "--script-timeout=1", "s"], 1);
    assert!(said.contains("was ended after 1 s; --script-timeout gives it more"), "{said}");
}

/// A filter can't be put on below another: the inner build finds a kernel that refuses, as many
/// containers do.
#[test]
fn where_the_kernel_refuses_scripts_are_run_every_time() {
    let workspace = overlay("tar", COPIES);
    let outer = "#! /bin/sh\nfor n in 1 2; do\n\
        $XCLUSTER mkcdrom --cdrom=$TMPDIR/x.iso --explain s 2>> $TMPDIR/said || exit 1\ndone\n\
        cd $TMPDIR; tar -cf $1 said\n";
    let directory = workspace.home().join("ovl/outer");
    std::fs::create_dir(&directory).unwrap();
    std::fs::write(directory.join("tar"), outer).unwrap();
    std::fs::set_permissions(directory.join("tar"), PermissionsExt::from_mode(0o755)).unwrap();
    let said = stderr(&workspace, &["mkcdrom", "--explain", "outer"]);
    assert!(said.contains("it is run every time: it calls `xcbuild mkcdrom`"), "{said}");
    let at = |path: &str| workspace.home().join(path).to_str().unwrap().to_owned();
    workspace.ok(&["iso", "extract", &at("xcluster/xcluster/tmp/cdrom.iso"), "-C", &at("to")]);
    let said = std::fs::read_to_string(at("to/00outer/said")).unwrap();
    let refused = "it is run every time: this kernel or container refuses: Device or resource busy";
    assert_eq!(said.matches(refused).count(), 2, "{said}");
}

#[test]
fn warnings_of_helpers_are_passed_on() {
    let script = "#! /bin/sh\n$XCLUSTER install_prog --dest=$TMPDIR/x ls nosuchprogram || exit 1\n\
        cd $TMPDIR/x; tar -cf $1 *\n";
    let said = stderr(&overlay("tar", script), &["mkcdrom", "s"]);
    assert!(said.contains("WARNING: s: the program `nosuchprogram` is not on PATH"), "{said}");
}
