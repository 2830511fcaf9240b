//! `iso` when something goes wrong: what is said, and that nothing is damaged or left behind.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Stdio;

use super::workspace_with_file;
use crate::common::need::{MOUNTS, unshare_mounts};
use crate::common::tool;

fn names(directory: impl AsRef<Path>) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let name = |entry: fs::DirEntry| entry.file_name().to_str().unwrap().to_owned();
    entries.map(|entry| name(entry.unwrap())).collect()
}

#[test]
fn an_image_does_not_go_into_itself() {
    let (workspace, at) = workspace_with_file();
    tool::run("tar", &["-C", &at("in"), "-cf", &at("a.tar"), "."]);
    symlink(at("in"), at("link")).unwrap();
    for output in ["in/x.iso", "in/dir/x.iso", "link/x.iso"] {
        let stderr = workspace.fails(&["iso", "create", &at("in"), "-o", &at(output)], 1);
        assert!(stderr.contains("which goes into it: give -o a file elsewhere"), "{stderr}");
    }
    let before = fs::read(at("a.tar")).unwrap();
    let stderr = workspace.fails(&["iso", "create", &at("a.tar"), "-o", &at("a.tar")], 1);
    assert!(stderr.contains("is to be read and to be written"), "{stderr}");
    assert_eq!(fs::read(at("a.tar")).unwrap(), before);
    assert_eq!(names(at("in")), ["dir"]);
}

#[test(needs = [MOUNTS])]
fn the_old_image_stays_if_there_is_no_room_for_the_new_one() {
    let (workspace, at) = workspace_with_file();
    fs::write(at("in/large"), vec![7; 3 << 20]).unwrap();
    let script = "set -e; mkdir small; mount -t tmpfs -o size=200k none small; set +e
        echo old >small/x.iso; \"$0\" iso create in -o small/x.iso; echo $?; ls -A small; cat small/x.iso";
    let mut command = unshare_mounts();
    command.args(["sh", "-c", script, env!("CARGO_BIN_EXE_xcbuild")]);
    command.current_dir(workspace.home()).env_clear().envs(workspace.environment());
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("can't write `small/x.iso`: No space left on device"), "{stderr}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1\nx.iso\nold\n");
}

#[test]
fn a_link_stays_a_link_and_what_it_names_is_replaced() {
    let (workspace, at) = workspace_with_file();
    fs::write(at("real.iso"), "old").unwrap();
    symlink("real.iso", at("link.iso")).unwrap();
    workspace.ok(&["iso", "create", &at("in"), "-o", &at("link.iso")]);
    assert!(fs::symlink_metadata(at("link.iso")).unwrap().is_symlink());
    assert_eq!(workspace.ok(&["iso", "ls", &at("real.iso")]), "dir\ndir/file\n");
}

#[test]
fn cancelling_leaves_no_half_image() {
    let (workspace, at) = workspace_with_file();
    // A pipe that nobody writes to: the image waits for its archive.
    tool::run("mkfifo", &[&at("pipe")]);
    let writer = fs::File::options().read(true).write(true).open(at("pipe")).unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_xcbuild"));
    command.args(["iso", "create", &at("pipe"), "-o", &at("x.iso")]);
    command.env_clear().envs(workspace.environment()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It has taken the pipe's first bytes: by then it listens to signals.
    std::io::Write::write_all(&mut &writer, &[0; 16]).unwrap();
    while rustix::io::ioctl_fionread(&writer).unwrap() > 0 {
        assert_eq!(child.try_wait().unwrap(), None);
        std::thread::yield_now();
    }
    tool::run("kill", &["-INT", &child.id().to_string()]);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let mut left = names(workspace.home());
    left.sort();
    assert_eq!(left, ["in", "pipe"]);
}

#[test]
fn archives_from_stdin_and_from_a_file_give_the_same() {
    let (workspace, at) = workspace_with_file();
    tool::run("touch", &["-d", "1960-01-01", &at("in/dir/file")]);
    for format in ["gnu", "posix"] {
        let archive = at(format);
        tool::run("tar", &["-C", &at("in"), "--format", format, "-cf", &archive, "."]);
        let (file, stdin) = (at("file.iso"), at("stdin.iso"));
        workspace.ok(&["iso", "create", &archive, "-o", &file]);
        let bytes = fs::read(&archive).unwrap();
        let mut piped = workspace.xcbuild(&["iso", "create", "-", "-o", &stdin]);
        piped.write_stdin(bytes).assert().success();
        assert!(fs::read(&file).unwrap() == fs::read(&stdin).unwrap());
        let list = workspace.ok(&["iso", "ls", "-l", &file, "dir/file"]);
        assert!(list.contains(" -315619200 "), "{format}: {list}");
    }
}

#[test]
fn members_that_can_not_be_held_are_named() {
    let (workspace, at) = workspace_with_file();
    let mut archive = tar::Builder::new(fs::File::create(at("odd.tar")).unwrap());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::new(b'Z'));
    header.set_size(0);
    header.set_mode(0o644);
    archive.append_data(&mut header, "odd", std::io::empty()).unwrap();
    archive.finish().unwrap();
    let stderr = workspace.fails(&["iso", "create", &at("odd.tar"), "-o", &at("x.iso")], 1);
    assert!(stderr.contains("`odd` in the tar is of an unknown kind ('Z')"), "{stderr}");
    assert!(!Path::new(&at("x.iso")).exists());
}

#[test]
fn an_image_for_all_is_the_same_whoever_makes_it() {
    let (workspace, at) = workspace_with_file();
    tool::run("chmod", &["4700", &at("in/dir/file")]);
    workspace.ok(&[
        "iso",
        "create",
        "-r",
        "-l",
        "-J",
        "-volid",
        "x",
        &at("in"),
        "-o",
        &at("x.iso"),
    ]);
    let list = workspace.ok(&["iso", "ls", "-l", &at("x.iso")]);
    assert!(list.contains("-r-xr-xr-x   1     0     0 "), "{list}");
    assert!(list.contains("dr-xr-xr-x   2     0     0 "), "{list}");
}

#[test]
fn what_an_image_is_wrong_about_is_left_out_and_told() {
    let (workspace, at) = workspace_with_file();
    fs::write(at("in/name-that-leads-out"), "x").unwrap();
    let (image, bad) = (at("x.iso"), at("bad.iso"));
    workspace.ok(&["iso", "create", &at("in"), "-o", &image]);
    let mut bytes = fs::read(&image).unwrap();
    let name = b"name-that-leads-out";
    let place = bytes.windows(name.len()).position(|window| window == name).unwrap();
    bytes[place..place + name.len()].copy_from_slice(b"../../../../outside");
    fs::write(&bad, bytes).unwrap();
    let out = at("out");
    let bomb = ["iso", "extract", &image, "-C", &at("bomb"), "--unpack-max=8"];
    let stderr = workspace.fails(&bomb, 1);
    assert!(stderr.contains("more than 8 bytes together, as those of a bomb do"), "{stderr}");
    for line in [
        &["iso", "ls", &bad][..],
        &["iso", "extract", &bad, "-C", &out],
        &["iso", "diff", &bad, &bad],
        &["iso", "verify", &bad],
    ] {
        let done = workspace.xcbuild(line).assert().code(1);
        let output = done.get_output();
        let said = [&output.stdout[..], &output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(said.contains("../../../../outside: a name holds a '/'"), "{line:?}: {said}");
    }
    assert_eq!(names(&out), ["dir"]);
}

#[test]
fn an_extracted_tree_has_all_links_and_the_attributes_of_its_root() {
    let (workspace, at) = workspace_with_file();
    fs::write(at("in/empty"), "").unwrap();
    fs::hard_link(at("in/empty"), at("in/dir/empty")).unwrap();
    fs::hard_link(at("in/dir/file"), at("in/file")).unwrap();
    tool::run("chmod", &["2710", &at("in")]);
    let (out, images) = (at("out"), [at("a.iso"), at("b.iso")]);
    workspace.ok(&["iso", "create", &at("in"), "-o", &images[0]]);
    workspace.ok(&["iso", "extract", &images[0], "-C", &out]);
    workspace.ok(&["iso", "create", &out, "-o", &images[1]]);
    assert_eq!(workspace.ok(&["iso", "diff", &images[0], &images[1]]), "");
    workspace.ok(&["iso", "create", "-r", "-V", "other", &out, "-o", &images[1]]);
    let diff = workspace.xcbuild(&["iso", "diff", &images[0], &images[1]]).assert().code(1);
    let diff = String::from_utf8_lossy(&diff.get_output().stdout).into_owned();
    assert!(
        diff.starts_with("! volume CDROM → other\n! /: mode drwx--s--- → dr-xr-xr-x"),
        "{diff}"
    );
}
