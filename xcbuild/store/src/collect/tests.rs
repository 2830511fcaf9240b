//! What collection keeps, what it leaves alone, and what verification finds.

use std::path::Path;
use std::time::{Duration, SystemTime};
use xc_report::Reporter;

use super::{Collected, Contents, KEPT, Limits, clear, collect, verify};
use crate::key::{Key, KeyBuilder};
use crate::store::{Action, BlobRef, Store};

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
    // As a disk does that goes bad: nobody wrote to the file.
    std::fs::File::open(&path).unwrap().set_modified(time).unwrap();
    assert!(store.action(&key("old")).unwrap().is_some());
    assert_eq!(verify(dir.path()).unwrap().len(), 1);
    assert!(store.action(&key("old")).unwrap().is_none());
    assert!(store.action(&key("new")).unwrap().is_some());
}
