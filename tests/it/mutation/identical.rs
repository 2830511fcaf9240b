//! The same bytes wherever, whenever, by whomever and with however many threads they are built.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use xc_harness::{Case, Need};

use super::lab::{Lab, Report};
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

/// What was built, and the bytes of the ISO.
struct Built {
    report: Report,
    iso: Vec<u8>,
}

impl Built {
    fn by(lab: &Lab) -> Self {
        let report = lab.build().unwrap();
        let env = lab.workspace.ok(&["env"]);
        let iso = env.lines().find_map(|line| line.strip_prefix("__cdrom=")).unwrap();
        Self { report, iso: std::fs::read(iso.trim_matches('\'')).unwrap() }
    }
}

/// What a lab like all gives.
static REFERENCE: LazyLock<Built> = LazyLock::new(|| {
    let reference = Built::by(&lab(Duration::ZERO));
    assert_eq!(reference.report.layers.len(), OVERLAYS.len() + 1, "with `n`, which `o` needs");
    reference
});

#[tests]
fn layers_and_iso_are_the_same_bytes_everywhere() -> Vec<Case> {
    let threads = |option: &str| {
        let mut other = lab(Duration::from_secs(86_400 * 400));
        other.arguments.insert(0, option.into());
        other
    };
    vec![
        Case::new("one thread", move || give_the_same(&threads("-j1"))),
        Case::new("sixteen threads", move || give_the_same(&threads("-j16"))),
        Case::new("another umask, zone and locale", || give_the_same(&masked())),
        Case::new("another user", || {
            let mut nobody = lab(Duration::from_secs(86_400));
            // A tar of root's is root's for nobody, too.
            as_nobody(&mut nobody);
            give_the_same(&nobody);
        })
        .needs(&[Need::Root]),
    ]
}

fn masked() -> Lab {
    let mut masked = lab(Duration::from_secs(1));
    masked.wrapper = ["sh", "-c", "umask 077; exec \"$@\"", "sh"].map(ToOwned::to_owned).into();
    masked.set("TZ", "Asia/Kathmandu");
    masked.set("LC_ALL", "sv_SE.UTF-8");
    masked
}

fn give_the_same(other: &Lab) {
    let Built { report, iso } = Built::by(other);
    assert!(report.layers.iter().all(|(name, cached)| !cached || name == "n"), "{report:?}");
    assert_eq!(report.digests, REFERENCE.report.digests);
    assert_eq!(report.digest, REFERENCE.report.digest);
    assert!(iso == REFERENCE.iso, "the ISO's bytes");
}
