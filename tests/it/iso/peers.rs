//! What genisoimage, xorriso, libarchive and Windows expect of images, and what theirs have.

use std::fs;

use super::workspace_with_file;
use crate::common::tool;
use xc_harness::Need;

/// A smaller image is an empty archive to libarchive.
#[test]
fn small_images_are_read_by_all() {
    let (workspace, at) = workspace_with_file();
    fs::remove_dir_all(at("in/dir")).unwrap();
    fs::write(at("in/a"), "").unwrap();
    for options in [&[][..], &["-J"], &["--plain"]] {
        workspace.ok(&[&["iso", "create", &at("in"), "-o", &at("x.iso")][..], options].concat());
        assert_eq!(fs::metadata(at("x.iso")).unwrap().len(), 65_536);
        let list = tool::run("bsdtar", &["-tf", &at("x.iso")]);
        assert!(list.to_lowercase().lines().any(|line| line == "a"), "{options:?}: {list}");
        assert!(tool::run("7z", &["l", &at("x.iso")]).contains("1 files"), "{options:?}");
        assert_eq!(workspace.ok(&["iso", "verify", &at("x.iso")]), "");
    }
}

fn times(workspace: &crate::common::Workspace, image: &str) -> Vec<String> {
    let list = workspace.ok(&["iso", "ls", "-l", image]);
    let time = |line: &str| line.split_whitespace().nth(5).unwrap().to_owned();
    list.lines().map(time).collect()
}

#[test]
fn source_date_epoch_takes_later_times_back() {
    let (mut workspace, at) = workspace_with_file();
    tool::run("touch", &["-d", "@1000", &at("in/dir/file")]);
    tool::run("touch", &["-d", "@3000", &at("in/dir")]);
    tool::run("touch", &["-d", "@4000", &at("in")]);
    let image = at("x.iso");
    workspace.ok(&["iso", "create", &at("in"), "-o", &image]);
    assert_eq!(times(&workspace, &image), ["3000", "1000"]);
    workspace.set("SOURCE_DATE_EPOCH", "2000");
    workspace.ok(&["iso", "create", "-r", &at("in"), "-o", &image]);
    assert_eq!(times(&workspace, &image), ["2000", "1000"]);
    // The same whoever makes it, whenever.
    let first = fs::read(&image).unwrap();
    for later in ["@5000", "@9000000"] {
        tool::run("touch", &["-d", later, &at("in/dir"), &at("in")]);
        workspace.ok(&["iso", "create", "-r", &at("in"), "-o", &image]);
        assert!(fs::read(&image).unwrap() == first, "{later}");
    }
    let all = ["--set_all_file_dates", "=77", "-o", &image];
    workspace.ok(&[&["iso", "create", &at("in")][..], &all].concat());
    assert_eq!(times(&workspace, &image), ["77", "77"]);
    let bad = ["iso", "create", &at("in"), "-o", &image, "-set_all_file_dates", "now"];
    let stderr = workspace.fails(&bad, 2);
    assert!(stderr.contains("expected =SECONDS"), "{stderr}");
}

#[test]
fn changed_joliet_names_are_counted_and_listed() {
    let (workspace, at) = workspace_with_file();
    let long = format!("{}.txt", "a".repeat(70));
    fs::write(at(&format!("in/dir/{long}")), "").unwrap();
    fs::write(at("in/what?"), "").unwrap();
    let line = ["iso", "create", "-J", &at("in"), "-o", &at("x.iso")];
    let done = workspace.xcbuild(&line).assert().success();
    let stderr = String::from_utf8_lossy(&done.get_output().stderr).into_owned();
    let cut = format!("{}.txt", "a".repeat(60));
    let expected = format!(
        "WARNING: 2 Joliet names are cut or have other characters, such as `/dir/{long}`, which is `{cut}` there; --json lists them\n"
    );
    assert!(stderr.contains(&expected), "{stderr}");
    let json = workspace.ok(&[&line[..], &["--json"]].concat());
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let expected = serde_json::json!([
        { "path": format!("dir/{long}"), "joliet": cut },
        { "path": "what?", "joliet": "what_" },
    ]);
    assert_eq!(json["joliet_changes"], expected);
    // What is listed is what readers see.
    let list = tool::run("isoinfo", &["-J", "-f", "-i", &at("x.iso")]);
    assert!(list.contains(&format!("/dir/{cut};1\n")) && list.contains("/what_;1\n"), "{list}");
    fs::remove_file(at("x.iso")).unwrap();
    let stderr = workspace.fails(&[&line[..], &["--plain"]].concat(), 1);
    assert!(stderr.contains("2 names are too long for Joliet"), "{stderr}");
    assert!(!std::path::Path::new(&at("x.iso")).exists());
    // With 103 characters only one is left, and without Joliet none.
    let json =
        workspace.ok(&["iso", "create", "-joliet-long", &at("in"), "-o", &at("y.iso"), "--json"]);
    assert!(!json.contains(&long) && json.contains("what?"), "{json}");
    let json = workspace.ok(&["iso", "create", &at("in"), "-o", &at("y.iso"), "--json"]);
    assert!(json.contains("\"joliet_changes\":[]"), "{json}");
}

/// Compressed contents are not passed off as the files.
#[test(needs = [Need::Program("mkzftree")])]
fn contents_compressed_by_zisofs_are_refused_by_name() {
    let (workspace, at) = workspace_with_file();
    fs::write(at("in/large"), "text ".repeat(50_000)).unwrap();
    tool::run("mkzftree", &[&at("in"), &at("z")]);
    tool::run("genisoimage", &["-quiet", "-R", "-z", "-o", &at("z.iso"), &at("z")]);
    let found = workspace.xcbuild(&["iso", "verify", &at("z.iso")]).assert().code(1);
    let found = String::from_utf8_lossy(&found.get_output().stdout).into_owned();
    let expected = "/large: its content is compressed by zisofs, which is not supported\n";
    assert!(found.contains(expected), "{found}");
    let stderr = workspace.fails(&["iso", "extract", &at("z.iso"), "-C", &at("out")], 1);
    assert!(stderr.contains("/large: compressed by zisofs, which is not supported"), "{stderr}");
    assert!(!std::path::Path::new(&at("out/large")).exists());
}
