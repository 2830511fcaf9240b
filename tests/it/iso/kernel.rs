//! The kernel as a judge of our images: a node mounts one and sees in it what the source has.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::Path;

use xc_harness::Need;

use crate::common::need::QEMU;
use crate::common::{Workspace, tool};

/// Lists a tree: kind and mode, owner, links of files, device numbers, name, then the target or the
/// digest. One script for the source and for the node, so that only the trees can differ. Sizes and
/// links of directories are the file system's own affair. Of a file over 4 GiB the digest is of its
/// ends and of the sectors about the end of its first extent (sector 2,097,151 is the second's first).
const LIST: &str = r#"
export LC_ALL=C
find . | sort | tail -n +2 | while read -r path; do
    if test -d "$path" && ! test -L "$path"; then
        stat -c '%A %u %g %n' "$path"
        continue
    fi
    stat -c '%A %u %g %h %t:%T %n' "$path"
    if test -L "$path"; then readlink "$path"
    elif test -f "$path"; then
        size=$(stat -c %s "$path")
        if test "$size" -le 1000000000; then sha256sum <"$path"; continue; fi
        echo "$size"
        for sector in 0 2097148 2097150 2097151 2097154 $((size / 2048)); do
            dd if="$path" bs=2048 skip=$sector count=2 2>/dev/null | sha256sum
        done
    fi
done
"#;

/// A file in two extents, with something to find in each sector that the list looks at.
fn write_large(path: &Path) {
    const SECTOR: u64 = 2048;
    let file = std::fs::File::create(path).unwrap();
    let size = (4_500 << 20) + 77;
    file.set_len(size).unwrap();
    for sector in [0, 2_097_149, 2_097_150, 2_097_151, 2_097_152, 2_097_154, size / SECTOR - 1] {
        let text = format!("this is sector {sector}");
        file.write_all_at(text.as_bytes(), sector * SECTOR).unwrap();
    }
    file.write_all_at(b"the end", size - 7).unwrap();
}

fn write(path: &Path, bytes: &[u8], mode: u32) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

/// Linux's isofs shows at most so many bytes of a Rock Ridge name (`get_rock_ridge_filename` in
/// fs/isofs/rock.c cuts at 254), though the image and other readers have all 255.
const KERNEL_NAME_MAX: usize = 253;

/// What images find hard: sizes about the sector's, names of all kinds, depth, links, devices.
fn make_tree(root: &Path) {
    for size in [0, 1, 2047, 2048, 2049, 100_000] {
        write(&root.join(format!("sizes/{size}")), &vec![b'x'; size], 0o640);
    }
    let names: [&[u8]; 6] = [
        b"Case",
        b"case",
        b"white  space",
        b"n\xf6n-utf8",
        "smörgås".as_bytes(),
        &[b'l'; KERNEL_NAME_MAX],
    ];
    for name in names {
        write(&root.join("names").join(std::ffi::OsStr::from_bytes(name)), name, 0o4755);
    }
    write_large(&root.join("sizes/large"));
    let deep = (0..20).fold(root.join("deep"), |path, i| path.join(format!("d{i}")));
    write(&deep.join("bottom"), b"deep", 0o600);
    symlink("t".repeat(200) + "/" + &"u".repeat(200), root.join("long-link")).unwrap();
    symlink("../../outside", root.join("sizes/link")).unwrap();
    std::fs::hard_link(root.join("sizes/2049"), root.join("names/hard")).unwrap();
    for i in 0..100 {
        write(&root.join(format!("many/file-{i}")), format!("{i}").as_bytes(), 0o644);
    }
    let at = |name: &str| root.join(name).to_str().unwrap().to_owned();
    tool::run("mkfifo", &["-m", "600", &at("pipe")]);
    tool::run("mknod", &[&at("null"), "c", "1", "3"]);
    tool::run("mknod", &[&at("disk"), "b", "259", "70000"]);
    tool::run("chown", &["1000:100", &at("many/file-7")]);
}

/// Only root makes devices and owners for the kernel to judge.
#[test(needs = [QEMU, Need::Root], serial)]
fn a_node_mounts_what_was_written() {
    let workspace = Workspace::new();
    let cluster = workspace.cluster();
    let (tree, image) = (workspace.home().join("tree"), workspace.home().join("image.iso"));
    make_tree(&tree);
    let image = image.to_str().unwrap();
    workspace.ok(&["iso", "create", "-J", "-o", image, tree.to_str().unwrap()]);

    let drive = format!("--kvm-opt=-drive file={image},if=virtio,format=raw,readonly=on");
    let up = ["up", "--nvm=1", "--nrouters=0", "--ntesters=0", &drive, "network-topology"];
    workspace.ok(&up);
    // The base image and the overlays are the first two disks.
    let script = format!("mount -o ro /dev/vdc /mnt && cd /mnt\n{LIST}");
    let there = workspace.xcbuild(&["rsh", "1", &script]).assert().success();
    // Names of any bytes: compared as what they are, shown as what can be shown.
    let seen = String::from_utf8_lossy(&there.get_output().stdout).into_owned();
    let mut here = assert_cmd::Command::new("sh");
    let here = here.args(["-c", LIST]).current_dir(&tree).assert().success();
    let expected = String::from_utf8_lossy(&here.get_output().stdout).into_owned();
    assert!(expected.lines().count() > 200, "{expected}");
    for (seen, expected) in seen.lines().zip(expected.lines()) {
        assert_eq!(seen, expected);
    }
    assert_eq!(seen.lines().count(), expected.lines().count());
    drop(cluster);
}
