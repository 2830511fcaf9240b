//! ISOs of overlays as the reference tools see them.
#![allow(clippy::unwrap_used)] // What fails in a helper fails the test.

// `#[test]` is the harness' own from here on.
#[macro_use]
extern crate xc_harness;

use std::path::PathBuf;

use xc_harness::Need;
use xc_image::cdrom::{Layout, NamedLayer, Options, build};
use xc_report::Reporter;
use xc_store::store::Store;
use xc_store::tree::{Entry, Tree, TreePath, write_tar};
use xc_sys::exec::Exec;

const ISOINFO: Need = Need::Program("isoinfo");

/// An ISO of two layers and a script, and the store that it is in.
struct Iso {
    _dir: tempfile::TempDir,
    path: PathBuf,
}

impl Iso {
    fn new(layout: Layout) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store"), &Reporter::silent()).unwrap();
        let script = dir.path().join("s");
        std::fs::write(&script, "echo\n").unwrap();
        let run = Entry::file(0o755, "#! /bin/sh\n");
        let layers = [
            layer(&store, "first", &[("etc/x", Entry::file(0o640, "one")), ("bin/run", run)]),
            layer(&store, "second", &[("etc/link", Entry::symlink("x"))]),
        ];
        let options = Options { layout, script: Some(&script), ..Options::default() };
        let iso = build(&layers, &options, &store).unwrap();
        let path = store.blob(&iso.blob.digest).unwrap().unwrap();
        Self { _dir: dir, path }
    }

    /// What a tool says of it, which has to succeed.
    fn said(&self, program: &str, before: &[&str], after: &[&str]) -> String {
        let exec = Exec::new(program).args(before).arg(&self.path).args(after);
        String::from_utf8_lossy(&exec.output().unwrap()).into_owned()
    }
}

fn layer(store: &Store, name: &str, entries: &[(&str, Entry)]) -> NamedLayer {
    let mut tree = Tree::new();
    for (path, entry) in entries {
        tree.insert(TreePath::new(path).unwrap(), entry.clone());
    }
    let mut writer = store.writer().unwrap();
    write_tar(&tree, &mut writer).unwrap();
    NamedLayer { name: name.into(), blob: writer.commit().unwrap() }
}

fn assert_lists(iso: &Iso, expected: &[&str]) {
    let list = iso.said("isoinfo", &["-R", "-f", "-i"], &[]);
    let mut names: Vec<&str> = list.lines().collect();
    names.sort_unstable();
    assert_eq!(names, expected);
}

#[test(needs = [ISOINFO])]
fn isoinfo_lists_layers_as_directories() {
    let expected = [
        "/00first",
        "/00first/etc",
        "/00first/etc/x",
        "/00first/usr",
        "/00first/usr/bin",
        "/00first/usr/bin/run",
        "/01second",
        "/01second/etc",
        "/01second/etc/link",
        "/script",
    ];
    assert_lists(&Iso::new(Layout::Tree), &expected);
}

#[test(needs = [ISOINFO])]
fn isoinfo_lists_layers_as_tars() {
    assert_lists(&Iso::new(Layout::Tar), &["/00first.tar", "/01second.tar", "/script"]);
}

#[test(needs = [ISOINFO])]
fn isoinfo_sees_label_joliet_and_rock_ridge() {
    for layout in [Layout::Tree, Layout::Tar] {
        let said = Iso::new(layout).said("isoinfo", &["-d", "-i"], &[]);
        assert!(said.contains("Volume id: xcluster\n"), "{said}");
        assert!(said.contains("Joliet") && said.contains("Rock Ridge"), "{said}");
    }
}

#[test(needs = [Need::Program("xorriso")])]
fn xorriso_warns_of_nothing() {
    for layout in [Layout::Tree, Layout::Tar] {
        Iso::new(layout).said("xorriso", &["-abort_on", "WARNING", "-indev"], &["-find", "/"]);
    }
}

fn main() -> std::process::ExitCode {
    xc_harness::main()
}
