//! What apt is given, and what its answers mean.

use std::path::Path;

use super::answers::{parse_uris, unreachable, versions_not_found};
use super::{Alias, Apt, Exec, configuration, preferences};

const HASH: &str = "44ac9aaae0105bca66ea4d457852bf97020ccab33d5c088b0e5c8668891290a0";

#[test]
fn answers_are_read_without_their_address() {
    let answer = format!(
        "Reading…\n'http://archive.example/pool/b/busybox_1%3a1.35.0-4+b1_amd64.deb' \
         busybox_1%3a1.35.0-4+b1_amd64.deb 928188 SHA256:{HASH}\n"
    );
    let packages = parse_uris(&answer).unwrap();
    assert_eq!(packages[0].id(), "busybox=1:1.35.0-4+b1");
    assert_eq!(packages[0].architecture, "amd64");
    assert_eq!((packages.len(), packages[0].size), (1, 928_188));
    let md5 = "'http://archive.example/x' x_1_all.deb 1 MD5Sum:00\n";
    let error = parse_uris(md5).unwrap_err().to_string();
    insta::assert_snapshot!(error, @"can't read apt's answer: `x_1_all.deb 1 MD5Sum:00`");
}

#[test]
fn apt_is_told_to_stay_in_its_directory() {
    let text = configuration(Path::new("/s/apt"), "amd64");
    let outside = |l: &&str| l.starts_with("Dir::") && !l.contains("\"/s/apt/");
    assert_eq!(text.lines().filter(outside).count(), 0, "{text}");
    for line in [
        "Dir::State::status \"/s/apt/status\";",
        "APT::Sandbox::User \"\";",
        "Acquire::ForceHash \"SHA256\";",
        "#clear APT::Architectures;",
        "APT::Architectures { \"amd64\"; };",
        "#clear DPkg::Post-Invoke;",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} in {text}");
    }
    let answer = format!("'u' a_1_all.deb 1 SHA256:{HASH}\n");
    let packages = parse_uris(&answer).unwrap();
    insta::assert_snapshot!(preferences(&[&packages[0]]), @"
    Package: a
    Pin: version 1
    Pin-Priority: 990
    ");
}

#[test]
fn errors_are_told_apart() {
    let words = "E: Version '9' for 'jq' was not found\nE: Version '7' for 'kmod' was not found";
    assert_eq!(versions_not_found(words), ["jq=9", "kmod=7"]);
    assert!(unreachable("E: Failed to fetch … Temporary failure resolving 'archive.example'"));
    assert!(!unreachable("E: Version '9' for 'jq' was not found"));
}

/// apt's own reading is the judge.
#[test]
fn odd_directories_have_a_plain_name_for_apt() {
    let dir = tempfile::tempdir().unwrap();
    assert!(Alias::of(dir.path()).unwrap().is_none());
    for name in ["a\"b", "a\nb", "a\\b", "a; Dir::Log \"x"] {
        let odd = dir.path().join(name);
        let apt = Apt::open(odd.clone(), "amd64").unwrap();
        let dump = Exec::new("apt-config").arg("-c").arg(odd.join("apt.conf")).arg("dump");
        let dump = String::from_utf8(dump.output().unwrap()).unwrap();
        let prefix = "Dir::State::status \"";
        let status = dump.lines().find_map(|line| line.strip_prefix(prefix)).unwrap();
        let status = Path::new(status.strip_suffix("\";").unwrap());
        assert_eq!(status.canonicalize().unwrap(), odd.join("status").canonicalize().unwrap());
        let link = status.to_path_buf();
        drop(apt);
        assert!(!link.exists(), "{name:?}");
    }
}
