//! What changes a listing, and what is read for it.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use xc_report::Reporter;

use super::Listing;
use super::index::Index;
use crate::key::Digest;
use crate::store::{Directory, Store};

struct Place {
    dir: tempfile::TempDir,
    store: Store,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store"), &Reporter::silent()).unwrap();
        let place = Self { dir, store };
        std::fs::create_dir_all(place.at("d/e")).unwrap();
        std::fs::write(place.at("d/one"), "one").unwrap();
        std::fs::write(place.at("d/e/two"), "two").unwrap();
        std::fs::write(place.at("d-x"), "x").unwrap();
        symlink("one", place.at("d/link")).unwrap();
        place
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("tree")
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root().join(path)
    }

    fn listing(&self) -> Listing {
        Listing::of(&self.root(), &self.store).unwrap()
    }

    fn index(&self) -> PathBuf {
        let name = Digest::of(self.root().as_os_str().as_encoded_bytes()).to_string();
        self.store.directory(Directory::Listings).join(name)
    }

    /// The index as if all that is in it were old when it was read.
    fn settle(&self) {
        let index = Index::read(&self.index()).unwrap();
        let found = super::walk::walk(&self.root()).unwrap();
        let settled = |r| super::Record { settled: true, ..r };
        let records: Vec<_> = index.records().map(settled).collect();
        let digest = self.listing().digest();
        super::index::write(&self.index(), &self.store, &found, &records, &digest).unwrap();
    }
}

fn set_modified(path: &Path, time: SystemTime) {
    std::fs::File::options().append(true).open(path).unwrap().set_modified(time).unwrap();
}

#[test]
fn names_come_in_the_order_of_trees_with_modes_of_a_checkout() {
    let place = Place::new();
    std::fs::set_permissions(place.at("d/one"), PermissionsExt::from_mode(0o700)).unwrap();
    let listing = place.listing();
    let names: Vec<_> =
        listing.iter().map(|l| (String::from_utf8_lossy(l.path).into_owned(), l.mode)).collect();
    let expected = [
        ("d", 0o755),
        ("d/e", 0o755),
        ("d/e/two", 0o644),
        ("d/link", 0o777),
        ("d/one", 0o755),
        ("d-x", 0o644),
    ];
    assert_eq!(names, expected.map(|(name, mode)| (name.to_owned(), mode)));
}

#[test]
fn what_is_young_is_read_again_and_what_is_settled_is_not() {
    let place = Place::new();
    let first = place.listing().digest();
    // The files are new: the same stat may hide a change, so none is believed.
    assert!(Index::read(&place.index()).unwrap().records().all(|r| !r.settled));
    let time = std::fs::metadata(place.at("d/one")).unwrap().modified().unwrap();
    std::fs::write(place.at("d/one"), "ONE").unwrap();
    set_modified(&place.at("d/one"), time);
    assert_ne!(place.listing().digest(), first, "a change of the same length and time is seen");
    std::fs::write(place.at("d/one"), "one").unwrap();
    assert_eq!(place.listing().digest(), first);
    // With an index that is believed, a wrong digest in it shows that nothing was read.
    place.settle();
    let found = super::walk::walk(&place.root()).unwrap();
    let records: Vec<_> = Index::read(&place.index()).unwrap().records().collect();
    let known = Digest::of(b"known");
    super::index::write(&place.index(), &place.store, &found, &records, &known).unwrap();
    assert_eq!(place.listing().digest(), known);
}

#[test]
fn settled_files_are_read_when_anything_in_their_stat_differs() {
    type Do = fn(&Place);
    let rows: &[(&str, Do, bool)] = &[
        ("nothing", |_| (), true),
        ("time of modification", |p| set_modified(&p.at("d/one"), SystemTime::UNIX_EPOCH), true),
        (
            "content, with the old time",
            |p| {
                let time = std::fs::metadata(p.at("d/one")).unwrap().modified().unwrap();
                std::fs::write(p.at("d/one"), "ONE").unwrap();
                set_modified(&p.at("d/one"), time);
            },
            false,
        ),
        (
            "another file in its place",
            |p| {
                std::fs::write(p.at("new"), "ONE").unwrap();
                std::fs::rename(p.at("new"), p.at("d/one")).unwrap();
            },
            false,
        ),
        (
            "link's text",
            |p| {
                std::fs::remove_file(p.at("d/link")).unwrap();
                symlink("two", p.at("d/link")).unwrap();
            },
            false,
        ),
        (
            "permissions of the group",
            |p| {
                let mode = PermissionsExt::from_mode(0o664);
                std::fs::set_permissions(p.at("d/one"), mode).unwrap();
            },
            true,
        ),
        (
            "executable",
            |p| {
                let mode = PermissionsExt::from_mode(0o744);
                std::fs::set_permissions(p.at("d/one"), mode).unwrap();
            },
            false,
        ),
        ("new name", |p| std::fs::write(p.at("d/f"), "").unwrap(), false),
        ("gone", |p| std::fs::remove_file(p.at("d/one")).unwrap(), false),
        (
            "a directory in place of a file",
            |p| {
                std::fs::remove_file(p.at("d/one")).unwrap();
                std::fs::create_dir(p.at("d/one")).unwrap();
            },
            false,
        ),
        ("damaged index", |p| std::fs::write(p.index(), "xcbuild-stat 1\n\0").unwrap(), true),
    ];
    for (what, change, same) in rows {
        let place = Place::new();
        let before = place.listing().digest();
        place.settle();
        change(&place);
        assert_eq!(place.listing().digest() == before, *same, "{what}");
        let again = Store::open(&place.dir.path().join("other"), &Reporter::silent()).unwrap();
        let read = Listing::of(&place.root(), &again).unwrap().digest();
        assert_eq!(place.listing().digest(), read, "{what}: as without an index");
    }
}

#[test]
fn old_files_are_believed_at_once() {
    let place = Place::new();
    // Times of change can't be set: another `began` stands for waiting.
    let found = super::walk::walk(&place.root()).unwrap();
    let began = SystemTime::now() + Duration::from_secs(10);
    let root = place.root();
    let reading = super::Reading { root: &root, old: None, began };
    let settled = reading.records(&found).unwrap().iter().all(|r| r.settled);
    assert_eq!(settled, found.iter().all(|f| f.local));
}

#[test]
fn sockets_and_missing_directories_are_named() {
    let place = Place::new();
    let e = Listing::of(&place.at("none"), &place.store).unwrap_err();
    assert!(format!("{e:#}").contains("/tree/none"), "{e:#}");
    let _listener = std::os::unix::net::UnixListener::bind(place.at("d/s")).unwrap();
    let e = Listing::of(&place.root(), &place.store).unwrap_err();
    assert!(format!("{e:#}").contains("/d/s: it is a socket"), "{e:#}");
}

#[test]
fn single_files_are_followed_through_links() {
    let place = Place::new();
    let link = [place.at("d/link")];
    let digest = |place: &Place| {
        let listing = Listing::of_files("test", &link, &place.store).unwrap();
        *listing.iter().next().unwrap().digest
    };
    assert_eq!(digest(&place), Digest::of(b"one"));
    std::fs::remove_file(place.at("d/link")).unwrap();
    symlink("e/two", place.at("d/link")).unwrap();
    assert_eq!(digest(&place), Digest::of(b"two"));
    std::fs::remove_file(place.at("d/e/two")).unwrap();
    let e = Listing::of_files("test", &link, &place.store).unwrap_err();
    assert!(format!("{e:#}").contains("/d/link"), "{e:#}");
}
