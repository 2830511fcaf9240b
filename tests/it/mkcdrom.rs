//! Overlays into an ISO: what was built, what was there, and what can't be.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use xc_harness::Need;

use crate::common::{Workspace, tool};

/// A place with two overlays: `plain` by manifest, `script` by a tar script.
fn place(workspace: &mut Workspace) -> PathBuf {
    let place = workspace.home().join("ovl");
    let write = |path: &str, text: &str| {
        let path = place.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("plain/ovl.toml", "description = \"one file\"\n");
    write("plain/default/etc/both", "plain\n");
    write(
        "script/tar",
        "#!/bin/sh\nd=$(mktemp -d)\nmkdir $d/etc\necho script >$d/etc/both\ntar -C $d -cf \"$1\" .\nrm -r $d\n",
    );
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(place.join("script/tar"), executable).unwrap();
    workspace.set("XCLUSTER_OVLPATH", place.to_str().unwrap());
    place
}

fn stderr(workspace: &Workspace, arguments: &[&str]) -> String {
    let done = workspace.xcbuild(arguments).assert().success();
    String::from_utf8(done.get_output().stderr.clone()).unwrap()
}

/// cloud-init ignores a seed without it, and says nothing.
#[test]
fn a_seed_without_meta_data_is_warned_of() {
    let workspace = Workspace::fresh();
    let seed = workspace.home().join("seed");
    std::fs::create_dir(&seed).unwrap();
    std::fs::write(seed.join("user-data"), "#cloud-config\n").unwrap();
    let option = format!("--cidata={}", seed.display());
    let warning = format!("WARNING: `{}` has no `meta-data`", seed.display());
    for _ in 0..2 {
        assert!(stderr(&workspace, &["mkcdrom", &option]).contains(&warning));
    }
    std::fs::write(seed.join("meta-data"), "").unwrap();
    assert!(!stderr(&workspace, &["mkcdrom", &option]).contains("meta-data"));
}

#[test]
fn a_second_run_finds_everything_and_a_change_is_built() {
    let mut workspace = Workspace::fresh();
    let place = place(&mut workspace);
    let first = stderr(&workspace, &["mkcdrom", "plain"]);
    assert!(first.contains("Built plain") && first.contains("Built ISO"), "{first}");
    let second = stderr(&workspace, &["mkcdrom", "plain"]);
    assert!(second.contains("Cached plain") && second.contains("Cached ISO"), "{second}");
    std::fs::write(place.join("plain/default/etc/both"), "other\n").unwrap();
    let third = stderr(&workspace, &["mkcdrom", "--explain", "plain"]);
    assert!(third.contains("Built plain") && third.contains("etc/both"), "{third}");
}

/// A workspace, and an ISO of both overlays in it.
fn with_iso(layout: &str) -> (Workspace, String) {
    let mut workspace = Workspace::fresh();
    place(&mut workspace);
    let iso = workspace.ok(&["mkcdrom", layout, "script", "plain"]).trim().to_owned();
    assert!(Path::new(&iso).is_file());
    (workspace, iso)
}

#[test(needs = [Need::Program("isoinfo")])]
fn isoinfo_reads_the_layers_in_order() {
    let (_workspace, iso) = with_iso("--layout=tree");
    let list = tool::run("isoinfo", &["-R", "-f", "-i", &iso]);
    for path in ["/00script/etc/both", "/01plain/etc/both"] {
        assert!(list.lines().any(|l| l == path), "{list}");
    }
    let (_workspace, tars) = with_iso("--layout=tar");
    let list = tool::run("isoinfo", &["-R", "-f", "-i", &tars]);
    assert_eq!(list, "/00script.tar\n/01plain.tar\n");
}

#[test(needs = [Need::Program("xorriso")])]
fn xorriso_reads_the_layers_without_a_warning() {
    let (_workspace, iso) = with_iso("--layout=tree");
    let said = tool::run("xorriso", &["-indev", &iso, "-find", "/"]);
    assert!(said.contains("'/01plain/etc/both'"), "{said}");
    assert!(!said.contains("WARNING") && !said.contains("FAILURE"), "{said}");
}

#[test]
fn a_trace_says_what_ran_also_when_the_build_fails() {
    let mut workspace = Workspace::fresh();
    let place = place(&mut workspace);
    let trace = workspace.home().join("trace.json");
    let option = format!("--trace-to={}", trace.display());
    let spans = |arguments: &[&str]| -> Vec<(String, String)> {
        workspace.xcbuild(arguments).output().unwrap();
        let whole: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&trace).unwrap()).unwrap();
        let events = whole["traceEvents"].as_array().unwrap();
        let text = |e: &serde_json::Value, field: &str| e[field].as_str().unwrap().to_owned();
        events.iter().map(|e| (text(e, "cat"), text(e, "name"))).collect()
    };
    let built = spans(&["mkcdrom", "-j2", &option, "script", "plain"]);
    for (category, name) in [("layer", "plain"), ("layer", "script"), ("iso", "write")] {
        assert!(built.contains(&(category.into(), name.into())), "{built:?}");
    }
    assert!(built.iter().any(|(c, n)| c == "run" && n.contains("script/tar")), "{built:?}");
    let cached = spans(&["mkcdrom", &option, "plain"]);
    assert!(cached.contains(&("layer".into(), "plain".into())), "{cached:?}");
    std::fs::write(place.join("script/tar"), "#!/bin/sh\nexit 3\n").unwrap();
    let failed = spans(&["mkcdrom", &option, "script"]);
    assert!(failed.contains(&("layer".into(), "script".into())), "{failed:?}");
    let said = workspace.fails(&["mkcdrom", "--jobs=0", "plain"], 1);
    assert_eq!(said, "ERROR: --jobs=0: a number from 1 to 1024 is expected\n");
}

#[test]
fn without_overlays_the_iso_is_removed() {
    let mut workspace = Workspace::fresh();
    place(&mut workspace);
    let iso = workspace.ok(&["mkcdrom", "plain"]).trim().to_owned();
    assert_eq!(workspace.ok(&["mkcdrom"]), "");
    assert!(!Path::new(&iso).exists());
    assert_eq!(workspace.ok(&["mkcdrom"]), "");
}

#[test]
fn unknown_overlays_are_named_with_a_near_one() {
    let mut workspace = Workspace::fresh();
    place(&mut workspace);
    let said = workspace.fails(&["mkcdrom", "plian"], 1);
    assert!(
        said.starts_with("ERROR: there is no overlay `plian`; did you mean `plain`?"),
        "{said}"
    );
    let said = workspace.fails(&["ovld", "network-topolgy"], 1);
    assert!(said.contains("did you mean `network-topology`?"), "{said}");
}
