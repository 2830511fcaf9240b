//! Blobs and records: found, damaged, changed.

use std::io::Write;
use xc_report::{Recorder, Reporter};

use super::{Action, Directory, Store};
use crate::key::{Digest, KeyBuilder};

pub(super) fn store() -> (tempfile::TempDir, Store) {
    let (dir, store, _) = reporting_store();
    (dir, store)
}

fn reporting_store() -> (tempfile::TempDir, Store, Recorder) {
    let (dir, recorder) = (tempfile::tempdir().unwrap(), Recorder::default());
    let store = Store::open(dir.path(), &recorder.reporter()).unwrap();
    (dir, store, recorder)
}

#[test]
fn blobs_are_found_by_digest_and_uncommitted_ones_leave_nothing() {
    let (_dir, store) = store();
    let blob = store.put(b"hello").unwrap();
    assert_eq!(blob.digest, Digest::of(b"hello"));
    let path = store.blob(&blob.digest).unwrap().unwrap();
    assert_eq!(std::fs::read(path).unwrap(), b"hello");
    store.writer().unwrap().write_all(b"half").unwrap();
    assert_eq!(std::fs::read_dir(store.directory(Directory::Work)).unwrap().count(), 0);
    assert!(store.blob(&Digest::of(b"half")).unwrap().is_none());
}

#[test]
fn actions_need_their_blobs_and_an_intact_record() {
    let (_dir, store, recorder) = reporting_store();
    let key = KeyBuilder::new("test").finish();
    assert_eq!(store.action(&key).unwrap(), None);
    let blob = store.put(b"layer").unwrap();
    let action = Action { blobs: [("layer".into(), blob)].into(), ..Action::default() };
    store.record(&key, &action).unwrap();
    assert_eq!(store.action(&key).unwrap(), Some(action.clone()));

    let record = store.layout.record(&key);
    let good = std::fs::read(&record).unwrap();
    for cut in [0, 10, 64, 65, good.len() - 1] {
        std::fs::write(&record, &good[..cut]).unwrap();
        assert_eq!(store.action(&key).unwrap(), None, "cut at {cut}");
    }
    let warning = format!("the record `{}` is damaged; it is built again", record.display());
    assert_eq!(recorder.warnings(), vec![warning; 5]);
    std::fs::write(&record, &good).unwrap();
    std::fs::remove_file(store.blob(&blob.digest).unwrap().unwrap()).unwrap();
    assert_eq!(store.action(&key).unwrap(), None);
}

#[test]
fn changed_blobs_are_not_used() {
    let (_dir, store, recorder) = reporting_store();
    let key = KeyBuilder::new("test").finish();
    let blob = store.put(b"layer").unwrap();
    let action = Action { blobs: [("layer".into(), blob)].into(), ..Action::default() };
    store.record(&key, &action).unwrap();
    let path = store.blob(&blob.digest).unwrap().unwrap();
    let writable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(&path, writable).unwrap();
    std::fs::write(&path, "layer").unwrap();
    assert_eq!(store.action(&key).unwrap(), Some(action), "touched, not changed");
    std::fs::write(&path, "lay3r").unwrap();
    assert_eq!(recorder.warnings(), Vec::<String>::new());
    assert_eq!(store.action(&key).unwrap(), None);
    let path_shown = path.display();
    assert_eq!(
        recorder.warnings(),
        [format!("the blob `{path_shown}` was changed after it was stored; it is built again")]
    );
    assert!(!path.exists());
}

#[test]
fn other_formats_are_refused_with_a_hint() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("format"), "xcbuild-store 0\n").unwrap();
    let e = Store::open(dir.path(), &Reporter::silent()).unwrap_err().to_string();
    assert!(e.contains("XCBUILD_STORE"), "{e}");
}
