//! A CoreDNS for overlays to copy: the user's, or a stand-in.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use super::overlays::with_overlays;
use crate::common::Workspace;
use crate::common::dns::{DNSMASQ, NAME, Upstream, V4};
use crate::common::need::QEMU;

/// What a stand-in says of itself.
const STAND_IN: &str = "a stand-in for CoreDNS by xcbuild";

/// Writes a program.
fn write(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_stand_in_is_put_where_there_is_no_coredns() {
    let mut workspace = Workspace::new();
    let place = workspace.home().join("xcluster/bin/coredns");
    workspace.ok(&["mkimage"]);
    let version = std::process::Command::new(&place).arg("-version").output().unwrap();
    assert!(String::from_utf8_lossy(&version.stdout).contains(STAND_IN), "{version:?}");
    let current = std::fs::read(&place).unwrap();

    let inode = || std::fs::metadata(&place).unwrap().ino();
    let before = inode();
    workspace.ok(&["mkimage"]);
    assert_eq!(inode(), before, "it is there already");

    write(&place, format!("\x7fELF xc-dns 0.0.1, {STAND_IN}\n").as_bytes());
    workspace.ok(&["mkimage"]);
    assert_eq!(std::fs::read(&place).unwrap(), current, "an older one is replaced");

    // What is the user's stays: a program, a link, also one that leads nowhere.
    for own in [b"#! /bin/sh\n".as_slice(), b"\x7fELF a CoreDNS"] {
        write(&place, own);
        workspace.ok(&["mkimage"]);
        assert_eq!(std::fs::read(&place).unwrap(), own);
    }
    std::fs::remove_file(&place).unwrap();
    symlink("/nonexistent/coredns", &place).unwrap();
    workspace.ok(&["mkimage"]);
    assert_eq!(std::fs::read_link(&place).unwrap(), Path::new("/nonexistent/coredns"));

    std::fs::remove_file(&place).unwrap();
    let go = workspace.home().join("go");
    write(&go.join("bin/coredns"), b"#! /bin/sh\n");
    workspace.set("GOPATH", go.to_str().unwrap());
    workspace.ok(&["mkimage"]);
    assert!(!place.exists(), "the one of the Go workspace is used");
}

/// The cluster's proxy is xcbuild's own, since a stand-in is not a CoreDNS of the user's.
#[test(needs = [QEMU, DNSMASQ], serial)]
fn an_overlay_that_copies_coredns_works_on_a_node() {
    let mut workspace = with_overlays(Workspace::new());
    // The port that the overlay's Corefile has; a named cluster would take another by itself.
    workspace.set("XCLUSTER_DNS_PORT", "10053");
    workspace.ok(&["mkimage"]);
    let cluster = workspace.cluster();
    let upstream = Upstream::start();
    let server = format!("--dns-upstream={}", upstream.address());
    for layout in ["--layout=tree", "--layout=tar"] {
        workspace.ok(&["mkcdrom", layout, "network-topology", "corefile"]);
        workspace.ok(&["start", "--nvm=1", "--nrouters=0", "--ntesters=0", &server]);
        let pid = std::fs::read_to_string(workspace.run_directory().join("tests/dns.pid")).unwrap();
        let command_line =
            std::fs::read_to_string(format!("/proc/{}/cmdline", pid.trim())).unwrap();
        assert!(!command_line.contains("coredns"), "{command_line}");
        let said = |command: &str| workspace.ok(&["rsh", "1", command]);
        said("until grep -q '^[.]:1053' /var/log/coredns.log; do :; done");
        for (name, address) in
            [("inline.example.org", "10.0.0.1"), ("file.example.org", "10.0.0.2"), (NAME, V4)]
        {
            let answer = said(&format!("busybox nslookup {name} 127.0.0.1:1053"));
            assert!(answer.contains(address), "{layout}: {answer}");
        }
        let log = said("cat /var/log/coredns.log");
        assert!(log.contains(STAND_IN), "{log}");
        assert!(log.contains("A IN inline.example.org. udp"), "{log}");
        workspace.ok(&["stop"]);
    }
    drop(cluster);
}
