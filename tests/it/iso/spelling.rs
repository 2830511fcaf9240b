//! `iso create` with the options of genisoimage and xorrisofs, as people type them.

use std::path::Path;

use super::workspace_with_file;

#[test]
fn long_options_have_one_dash_or_two() {
    let (workspace, at) = workspace_with_file();
    let input = at("in");
    for (name, dash) in [("one.iso", "-"), ("two.iso", "--")] {
        let option = |option: &str| format!("{dash}{option}");
        let line = [
            "iso".into(),
            "create".into(),
            option("output"),
            at(name),
            option("volid"),
            "DATA".into(),
            option("joliet"),
            option("rock"),
            option("pad"),
            option("input-charset"),
            "utf-8".into(),
            option("cache-inodes"),
            input.clone(),
        ];
        let line: Vec<&str> = line.iter().map(String::as_str).collect();
        let done = workspace.xcbuild(&line).assert().success();
        let stderr = String::from_utf8_lossy(&done.get_output().stderr).into_owned();
        let expected =
            format!("difference here: {dash}pad, {dash}input-charset, {dash}cache-inodes\n");
        assert!(stderr.contains(&expected), "{stderr}");
    }
    let quiet =
        ["iso", "create", "-quiet", "-pad", "-RJ", "-VDATA", "-o", &at("three.iso"), &input];
    let done = workspace.xcbuild(&quiet).assert().success();
    assert_eq!(String::from_utf8_lossy(&done.get_output().stderr), "");
    let [one, two, three] =
        ["one.iso", "two.iso", "three.iso"].map(|name| std::fs::read(at(name)).unwrap());
    assert!(one == two && two == three);
    assert_eq!(workspace.ok(&["iso", "ls", &at("one.iso")]), "dir\ndir/file\n");
}

/// Nothing is read as something else: no file is made, and the word is in the message.
#[test]
fn options_that_matter_and_are_not_there_are_errors() {
    let (workspace, at) = workspace_with_file();
    for option in [
        "-omit-perod",
        "-outptu",
        "-hfsplus",
        "-hfs",
        "-udf",
        "-graft-points",
        "-zisofs",
        "-publishr",
        "-preparerr",
        "-follow-links",
        "-f",
        "-m",
        "-x",
        "-hide",
        "-translation-table",
        "--padding",
    ] {
        let line = ["iso", "create", "-o", &at("x.iso"), option, &at("in")];
        let stderr = workspace.fails(&line, 2);
        assert!(stderr.contains(option.trim_start_matches('-')), "{option}: {stderr}");
    }
    let mut names: Vec<_> = std::fs::read_dir(workspace.home()).unwrap().collect();
    assert_eq!(names.pop().unwrap().unwrap().file_name(), "in");
    assert!(names.is_empty() && !Path::new(&at("x.iso")).exists());
}
