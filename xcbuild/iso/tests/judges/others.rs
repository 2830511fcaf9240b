//! The other way round: images by other writers, read by us.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use xc_harness::Need;
use xc_iso::read::{Names, Reader, verify};

use crate::model::{Fact, Facts};
use crate::{compare, host, own, tool};

/// A tree on the host with what other writers can hold.
fn make(root: &Path, program: &str) {
    let deep = root.join("a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q");
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("bottom"), "deep down").unwrap();
    fs::create_dir(root.join("empty")).unwrap();
    for size in [0, 1, 2047, 2048, 2049, 100_000] {
        fs::write(root.join(format!("size-{size}")), vec![size as u8; size]).unwrap();
    }
    fs::hard_link(root.join("size-2049"), root.join("a/second-name")).unwrap();
    for name in ["README", "readme", "a file with a name that is longer than 31 characters.text"] {
        fs::write(root.join(name), name).unwrap();
    }
    fs::write(root.join("n".repeat(200)), "long").unwrap();
    symlink("a/b/../c", root.join("link")).unwrap();
    symlink("x".repeat(100), root.join(format!("{}link", "l".repeat(60)))).unwrap();
    // genisoimage writes broken fields for long targets, or never ends.
    if program != "genisoimage" {
        symlink("/usr/some".repeat(100), root.join("long-link")).unwrap();
        symlink("x".repeat(255), root.join(format!("{}link", "l".repeat(180)))).unwrap();
    }
}

fn judge(program: &str, arguments: &[&str], name: impl Fn(&mut Facts)) {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("tree");
    fs::create_dir(&tree).unwrap();
    make(&tree, program);
    let image = folder.path().join("image.iso");
    let mut command = Command::new(program);
    tool::output(command.args(arguments).arg("-o").arg(&image).arg(&tree));
    let reader = Reader::open(File::open(&image).unwrap()).unwrap();
    assert_eq!(reader.names(), Names::RockRidge);
    let faults = verify(&reader).unwrap();
    let mut found = own::facts(&reader);
    let mut expected = host::look(&tree);
    name(&mut found);
    for fact in found.values_mut().chain(expected.values_mut()) {
        blur(fact);
    }
    compare(program, &expected, &found);
    // Writers differ in how they count the links of empty files.
    assert!(faults.iter().all(|fault| fault.what.contains("links")), "{faults:?}");
}

/// What these writers do not keep: they count links in their own ways.
fn blur(fact: &mut Fact) {
    host::blur(fact);
    fact.links = 0;
}

#[test(needs = [Need::Program("genisoimage")])]
fn images_of_genisoimage_are_read() {
    // It shows the directory in which it keeps the deep ones.
    let without_rr_moved = |found: &mut Facts| drop(found.remove(&b"rr_moved"[..]));
    judge("genisoimage", &["-quiet", "-R", "-J", "-joliet-long"], without_rr_moved);
}

#[test(needs = [Need::Program("xorrisofs")])]
fn images_of_xorrisofs_are_read() {
    judge("xorrisofs", &["-quiet", "-R", "-J", "-joliet-long"], |_| {});
}
