//! What collection keeps, what it leaves alone, and what verification finds.

use std::path::Path;
use std::time::{Duration, SystemTime};
use xc_report::Reporter;

use super::{Collected, Contents, KEPT, Limits, clear, collect, verify};
use crate::key::{Key, KeyBuilder};
use crate::store::{Action, BlobRef, Directory, Fact, Store};

fn key(name: &str) -> Key {
    KeyBuilder::new("test").text("name", name).finish()
}

/// A store with two records of 100 bytes each, the first one older, and a blob of no record.
fn filled(root: &Path) -> (BlobRef, BlobRef) {
    let store = Store::open(root, &Reporter::silent()).unwrap();
    let record = |name: &str, fill: u8| {
        let blob = store.put(&[fill; 100]).unwrap();
        let action = Action { blobs: [("x".into(), blob)].into(), ..Action::default() };
        store.record(&key(name), &action).unwrap();
        blob
    };
    let (old, new) = (record("old", 1), record("new", 2));
    store.put(&[3; 50]).unwrap();
    for (name, days) in [("old", 9), ("new", 2)] {
        age(&Contents::of(root).unwrap(), &key(name), days);
    }
    (old, new)
}

fn age(contents: &Contents, key: &Key, days: u64) {
    let name = key.to_string();
    let record = contents.records.iter().find(|r| r.path.ends_with(&name)).unwrap();
    let then = SystemTime::now() - Duration::from_secs(days * 86_400);
    std::fs::File::open(&record.path).unwrap().set_modified(then).unwrap();
}

#[test]
fn the_oldest_goes_first_and_what_was_just_used_stays() {
    let day = Duration::from_secs(86_400);
    let nothing = Collected::default();
    let old = Collected { records: 1, blobs: 1, bytes: 100 };
    let both = Collected { records: 2, blobs: 2, bytes: 200 };
    for (size, age, expected) in [
        (None, None, nothing),
        (Some(250), None, nothing),
        (Some(249), None, old),
        (Some(0), None, both),
        (None, Some(5 * day), old),
        (None, Some(day), both),
    ] {
        let dir = tempfile::tempdir().unwrap();
        filled(dir.path());
        let done = collect(dir.path(), Limits { size, age }, SystemTime::now()).unwrap();
        assert_eq!(done, expected, "{size:?} {age:?}");
        // The blob of no record is new.
        assert!(Contents::of(dir.path()).unwrap().size() >= 50);
    }
    assert!(KEPT < day);
}

#[test]
fn a_store_in_use_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let _user = Store::open(dir.path(), &Reporter::silent()).unwrap();
    let e = clear(dir.path()).unwrap_err().to_string();
    assert!(e.contains("another xcbuild uses the store"), "{e}");
}

#[test]
fn damaged_blobs_are_moved_and_no_longer_hit() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let (blob, _) = filled(dir.path());
    assert_eq!(verify(dir.path()).unwrap(), Vec::<std::path::PathBuf>::new());
    let store = Store::open(dir.path(), &Reporter::silent()).unwrap();
    let path = store.blob(&blob.digest).unwrap().unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let time = std::fs::metadata(&path).unwrap().modified().unwrap();
    std::fs::write(&path, [9; 100]).unwrap();
    // As a disk does that goes bad: the file was not written to.
    std::fs::File::open(&path).unwrap().set_modified(time).unwrap();
    assert!(store.action(&key("old")).unwrap().is_some());
    assert_eq!(verify(dir.path()).unwrap().len(), 1);
    assert!(store.action(&key("old")).unwrap().is_none());
    assert!(store.action(&key("new")).unwrap().is_some());
}

/// What is older than its time goes; stamps go with the record that they are of.
#[test]
fn facts_of_this_machine_stay_while_they_are_used() {
    let day = Duration::from_secs(86_400);
    for (limit, left) in [(None, 4), (Some(5 * day), 2), (Some(day), 1)] {
        let dir = tempfile::tempdir().unwrap();
        filled(dir.path());
        let store = Store::open(dir.path(), &Reporter::silent()).unwrap();
        for (fact, name) in [
            (Fact::Stamps, "old"),
            (Fact::Stamps, "new"),
            (Fact::History, "script"),
            (Fact::LastBuild, "layer"),
        ] {
            store.local().set(fact, &key(name), &[1]).unwrap();
        }
        let then = SystemTime::now() - 9 * day;
        let history = store.directory(Directory::Histories).join(key("script").to_string());
        std::fs::File::open(history).unwrap().set_modified(then).unwrap();
        drop(store);
        let limits = Limits { size: None, age: limit };
        collect(dir.path(), limits, SystemTime::now()).unwrap();
        assert_eq!(Contents::of(dir.path()).unwrap().facts.len(), left, "{limit:?}");
    }
}

#[test]
fn damaged_facts_are_moved_and_clearing_takes_all() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), &Reporter::silent()).unwrap();
    for name in ["good", "bad"] {
        store.local().set(Fact::History, &key(name), &[1]).unwrap();
    }
    let bad = store.directory(Directory::Histories).join(key("bad").to_string());
    std::fs::write(bad, "half").unwrap();
    assert_eq!(verify(dir.path()).unwrap().len(), 1);
    assert_eq!(store.local().get(Fact::History, &key("good")), Some([1]));
    drop(store);
    clear(dir.path()).unwrap();
    let contents = Contents::of(dir.path()).unwrap();
    assert!(contents.records.is_empty() && contents.blobs.is_empty() && contents.facts.is_empty());
}

/// Before facts had a place of their own, pointers were records, and listings were in `stat`.
#[test]
fn stores_of_earlier_versions_go_on_working() {
    let dir = tempfile::tempdir().unwrap();
    let (old, _) = filled(dir.path());
    std::fs::create_dir(dir.path().join("stat")).unwrap();
    std::fs::write(dir.path().join("stat/listing"), "xcbuild-stat 1").unwrap();
    let store = Store::open(dir.path(), &Reporter::silent()).unwrap();
    let pointer = Action { blobs: [("history".into(), old)].into(), ..Action::default() };
    store.record(&key("history"), &pointer).unwrap();
    assert!(store.action(&key("old")).unwrap().is_some(), "results hold");
    assert_eq!(store.local().get::<Vec<u32>>(Fact::History, &key("history")), None);
    drop(store);
    let limits = Limits { size: None, age: Some(Duration::from_secs(100 * 86_400)) };
    collect(dir.path(), limits, SystemTime::now()).unwrap();
    assert!(!dir.path().join("stat/listing").exists());
}
