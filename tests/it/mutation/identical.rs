//! The same bytes wherever, whenever, by whomever and with however many threads they are built.

use std::time::{Duration, SystemTime};

use super::lab::Lab;
use super::outside::as_nobody;

/// Overlays of each kind, of ours and of the lab: by manifest, by script, as a tar file.
const OVERLAYS: &[&str] = &["o", "env", "test", "script", "t.tar"];

/// A lab with overlays of each kind, all files of that age.
fn lab(age: Duration) -> Lab {
    let mut lab = Lab::new();
    lab.write(
        "ovl/script/tar",
        "#! /bin/sh\ncd $TMPDIR; mkdir etc; echo s >etc/s\ntar cf $1 etc\n",
    );
    lab.mode("ovl/script/tar", 0o755);
    // Its owner is whoever made it: what is the user's own becomes root's.
    lab.write("t/etc/t", "t");
    let (file, from) = (lab.at("t.tar"), lab.at("t"));
    let words = ["-C", from.to_str().unwrap(), "-cf", file.to_str().unwrap(), "etc"];
    crate::common::tool::run("tar", &words);
    // Libraries go to their own paths, which in a lab are the lab's.
    lab.replace("programs = [\"prog\"]\ntrees", "programs = [\"ls\"]\ntrees");
    let (time, place) = (SystemTime::now() - age, lab.at("ovl"));
    for entry in walkdir::WalkDir::new(place) {
        let entry = entry.unwrap();
        if entry.file_type().is_file() {
            std::fs::File::open(entry.path()).unwrap().set_modified(time).unwrap();
        }
    }
    lab.set("xcluster_TZ", "UTC");
    lab.arguments(OVERLAYS);
    let tar = lab.at("t.tar").to_str().unwrap().to_owned();
    *lab.arguments.last_mut().unwrap() = tar;
    lab
}

#[test]
fn layers_and_iso_are_the_same_bytes_everywhere() {
    let first = lab(Duration::ZERO);
    let reference = first.build().unwrap();
    assert_eq!(reference.layers.len(), OVERLAYS.len() + 1, "with `n`, which `o` needs");
    let mut others: Vec<(&str, Lab)> = Vec::new();
    for (what, threads) in [("one thread", "-j1"), ("sixteen threads", "-j16")] {
        let mut other = lab(Duration::from_secs(86_400 * 400));
        other.arguments.insert(0, threads.into());
        others.push((what, other));
    }
    let mut masked = lab(Duration::from_secs(1));
    masked.wrapper = ["sh", "-c", "umask 077; exec \"$@\"", "sh"].map(ToOwned::to_owned).into();
    masked.set("TZ", "Asia/Kathmandu");
    masked.set("LC_ALL", "sv_SE.UTF-8");
    others.push(("another umask, zone and locale", masked));
    if rustix::process::getuid().is_root() {
        let mut nobody = lab(Duration::from_secs(86_400));
        // A tar of root's is root's for nobody, too.
        as_nobody(&mut nobody);
        others.push(("another user", nobody));
    } else {
        println!("SKIPPED: the same bytes by another user: not root");
    }
    for (what, other) in &others {
        let built = other.build().unwrap();
        assert!(built.layers.iter().all(|(name, cached)| !cached || name == "n"), "{built:?}");
        assert_eq!(built.digests, reference.digests, "{what}");
        assert_eq!(built.digest, reference.digest, "{what}");
        let bytes = |lab: &Lab| {
            std::fs::read(
                lab.workspace
                    .ok(&["env"])
                    .lines()
                    .find_map(|l| {
                        l.strip_prefix("__cdrom=").map(|p| p.trim_matches('\'').to_owned())
                    })
                    .unwrap(),
            )
            .unwrap()
        };
        assert!(bytes(other) == bytes(&first), "{what}: the ISO's bytes");
    }
}
