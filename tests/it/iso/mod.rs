//! `iso`: images made of directories and archives, and looked at by every verb.

mod archives;
mod failures;
mod kernel;
mod peers;
mod spelling;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use xc_harness::Need;

use crate::common::need::{succeeds, unshare_mounts};
use crate::common::{Workspace, tool};

/// A workspace with a directory `in` that holds a file, and the path of something in it as text.
fn workspace_with_file() -> (Workspace, impl Fn(&str) -> String) {
    let workspace = Workspace::new();
    let home = PathBuf::from(workspace.home());
    let at = move |path: &str| home.join(path).display().to_string();
    fs::create_dir_all(at("in/dir")).unwrap();
    fs::write(at("in/dir/file"), "content\n").unwrap();
    (workspace, at)
}

/// The same with links in it.
fn workspace() -> (Workspace, impl Fn(&str) -> String) {
    let (workspace, at) = workspace_with_file();
    fs::hard_link(at("in/dir/file"), at("in/hard")).unwrap();
    fs::set_permissions(at("in/hard"), PermissionsExt::from_mode(0o4750)).unwrap();
    symlink("dir/file", at("in/link")).unwrap();
    (workspace, at)
}

#[test]
fn a_directory_comes_back_as_it_was() {
    let (workspace, at) = workspace();
    let (tree, image, again) = (at("in"), at("a.iso"), at("b.iso"));
    workspace.ok(&["iso", "create", "-R", "-J", "-V", "test", &tree, "-o", &image]);
    assert_eq!(workspace.ok(&["iso", "ls", &image]), "dir\ndir/file\nhard\nlink\n");
    assert_eq!(workspace.ok(&["iso", "verify", &image]), "");
    let list = workspace.ok(&["iso", "ls", "-l", &image, "link"]);
    assert!(list.starts_with("l") && list.ends_with(" link -> dir/file\n"), "{list}");
    let list = workspace.ok(&["iso", "ls", "-l", &image, "dir"]);
    assert!(list.contains("-rwsr-x---   2 "), "{list}");
    let out = at("out");
    workspace.ok(&["iso", "extract", &image, "-C", &out]);
    assert_eq!(fs::read_to_string(at("out/hard")).unwrap(), "content\n");
    workspace.ok(&["iso", "create", "-J", "-V", "test", &out, "-o", &again]);
    assert_eq!(workspace.ok(&["iso", "diff", &image, &again]), "");
    let stderr = workspace.fails(&["iso", "extract", &image, "-C", &out], 1);
    assert!(stderr.contains("dir/file: making ") && stderr.contains("File exists"), "{stderr}");
}

#[test]
fn stdout_and_a_file_get_the_same_bytes() {
    let (workspace, at) = workspace();
    workspace.ok(&["iso", "create", &at("in"), "-o", &at("file.iso")]);
    let piped = workspace.xcbuild(&["iso", "create", &at("in"), "-o", "-"]).assert().success();
    assert!(piped.get_output().stdout == fs::read(at("file.iso")).unwrap());
}

#[test]
fn archives_are_read_in_place_and_laid_over_directories() {
    let (workspace, at) = workspace();
    let mut archive = tar::Builder::new(fs::File::create(at("more.tar")).unwrap());
    let mut header = tar::Header::new_gnu();
    header.set_size(4);
    header.set_mode(0o640);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(1_000_000_000);
    archive.append_data(&mut header, "dir/deep/new", &b"tar\n"[..]).unwrap();
    header.set_size(0);
    header.set_entry_type(tar::EntryType::Link);
    archive.append_link(&mut header, "new-link", "dir/deep/new").unwrap();
    archive.finish().unwrap();
    let image = at("both.iso");
    workspace.ok(&["iso", "create", &at("in"), &at("more.tar"), "-o", &image]);
    let list = workspace.ok(&["iso", "ls", &image]);
    assert_eq!(list, "dir\ndir/deep\ndir/deep/new\ndir/file\nhard\nlink\nnew-link\n");
    assert_eq!(workspace.ok(&["iso", "verify", &image]), "");
    workspace.ok(&["iso", "create", &at("in"), "-o", &at("one.iso")]);
    let diff = workspace.xcbuild(&["iso", "diff", &at("one.iso"), &image]).assert().code(1);
    let diff = String::from_utf8_lossy(&diff.get_output().stdout).into_owned();
    assert!(diff.contains("+ dir/deep\n+ dir/deep/new\n+ new-link\n"), "{diff}");
}

#[test]
fn what_differs_is_told() {
    let (workspace, at) = workspace();
    workspace.ok(&["iso", "create", &at("in"), "-o", &at("a.iso")]);
    fs::write(at("in/dir/file"), "CONTENT\n").unwrap();
    fs::remove_file(at("in/link")).unwrap();
    symlink("elsewhere", at("in/link")).unwrap();
    workspace.ok(&["iso", "create", &at("in"), "-o", &at("b.iso")]);
    let diff = workspace.xcbuild(&["iso", "diff", &at("a.iso"), &at("b.iso")]).assert().code(1);
    let diff = String::from_utf8_lossy(&diff.get_output().stdout).into_owned();
    assert!(diff.contains("! hard: ") && diff.contains("content\n"), "{diff}");
    assert!(diff.contains("target dir/file → elsewhere"), "{diff}");
}

#[test]
fn bootable_images_take_the_options_of_genisoimage() {
    let (workspace, at) = workspace();
    fs::write(at("in/loader"), [7; 4096]).unwrap();
    fs::write(at("mbr"), [1; 432]).unwrap();
    let (tree, mbr, image) = (at("in"), at("mbr"), at("boot.iso"));
    let options = ["-b", "loader", "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table"];
    let hybrid = ["-isohybrid-mbr", &mbr, "-isohybrid-gpt-basdat"];
    let line = [&["iso", "create", "-o", &image][..], &options, &hybrid, &[&tree]].concat();
    workspace.ok(&line);
    let bytes = fs::read(&image).unwrap();
    assert_eq!(bytes[..432], [1; 432]);
    assert_eq!(bytes[510..520], *b"\x55\xaaEFI PART");
    assert_eq!(bytes[17 * 2048 + 7..][..23], *b"EL TORITO SPECIFICATION");
    let stderr = workspace.fails(&["iso", "create", &tree, "-b", "gone", "-o", &image], 1);
    assert!(stderr.contains("/gone: not in the image"), "{stderr}");
}

#[test]
fn what_is_no_image_and_no_archive_is_said_so() {
    let (workspace, at) = workspace();
    let file = at("in/dir/file");
    let stderr = workspace.fails(&["iso", "ls", &file], 1);
    assert!(stderr.contains("not an ISO 9660 image"), "{stderr}");
    let stderr = workspace.fails(&["iso", "create", &file, "-o", &at("x.iso")], 1);
    let expected =
        format!("neither a directory nor a tar; inputs are directories, such as `{}", at("in/dir"));
    assert!(stderr.contains(&expected), "{stderr}");
    assert!(!PathBuf::from(at("x.iso")).exists());
}

/// Bytes that the file system at a path has given away.
const USED: &str = "df --output=used -B1 . | tail -n 1";

/// A file system on a file is for root to mount; a container may have no loop devices.
const XFS: Need = Need::All(&[Need::Program("mkfs.xfs"), Need::Root, Need::Check(mounts_xfs)]);

/// An empty disk with XFS in that directory. The least that XFS takes is 300 MB; nothing but what is
/// written takes room.
fn make_xfs(directory: &Path) -> PathBuf {
    let disk = directory.join("disk");
    fs::File::create(&disk).unwrap().set_len(400 << 20).unwrap();
    tool::run("mkfs.xfs", &["-q", disk.to_str().unwrap()]);
    disk
}

fn mounts_xfs() -> Result<(), String> {
    let directory = tempfile::tempdir().unwrap();
    let disk = make_xfs(directory.path());
    let mut mount = unshare_mounts();
    succeeds(mount.args(["mount", "-o", "loop"]).arg(disk).arg("/mnt"), "can't mount an XFS image")
}

#[test(needs = [XFS])]
fn images_share_blocks_with_their_contents_where_the_file_system_can() {
    let workspace = Workspace::new();
    make_xfs(workspace.home());
    let script = format!(
        "mkdir mnt && mount -o loop disk mnt && cd mnt && head -c 100M /dev/urandom >content && sync && {USED} &&
        mkdir in && mv content in && \"$0\" iso create in -o image.iso && sync && {USED} &&
        \"$0\" iso verify image.iso && \"$0\" iso extract image.iso -C out && cmp in/content out/content"
    );
    // The mount ends with the namespace.
    let mut command = unshare_mounts();
    command.args(["sh", "-c", &script, env!("CARGO_BIN_EXE_xcbuild")]);
    command.current_dir(workspace.home()).env_clear().envs(workspace.environment());
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let used: Vec<u64> = String::from_utf8_lossy(&output.stdout)
        .split_whitespace()
        .map(|number| number.parse().unwrap())
        .collect();
    let [before, after] = used[..] else { panic!("{used:?}") };
    assert!(after - before < 2 << 20, "an image of 100 MB took {} bytes", after - before);
}
