//! Tars of GNU tar and bsdtar, read as these unpack them, and ours read by them.

use std::path::Path;

use xc_sys::exec::Exec;

use super::{Archive, SPARSE_MAX, TarError, from_tar, write_tar};
use crate::tree::{Blob, Entry, Kind, Tree, TreePath};

fn path(text: &str) -> TreePath {
    TreePath::new(text).unwrap()
}

fn content(tree: &Tree, name: &str) -> Vec<u8> {
    match &tree.get(&path(name)).unwrap().kind {
        Kind::File(content) => content.read().unwrap(),
        other => panic!("{other:?}"),
    }
}

/// A path that is too long for the field of names.
fn long() -> String {
    format!("t/{}/{}", "d".repeat(90), "n".repeat(90))
}

/// A directory `t` with a long name and a file with holes at its begin, in it and at its end.
fn with_holes(dir: &Path) {
    std::fs::create_dir_all(dir.join(long()).parent().unwrap()).unwrap();
    std::fs::write(dir.join(long()), "long").unwrap();
    let holes = std::fs::File::create(dir.join("t/holes")).unwrap();
    for number in 1..=30 {
        let text = format!("piece {number}");
        std::os::unix::fs::FileExt::write_all_at(&holes, text.as_bytes(), number << 20).unwrap();
    }
    holes.set_len(40 << 20).unwrap();
}

/// Every form of both tools, sparse ones among them.
#[test]
fn sparse_files_of_every_form_come_back() {
    let dir = tempfile::tempdir().unwrap();
    with_holes(dir.path());
    let expected = std::fs::read(dir.path().join("t/holes")).unwrap();
    let forms = [
        "tar --format=gnu",
        "tar --format=pax",
        "tar --format=ustar",
        "tar --format=oldgnu",
        "tar --format=gnu --sparse",
        "tar --format=oldgnu --sparse",
        "tar --format=pax --sparse --sparse-version=0.0",
        "tar --format=pax --sparse --sparse-version=0.1",
        "tar --format=pax --sparse --sparse-version=1.0",
        "bsdtar --format=pax",
        "bsdtar --format=gnutar",
        "bsdtar --format=ustar",
    ];
    for form in forms {
        let mut words = form.split(' ');
        let tar = dir.path().join("x.tar");
        let exec = Exec::new(words.next().unwrap()).args(words.collect::<Vec<_>>());
        exec.arg("-cf").arg(&tar).arg("-C").arg(dir.path()).arg("t").output().unwrap();
        let tree = from_tar(&Blob::open(&tar).unwrap()).unwrap();
        assert_eq!(tree.len(), 4, "{form}");
        assert!(content(&tree, "t/holes") == expected, "{form}");
        assert_eq!(content(&tree, &long()), b"long", "{form}");
        let small = Archive::read(&Blob::open(&tar).unwrap(), 1 << 20);
        let refused = matches!(small, Err(TarError::Sparse(..)));
        assert_eq!(
            refused,
            form.contains("--sparse") || form.contains("pax") && form.starts_with("bsd")
        );
    }
    const { assert!(SPARSE_MAX > 40 << 20) };
}

/// Capabilities and access lists go through a tar of ours into GNU tar's and back.
#[test]
fn attributes_are_kept_as_gnu_tar_writes_them() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let mut ping = Entry::file(0o755, "ping");
    let capability = b"\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    ping.attributes.insert(b"security.capability".to_vec(), capability.to_vec());
    ping.attributes.insert(b"user.note".to_vec(), b"a=b\n".to_vec());
    let mut tree = Tree::new();
    tree.insert(path("ping"), ping.clone());
    tree.insert(path("a-link"), Entry { kind: Kind::Hardlink(path("ping")), ..ping.clone() });
    write_tar(&tree, std::fs::File::create(at("x.tar")).unwrap()).unwrap();
    let list =
        Exec::new("tar").args(["--xattrs-include=*", "-tvvf"]).arg(at("x.tar")).output().unwrap();
    let list = String::from_utf8(list).unwrap();
    assert!(
        list.contains("x: 20 security.capability") && list.contains("x: 4 user.note"),
        "{list}"
    );
    // The nodes' tar passes over what it doesn't know.
    let plain = Exec::new("busybox").args(["tar", "-tf"]).arg(at("x.tar")).output();
    if let Ok(plain) = plain {
        assert_eq!(String::from_utf8(plain).unwrap(), "a-link\nping\n");
    }
    let again = from_tar(&Blob::open(&at("x.tar")).unwrap()).unwrap();
    assert_eq!(again.get(&path("a-link")).unwrap().attributes, ping.attributes);
    assert_eq!(again.get(&path("ping")).unwrap().attributes, ping.attributes);
}
