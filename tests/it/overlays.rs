//! Overlays as their authors see them: made, looked at, checked, built; helpers of their scripts.

use std::path::{Path, PathBuf};

use xc_harness::Need;

use crate::common::{Workspace, tool};

/// A workspace with a cache of its own and an empty directory for overlays.
fn workspace() -> Workspace {
    let mut workspace = Workspace::fresh();
    let place = workspace.home().join("ovl");
    std::fs::create_dir(&place).unwrap();
    workspace.set("XCLUSTER_OVLPATH", place.to_str().unwrap());
    workspace
}

#[test]
fn a_new_overlay_builds_is_listed_and_has_no_findings() {
    let workspace = workspace();
    for template in ["plain", "tested"] {
        let name = format!("my-{template}");
        let made = workspace.ok(&["mkovl", &format!("--template={template}"), &name]);
        assert!(made.trim().ends_with(&format!("ovl/{name}")), "{made}");
        workspace.ok(&["ovl", "lint", &name]);
        let iso = workspace.ok(&["mkcdrom", &name]);
        assert!(Path::new(iso.trim()).is_file());
        let shown = workspace.ok(&["ovl", "show", &name]);
        let test = format!("/usr/bin/{name}_test");
        assert!(shown.lines().any(|l| l.contains(&test) && l.ends_with("default/")), "{shown}");
    }
    let list = workspace.ok(&["ovl", "list"]);
    for name in ["env", "iptools", "my-plain", "my-tested", "network-topology", "xnet"] {
        assert!(list.lines().any(|l| l.starts_with(name)), "{name} in {list}");
    }
    let index = workspace.ok(&["ovl", "index"]);
    assert!(index.contains("| [my-plain](my-plain/README.md) |"), "{index}");
    let said = workspace.fails(&["mkovl", "my-plain"], 1);
    assert!(said.contains("is there already"), "{said}");
}

#[test]
fn dry_runs_and_json_say_what_is_and_what_would_be() {
    let workspace = workspace();
    workspace.ok(&["mkovl", "new"]);
    let forecast = workspace.ok(&["mkcdrom", "--dry-run", "new"]);
    assert!(forecast.starts_with("new ") && forecast.contains("never built before"), "{forecast}");
    let report: serde_json::Value =
        serde_json::from_str(&workspace.ok(&["mkcdrom", "--json", "new"])).unwrap();
    assert_eq!(report["layers"][0]["reason"], "never built before");
    assert!(Path::new(report["cdrom"].as_str().unwrap()).is_file());
    assert_eq!(
        workspace.ok(&["mkcdrom", "--dry-run", "new"]).trim_end(),
        "new                      cached"
    );
}

#[test]
fn the_last_overlay_wins_and_the_hidden_file_is_told() {
    let workspace = workspace();
    for name in ["one", "two"] {
        workspace.ok(&["mkovl", name]);
        let etc = workspace.home().join("ovl").join(name).join("default/etc");
        std::fs::create_dir(&etc).unwrap();
        std::fs::write(etc.join("both"), name).unwrap();
    }
    let why = workspace.ok(&["ovl", "why", "/etc/both", "one", "two"]);
    let lines: Vec<&str> = why.lines().collect();
    assert!(lines[0].starts_with("one ") && lines[0].ends_with("hidden by a later one"), "{why}");
    assert!(lines[1].starts_with("two ") && lines[1].ends_with("a node gets it"), "{why}");
    let done = workspace.xcbuild(&["mkcdrom", "one", "two"]).assert().success();
    let said = String::from_utf8_lossy(&done.get_output().stderr).into_owned();
    assert!(said.contains("later overlays:\n    /etc/both: a node gets that of `two`\n"), "{said}");
}

/// A directory into which helpers of scripts have copied `ls` and what loads it, and what they said.
fn with_ls(workspace: &Workspace) -> (PathBuf, String) {
    let dest = workspace.home().join("dest");
    let option = format!("--dest={}", dest.display());
    let mut done = workspace.xcbuild(&["install_prog", &option, "ls", "nosuchprogram"]);
    let said = String::from_utf8_lossy(&done.unwrap().stderr).into_owned();
    workspace.ok(&["cploader", &option]);
    (dest, said)
}

#[test]
fn helpers_of_scripts_copy_programs_with_their_libraries() {
    let workspace = workspace();
    let (dest, said) = with_ls(&workspace);
    assert!(said.contains("the program `nosuchprogram` is not on PATH"), "{said}");
    let libraries = workspace.ok(&["libs", "/bin/ls"]);
    assert!(libraries.lines().any(|l| l.ends_with("/libc.so.6")), "{libraries}");
    for library in libraries.lines() {
        assert!(dest.join(library.trim_start_matches('/')).is_file(), "{library}");
    }
}

#[test(needs = [Need::Root, Need::Program("chroot")])]
fn what_helpers_of_scripts_have_copied_runs() {
    let workspace = workspace();
    let (dest, _) = with_ls(&workspace);
    let listed = tool::run("chroot", &[dest.to_str().unwrap(), "/bin/ls", "/bin"]);
    assert_eq!(listed, "ls\n");
}

#[test]
fn the_cache_is_measured_checked_and_cleared() {
    let workspace = workspace();
    workspace.ok(&["mkovl", "new"]);
    workspace.ok(&["mkcdrom", "new"]);
    assert!(workspace.ok(&["cache", "size"]).contains(" blobs, "));
    workspace.ok(&["cache", "verify"]);
    let said = workspace.fails(&["cache", "gc"], 1);
    assert!(said.contains("say what may stay"), "{said}");
    workspace.ok(&["cache", "gc", "--max-size=0"]);
    let said = workspace.xcbuild(&["mkcdrom", "new"]).unwrap().stderr;
    assert!(String::from_utf8_lossy(&said).contains("Cached new"), "what was just used stays");
    let built = workspace.ok(&["cache", "new"]);
    assert!(built.trim().ends_with("default/new.tar.xz"), "{built}");
    assert_eq!(workspace.ok(&["cache", "--list"]), "new\n");
    workspace.ok(&["cache", "--clear"]);
    assert_eq!(workspace.ok(&["cache", "--list"]), "");
    workspace.ok(&["cache", "clear"]);
    assert!(workspace.ok(&["cache", "size"]).starts_with("0 B in 0 blobs, 0 records"));
}

/// `/bin` and `/usr/bin` are one directory in a node: what is told of that, for trees and tars alike.
#[test]
fn two_files_that_are_one_in_a_node_are_told() {
    let mut workspace = Workspace::fresh();
    let place = workspace.home().join("ovl");
    let root = place.join("tree/default");
    for directory in ["bin", "usr/bin", "sbin", "usr/sbin"] {
        std::fs::create_dir_all(root.join(directory)).unwrap();
    }
    std::fs::write(root.join("../ovl.toml"), "description = 'x'\n").unwrap();
    std::fs::write(root.join("bin/both"), "one").unwrap();
    std::fs::write(root.join("usr/bin/both"), "two").unwrap();
    std::fs::write(root.join("bin/linked"), "three").unwrap();
    std::os::unix::fs::symlink("/bin/linked", root.join("usr/bin/linked")).unwrap();
    let tar = place.join("tar.tar").to_str().unwrap().to_owned();
    tool::run("tar", &["-C", root.to_str().unwrap(), "--mode=go=rX", "-cf", &tar, "."]);
    workspace.set("XCLUSTER_OVLPATH", place.to_str().unwrap());
    let shown = |name: &str| {
        let lines = workspace.ok(&["ovl", "show", name]);
        let is_file = |line: &&str| line.contains("/both") || line.contains("/linked");
        let words = |line: &str| line.split_whitespace().take(4).collect::<Vec<_>>().join(" ");
        lines.lines().filter(is_file).map(words).collect::<Vec<_>>()
    };
    assert_eq!(shown("tree"), shown(&tar));
    assert_eq!(shown("tree").len(), 2, "{:?}", shown("tree"));
    let mut fresh = Workspace::fresh();
    fresh.set("XCLUSTER_OVLPATH", place.to_str().unwrap());
    for name in ["tree", &tar] {
        let done = fresh.xcbuild(&["mkcdrom", name]).assert().success();
        let said = String::from_utf8_lossy(&done.get_output().stderr).into_owned();
        let expected = "has `/bin/both`, which is not as `/usr/bin/both` but the same path";
        assert!(said.contains(expected), "{name}: {said}");
    }
    let lint = workspace.xcbuild(&["ovl", "lint", "tree"]).output().unwrap();
    let lint = String::from_utf8_lossy(&lint.stdout).into_owned();
    assert!(lint.contains("bin/both: is the same path in a node as usr/bin/both"), "{lint}");
    // A file where a node has a link to a directory can't be meant.
    std::fs::remove_dir_all(place.join("tree/default/sbin")).unwrap();
    std::fs::write(place.join("tree/default/sbin"), "").unwrap();
    let stderr = workspace.fails(&["mkcdrom", "tree"], 1);
    assert!(stderr.contains("`/sbin` is not a directory, but in a node it is a link"), "{stderr}");
}

/// A name is a line, and no command for the terminal.
#[test]
fn names_are_shown_escaped() {
    let workspace = workspace();
    let place = workspace.home().join("ovl/odd");
    std::fs::create_dir_all(place.join("default/etc")).unwrap();
    std::fs::write(place.join("ovl.toml"), "description = \"one\\ntwo \\u001b[31m\"\n").unwrap();
    std::fs::write(place.join("default/etc/a\nb\u{1b}]0;title\u{7}"), "").unwrap();
    std::os::unix::fs::symlink("x\ny", place.join("default/etc/link")).unwrap();
    let shown = workspace.ok(&["ovl", "show", "odd"]);
    assert!(shown.contains(r"/etc/a\nb\u{1b}]0;title\u{7} "), "{shown}");
    assert!(shown.contains(r"/etc/link -> x\ny "), "{shown}");
    assert_eq!(shown.lines().count(), 3, "{shown}");
    let list = workspace.ok(&["ovl", "list"]);
    assert!(list.contains(r"one\ntwo \u{1b}[31m"), "{list}");
}

/// What others named stays text on a terminal also in messages.
#[test(needs = [Need::Program("script")])]
fn messages_on_a_terminal_are_escaped() {
    let workspace = workspace();
    let line = format!("{} ovl show 'no\u{1b}[31msuch'", env!("CARGO_BIN_EXE_xcbuild"));
    let mut command = assert_cmd::Command::new("script");
    command.args(["-qec", &line, "/dev/null"]).env_clear().envs(workspace.environment());
    let said = command.output().unwrap().stdout;
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(said.contains(r"no\u{1b}[31msuch") && said.contains("ERROR:"), "{said:?}");
    // Our own colours are there.
    assert!(said.contains("\u{1b}[1;31mERROR:"), "{said:?}");
}
