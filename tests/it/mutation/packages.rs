//! Debian packages: real ones, pinned by the workspace's lock file.

use xc_store::store::Store;

use crate::common::Workspace;

/// What is told of the layer's second build; empty if there was none.
fn told(workspace: &Workspace, option: &str) -> String {
    let report = workspace.ok(&["mkcdrom", "--json", option, "p"]);
    let json: serde_json::Value = serde_json::from_str(&report).unwrap();
    json["layers"][0]["reason"].as_str().unwrap_or_default().to_owned()
}

/// A package file with other bytes and the same content: one more member in the archive that it is.
fn padded(deb: &[u8]) -> Vec<u8> {
    let mut deb = deb.to_vec();
    if deb.len() % 2 == 1 {
        deb.push(b'\n');
    }
    deb.extend(
        format!("{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", "_more", 0, 0, 0, 100_644, 2).bytes(),
    );
    deb.extend(b"x\n");
    deb
}

/// Puts another version of a package into the lock file and its file into the store.
fn other_version(lock: &str, name: &str, store: &Store) -> String {
    let stanza = lock.split("\n\n").find(|s| s.contains(&format!("name = \"{name}\""))).unwrap();
    let value = |field: &str| {
        let line = stanza.lines().find(|l| l.starts_with(field)).unwrap();
        line.split_once(" = ").unwrap().1.trim_matches('"').to_owned()
    };
    let (version, size, digest) = (value("version"), value("size"), value("sha256"));
    let file = store.blob(&digest.parse().unwrap()).unwrap().unwrap();
    let blob = store.put(&padded(&std::fs::read(file).unwrap())).unwrap();
    let new = stanza
        .replace(&version, &format!("{version}x"))
        .replace(&digest, &blob.digest.to_string())
        .replace(&format!("size = {size}"), &format!("size = {}", blob.size));
    lock.replace(stanza, &new)
        .replace(&format!("\"{name}={version}\""), &format!("\"{name}={version}x\""))
}

#[test(slow)]
fn versions_of_packages_count_and_those_of_others_do_not() {
    let mut workspace = Workspace::new();
    let place = workspace.home().join("ovl");
    workspace.set("XCLUSTER_OVLPATH", place.to_str().unwrap());
    std::fs::create_dir_all(place.join("p")).unwrap();
    // The store is shared with other tests and other runs: a layer of this run is in none.
    let unique = workspace.home().display().to_string();
    let manifest = |more: &str| {
        let file = format!("[[file]]\npath = '/etc/run'\ntext = '{unique}'\n");
        let text = format!("description = 'p'\npackages = ['nftables']\n{more}{file}");
        std::fs::write(place.join("p/ovl.toml"), text).unwrap();
    };
    manifest("");
    workspace.ok(&["mkcdrom", "p"]);
    let lock_file = workspace.home().join("xcluster/xcbuild.lock");
    let lock = std::fs::read_to_string(&lock_file).unwrap();
    let store = workspace.environment().into_iter().find(|(n, _)| n == "XCBUILD_STORE").unwrap().1;
    let store = Store::open(std::path::Path::new(&store), &xc_report::Reporter::silent()).unwrap();
    let row = |what: &str, text: &str, expected: &str, change: &dyn Fn()| {
        std::fs::write(&lock_file, text).unwrap();
        change();
        let reason = told(&workspace, "--explain");
        let right = if expected.is_empty() { reason.is_empty() } else { reason.contains(expected) };
        assert!(right, "{what}: `{reason}`, and not `{expected}`");
        assert_eq!(told(&workspace, "--explain"), "", "{what}, again");
    };
    let nothing = || ();
    row("nothing", &lock, "", &nothing);
    row("a comment in the lock file", &format!("# new\n{lock}"), "", &nothing);
    let other = other_version(&lock, "nftables", &store);
    row("version", &other, "package nftables ", &nothing);
    let library = other_version(&lock, "libnftables1", &store);
    row("version of what it depends on", &library, "package libnftables1 ", &nothing);
    let base = other_version(&lock, "iproute2", &store);
    row("version of a package of the base image", &base, "", &nothing);
    row("leave_out", &lock, "leave out", &|| manifest("leave_out = ['/usr/share/nftables']\n"));
    row("without", &lock, "package ", &|| manifest("without = ['libjansson4']\n"));
}
