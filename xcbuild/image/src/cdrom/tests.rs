//! What a cdrom's key and bytes are made of.

use super::{Layout, NamedLayer, Options, build};
use xc_report::Reporter;
use xc_store::store::Store;
use xc_store::tree::{Entry, Tree, TreePath, write_tar};

fn layer(store: &Store, name: &str, entries: &[(&str, Entry)]) -> NamedLayer {
    let mut tree = Tree::new();
    for (path, entry) in entries {
        tree.insert(TreePath::new(path).unwrap(), entry.clone());
    }
    let mut writer = store.writer().unwrap();
    write_tar(&tree, &mut writer).unwrap();
    NamedLayer { name: name.into(), blob: writer.commit().unwrap() }
}

fn layers(store: &Store) -> [NamedLayer; 2] {
    let run = Entry::file(0o755, "#! /bin/sh\n");
    [
        layer(store, "first", &[("etc/x", Entry::file(0o640, "one")), ("bin/run", run)]),
        layer(store, "second", &[("etc/link", Entry::symlink("x"))]),
    ]
}

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("store"), &Reporter::silent()).unwrap();
    (dir, store)
}

#[test]
fn all_that_counts_is_in_the_key() {
    let (dir, store) = store();
    let [first, second] = layers(&store);
    let script = dir.path().join("script");
    std::fs::write(&script, "one").unwrap();
    let cidata = dir.path().join("cidata");
    std::fs::create_dir(&cidata).unwrap();
    std::fs::write(cidata.join("user-data"), "one").unwrap();
    let mut digests = std::collections::BTreeSet::new();
    let mut add = |layers: &[NamedLayer], options: &Options<'_>| {
        let iso = build(layers, options, &store).unwrap();
        assert!(!iso.cached, "{options:?}");
        digests.insert(iso.blob.digest);
        assert!(build(layers, options, &store).unwrap().cached);
    };
    let none = Options::default();
    add(&[first.clone(), second.clone()], &none);
    add(&[second.clone(), first.clone()], &none);
    add(std::slice::from_ref(&first), &none);
    let renamed = NamedLayer { name: "other".into(), ..second.clone() };
    let one = [first.clone()];
    add(&[first, renamed], &none);
    add(&one, &Options { label: Some("other"), ..none.clone() });
    add(&one, &Options { layout: Layout::Tar, ..none.clone() });
    let with_script = Options { script: Some(&script), ..none.clone() };
    add(&one, &with_script);
    std::fs::write(&script, "two").unwrap();
    add(&one, &with_script);
    let with_cidata = Options { cidata: Some(&cidata), ..none };
    add(&one, &with_cidata);
    std::fs::write(cidata.join("user-data"), "two").unwrap();
    add(&one, &with_cidata);
    assert_eq!(digests.len(), 10);
}

/// A change here gives every user another ISO: it must be meant.
#[test]
fn bytes_are_pinned() {
    let (_dir, store) = store();
    let iso = build(&layers(&store), &Options::default(), &store).unwrap();
    insta::assert_snapshot!(iso.blob.digest, @"2153bd92c7163977aa5adc3d462ed8f746d2ed45594eb2aec18782f9b1c77af3");
}

#[test]
fn more_layers_than_numbers_are_refused() {
    let (_dir, store) = store();
    let [first, _] = layers(&store);
    let e = build(&vec![first; 101], &Options::default(), &store).unwrap_err();
    assert_eq!(e.to_string(), "101 overlays: an ISO takes 100 at most");
}
