//! Locked and stored packages, without apt.

use super::super::deb::tests::package as deb;
use super::super::unpack::data_key;
use super::super::{merged_tree, package_tree};
use super::{
    Digest, Directory, Lock, LockFile, Package, PackageSet, Packages, Request, Store, is_package,
    question,
};
use xc_report::{Message, Recorder, Reporter};
use xc_store::tree::{Entry, Tree, TreePath, write_tar};

#[test]
fn only_names_of_packages_reach_apt() {
    for good in ["jq", "g++", "libstdc++6", "jq=1.6-2.1+deb12u3", "busybox=1:1.35.0-4+b1"] {
        assert!(is_package(good), "{good}");
    }
    for bad in ["", "j", "-oDir=/", "jq-", "JQ", "jq=", "jq=-1", "jq/stable", "jq bc", "./x.deb"] {
        assert!(!is_package(bad), "{bad}");
    }
}

/// A package with one file, in the store.
fn stored(store: &Store, name: &str, path: &str) -> Package {
    let mut tree = Tree::new();
    tree.insert(TreePath::new(path).unwrap(), Entry::file(0o755, name));
    let mut data = Vec::new();
    write_tar(&tree, &mut data).unwrap();
    let blob = store.put(&deb(&format!("Package: {name}\nVersion: 1\n"), &data, ".xz")).unwrap();
    Package {
        name: name.to_owned(),
        version: "1".to_owned(),
        architecture: "all".to_owned(),
        file: format!("{name}_1_all.deb"),
        size: blob.size,
        sha256: blob.digest,
    }
}

#[test]
fn what_is_locked_and_stored_needs_no_apt() {
    let place = tempfile::tempdir().unwrap();
    let store = Store::open(&place.path().join("store"), &Reporter::silent()).unwrap();
    let lock_file = place.path().join("xcbuild.lock");
    let set = PackageSet::new(vec![
        stored(&store, "one", "bin/one"),
        stored(&store, "two", "usr/sbin/iptables-nft"),
    ]);
    let wants = ["two".to_owned()];
    let request = Request { wants: &wants, ..Request::default() };
    let mut lock = LockFile::default();
    lock.put(question(&request).unwrap(), set.clone());
    std::fs::write(&lock_file, lock.render()).unwrap();

    let packages = Packages::new(&store, &lock_file, "amd64");
    assert_eq!(packages.resolve(&request).unwrap(), set);
    let tree = merged_tree(&packages, &set).unwrap();
    let files = tree.iter().filter(|(_, e)| !e.is_directory());
    let names: Vec<String> = files.map(|(p, _)| p.to_string()).collect();
    assert_eq!(
        names,
        ["etc/alternatives/iptables", "usr/bin/one", "usr/sbin/iptables", "usr/sbin/iptables-nft"]
    );
    assert!(!store.directory(Directory::Apt).exists(), "apt was asked");

    // Another process writes it, or a person.
    let other = PackageSet::new(set.packages[1..].to_vec());
    lock.put(question(&request).unwrap(), other.clone());
    std::fs::write(&lock_file, lock.render()).unwrap();
    assert_eq!(packages.resolve(&request).unwrap(), other);
    std::fs::write(&lock_file, "").unwrap();
    let damaged = packages.resolve(&request).unwrap_err().to_string();
    assert!(damaged.starts_with("can't use the lock file"), "{damaged}");
}

#[test]
fn a_package_is_unpacked_by_one_process_at_a_time() {
    let place = tempfile::tempdir().unwrap();
    let recorder = Recorder::default();
    let store = Store::open(&place.path().join("store"), &recorder.reporter()).unwrap();
    let packages = Packages::new(&store, &place.path().join("xcbuild.lock"), "amd64");
    let package = stored(&store, "one", "bin/one");
    let lock = store.directory(Directory::Locks).join(data_key(&package).to_string());
    let held = Lock::exclusive(&lock, &Reporter::silent()).unwrap();
    let waits = || {
        let messages = recorder.messages();
        messages.iter().any(|m| matches!(m, Message::Status("Waiting", _)))
    };
    std::thread::scope(|scope| {
        let unpacking = scope.spawn(|| package_tree(&packages, &package));
        while !waits() {
            assert!(!unpacking.is_finished(), "unpacked without the lock");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        drop(held);
        assert_eq!(unpacking.join().unwrap().unwrap().len(), 3);
    });
}

#[test]
fn a_checksum_mismatch_under_the_same_version_are_refused() {
    let place = tempfile::tempdir().unwrap();
    let store = Store::open(&place.path().join("store"), &Reporter::silent()).unwrap();
    let packages = Packages::new(&store, &place.path().join("xcbuild.lock"), "amd64");
    let mut package = stored(&store, "one", "bin/one");
    std::fs::write(place.path().join(&package.file), "changed bytes").unwrap();
    package.sha256 = Digest::of(b"locked bytes");
    let error = packages.take(&package, place.path()).unwrap_err().to_string();
    assert!(error.contains("checksum mismatch for one=1"), "{error}");
    assert!(error.contains("xcbuild lock --update one"), "{error}");
}
