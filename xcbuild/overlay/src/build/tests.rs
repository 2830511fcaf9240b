//! Layers from overlays on disk: what changes a key, what doesn't, and equal bytes everywhere.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use xc_report::{Recorder, Reporter};

use super::{Layer, layers};
use crate::Variables;
use crate::plan::plan;
use crate::reason::Reason;
use crate::{Params, Search};
use xc_store::remote::Remotes;
use xc_store::store::Store;

/// A place with one overlay `o` that uses most of what a manifest can say, and a store.
struct Place {
    root: tempfile::TempDir,
    params: Params,
    remotes: Vec<String>,
    recorder: Recorder,
}

const MANIFEST: &str = r#"
description = "sample"
trees = ["default", "${SETUP}"]
modules = ["ip_vs"]
[variables]
FLAVOUR = "plain"
[[file]]
path = "/etc/flavour"
template = "${FLAVOUR}\n"
[[file]]
path = "/etc/exported"
exports = ["xcluster_*", "__nvm"]
[links]
"/bin/y" = "x"
[alternatives]
"/usr/sbin/a" = "/usr/sbin/b"
[[device]]
path = "/dev/tun"
kind = "char"
major = 10
minor = 200
[attributes]
"/etc/x" = { mode = "0600", owner = "0:42" }
"#;

impl Place {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let overlays = root.path().join("overlays");
        let search = Search { directories: vec![overlays], current: root.path().to_path_buf() };
        let programs = "/usr/bin:/bin".into();
        let params = Params { search, programs, ..Params::default() };
        let place = Self { root, params, remotes: Vec::new(), recorder: Recorder::default() };
        place.write("ovl.toml", MANIFEST);
        place.write("default/etc/x", "x");
        place.write("default/bin/x", "#! /bin/sh\n");
        place.mode("default/bin/x", 0o755);
        symlink("x", place.at("default/etc/link")).unwrap();
        place.write("variant/etc/x", "variant");
        place
    }

    fn at(&self, path: &str) -> PathBuf {
        self.params.search.directories[0].join("o").join(path)
    }

    fn write(&self, path: &str, text: &str) {
        std::fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        std::fs::write(self.at(path), text).unwrap();
    }

    fn mode(&self, path: &str, mode: u32) {
        std::fs::set_permissions(self.at(path), PermissionsExt::from_mode(mode)).unwrap();
    }

    fn set(&mut self, pairs: &[(&str, &str)]) {
        self.params.variables = Variables::from_pairs(pairs.iter().copied());
    }

    fn store(&self) -> Store {
        let root = self.root.path().join("store");
        let store = Store::open(&root, &self.recorder.reporter()).unwrap();
        store.with_remotes(Remotes::open(&self.remotes, &self.remotes).unwrap())
    }

    fn layer(&self) -> Layer {
        let planned = plan(&self.params.search, &["o"]).unwrap();
        layers(&planned, &self.params, &self.store()).unwrap().remove(0)
    }

    fn bytes(&self) -> Vec<u8> {
        std::fs::read(self.store().blob(&self.layer().blob.digest).unwrap().unwrap()).unwrap()
    }
}

#[test]
fn layer_is_pinned_and_its_tree_is_what_the_manifest_says() {
    let mut place = Place::new();
    place.set(&[("xcluster_TZ", "CET-1"), ("__nvm", "4"), ("xcluster_A", "it's")]);
    let bytes = place.bytes();
    let list = xc_sys::exec::Exec::new("tar")
        .args(["--numeric-owner", "-tvf", "-"])
        .env("TZ", "UTC")
        .stdin_bytes(bytes.clone())
        .output()
        .unwrap();
    insta::assert_snapshot!(String::from_utf8(list).unwrap().replace(" 1980-01-01 00:00", ""), @r"
    drwxr-xr-x 0/0               0 dev
    crw------- 0/0          10,200 dev/tun
    drwxr-xr-x 0/0               0 etc
    drwxr-xr-x 0/0               0 etc/alternatives
    lrwxrwxrwx 0/0               0 etc/alternatives/a -> /usr/sbin/b
    -rw-r--r-- 0/0              33 etc/exported
    -rw-r--r-- 0/0               6 etc/flavour
    drwxr-xr-x 0/0               0 etc/init.d
    -rwxr-xr-x 0/0             202 etc/init.d/05modules.rc
    lrwxrwxrwx 0/0               0 etc/link -> x
    drwxr-xr-x 0/0               0 etc/modules-load.d
    -rw-r--r-- 0/0               6 etc/modules-load.d/o.conf
    -rw------- 0/42              1 etc/x
    drwxr-xr-x 0/0               0 usr
    drwxr-xr-x 0/0               0 usr/bin
    -rwxr-xr-x 0/0              11 usr/bin/x
    lrwxrwxrwx 0/0               0 usr/bin/y -> x
    drwxr-xr-x 0/0               0 usr/sbin
    lrwxrwxrwx 0/0               0 usr/sbin/a -> /etc/alternatives/a
    ");
    let exported = Path::new("etc/exported");
    let mut tar = tar::Archive::new(bytes.as_slice());
    let mut found = tar.entries().unwrap().map(Result::unwrap);
    let mut entry = found.find(|e| e.path().unwrap() == exported).unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut entry, &mut text).unwrap();
    assert_eq!(text, "A='it'\\''s'\nTZ='CET-1'\n__nvm='4'\n");
    insta::assert_snapshot!(place.layer().blob.digest, @"ebb63da333661a256676707b0a28a17ebfff142e0cccd3a1a86f830537ede12b");
}

#[test]
fn second_build_is_a_hit_and_so_is_one_in_another_directory() {
    let (place, other) = (Place::new(), Place::new());
    assert_eq!(place.layer().built, Some(Reason::New));
    assert_eq!(place.layer().built, None);
    assert_eq!(place.bytes(), other.bytes());
}

#[test]
fn layers_of_another_machine_are_taken_and_explained_as_if_built_here() {
    let remote = tempfile::tempdir().unwrap();
    let url = format!("file://{}", remote.path().display());
    let [a, b] = [Place::new(), Place::new()].map(|p| Place { remotes: vec![url.clone()], ..p });
    assert_eq!(a.layer().built, Some(Reason::New));
    assert_eq!(b.layer().built, None);
    assert_eq!(a.bytes(), b.bytes());
    b.write("default/etc/x", "y");
    let reported = b.layer().built.map(|reason| reason.to_string());
    assert_eq!(reported.as_deref(), Some("default/etc/x changed"));
}

/// Rows of what a user may do, and whether the layer has to be built again, with the reason reported.
#[test]
fn keys_change_with_what_counts_and_with_nothing_else() {
    type Do = fn(&mut Place);
    let rows: &[(&str, Do, Option<&str>)] = &[
        ("content", |p| p.write("default/etc/x", "y"), Some("default/etc/x changed")),
        (
            "exec bit",
            |p| p.mode("default/etc/x", 0o755),
            Some("default/etc/x 0644 file -> 0755 file"),
        ),
        ("new file", |p| p.write("default/etc/new", ""), Some("default/etc/new appeared")),
        (
            "gone",
            |p| std::fs::remove_file(p.at("default/bin/x")).unwrap(),
            Some("default/bin/x is gone"),
        ),
        (
            "link target",
            |p| {
                std::fs::remove_file(p.at("default/etc/link")).unwrap();
                symlink("y", p.at("default/etc/link")).unwrap();
            },
            Some("default/etc/link 0777 link x -> 0777 link y"),
        ),
        ("variable", |p| p.set(&[("FLAVOUR", "odd")]), Some("file /etc/flavour changed")),
        ("exported", |p| p.set(&[("xcluster_X", "1")]), Some("file /etc/exported changed")),
        (
            "variant",
            |p| p.set(&[("SETUP", "variant")]),
            Some("variant/etc appeared, variant/etc/x appeared"),
        ),
        (
            "link",
            |p| p.write("ovl.toml", &MANIFEST.replace("= \"x\"", "= \"z\"")),
            Some("link /bin/y x -> z"),
        ),
        (
            "alternative",
            |p| p.write("ovl.toml", &MANIFEST.replace("sbin/b", "sbin/c")),
            Some("alternative /usr/sbin/a /usr/sbin/b -> /usr/sbin/c"),
        ),
        (
            "device",
            |p| p.write("ovl.toml", &MANIFEST.replace("200", "201")),
            Some("device /dev/tun char 10,200 0600 0:0 -> char 10,201 0600 0:0"),
        ),
        (
            "modules",
            |p| p.write("ovl.toml", &MANIFEST.replace("ip_vs", "sctp")),
            Some("modules o: ip_vs -> o: sctp"),
        ),
        (
            "owner",
            |p| p.write("ovl.toml", &MANIFEST.replace("0:42", "0:43")),
            Some("attributes /etc/x 0600 0:42 -> 0600 0:43"),
        ),
        ("nothing", |_| (), None),
        ("same content, another time", |p| p.write("default/etc/x", "x"), None),
        ("group's permissions", |p| p.mode("default/etc/x", 0o664), None),
        ("a comment", |p| p.write("ovl.toml", &format!("# new\n{MANIFEST}")), None),
        ("description", |p| p.write("ovl.toml", &MANIFEST.replace("sample", "other")), None),
        ("file that is not copied", |p| p.write("README.md", "x"), None),
        ("unrelated variable", |p| p.set(&[("HOME", "/x"), ("TOPOLOGY", "y")]), None),
        ("variant of another overlay", |p| p.set(&[("SETUP", "elsewhere,../o")]), None),
    ];
    for (what, change, expected) in rows {
        let mut place = Place::new();
        place.layer();
        change(&mut place);
        let reported = place.layer().built.map(|reason| reason.to_string());
        assert_eq!(reported.as_deref(), *expected, "{what}");
        assert_eq!(place.layer().built, None, "{what}, again");
    }
}

const STEPS: &str = r#"
description = "steps that run or copy something of the host"
programs = ["prog"]
[variables]
WORD = "one"
[script]
run = "build"
inputs = ["src"]
programs = ["prog"]
variables = ["WORD"]
[[archive]]
name = "a.tar"
sha256 = "DIGEST"
to = "/opt"
strip = 1
only = ["bin"]
"#;

/// A place whose overlay has every step that reads the host: a script, a program, an archive.
fn host_steps() -> Place {
    let mut place = Place::new();
    let host = place.root.path().join("host");
    std::fs::create_dir(&host).unwrap();
    let mut tar = tar::Builder::new(Vec::new());
    for name in ["a-1/bin/tool", "a-1/doc/tool"] {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o755);
        header.set_size(4);
        tar.append_data(&mut header, name, &b"tool"[..]).unwrap();
    }
    let tar = tar.into_inner().unwrap();
    std::fs::write(host.join("a.tar"), &tar).unwrap();
    std::fs::write(host.join("prog"), "#! /bin/sh\necho prog\n").unwrap();
    std::fs::set_permissions(host.join("prog"), PermissionsExt::from_mode(0o755)).unwrap();
    let digest = xc_store::key::Digest::of(&tar).to_string();
    place.write("ovl.toml", &STEPS.replace("DIGEST", &digest));
    let build = "#! /bin/sh\nmkdir $1/etc; (cat ${0%/*}/src/in; prog; echo $WORD) > $1/etc/made\n";
    place.write("build", build);
    place.mode("build", 0o755);
    place.write("src/in", "in\n");
    place.params.programs = format!("{}:/usr/bin:/bin", host.display()).into();
    place.params.archive = host;
    place
}

#[test]
fn scripts_programs_and_archives_are_taken_and_keyed() {
    type Do = fn(&mut Place);
    let place = host_steps();
    let list = xc_sys::exec::Exec::new("tar").args(["-xOf", "-", "etc/made"]);
    assert_eq!(list.stdin_bytes(place.bytes()).output().unwrap(), b"in\nprog\none\n");
    let names = xc_sys::exec::Exec::new("tar").args(["-tf", "-"]);
    let names = String::from_utf8(names.stdin_bytes(place.bytes()).output().unwrap()).unwrap();
    assert!(names.contains("opt/bin/tool") && names.contains("usr/bin/prog"), "{names}");
    assert!(!names.contains("doc"), "{names}");
    let rows: &[(&str, Do, Option<&str>)] = &[
        ("input", |p| p.write("src/in", "new"), Some("script src/in changed")),
        ("input's name", |p| p.write("src/new", ""), Some("script src/new appeared")),
        ("script", |p| p.write("build", "#! /bin/sh\ntouch $1/x"), Some("script build changed")),
        ("variable", |p| p.set(&[("WORD", "two")]), Some("script variable WORD one -> two")),
        (
            "host program",
            |p| std::fs::write(p.params.archive.join("prog"), "#! /bin/sh\n").unwrap(),
            Some("host /usr/bin/prog changed, script program prog changed"),
        ),
        ("archive gone", |p| std::fs::remove_file(p.params.archive.join("a.tar")).unwrap(), None),
        ("undeclared file", |p| p.write("other", ""), None),
    ];
    for (what, change, expected) in rows {
        let mut place = host_steps();
        place.layer();
        change(&mut place);
        let reported = place.layer().built.map(|reason| reason.to_string());
        assert_eq!(reported.as_deref(), *expected, "{what}");
    }
}

#[test]
fn what_a_script_reads_and_does_not_declare_is_warned_of() {
    let rows = [
        (":", None),
        ("cat ${0%/*}/secret", Some("`secret`")),
        ("cat ${0%/*}/secret; ls ${0%/*}/default/etc", Some("`default/etc` and 1 more")),
    ];
    for (reads, expected) in rows {
        let place = host_steps();
        place.write("secret", "");
        place.write("build", &format!("#! /bin/sh\n({reads}) > /dev/null\ntouch $1/x\n"));
        place.layer();
        let warnings = place.recorder.warnings();
        let text = |what: &str| {
            format!(
                "the script of `o` reads {what}, which its `inputs` don't declare: a change of it builds nothing"
            )
        };
        assert_eq!(warnings, expected.map(text).into_iter().collect::<Vec<_>>(), "{reads}");
    }
}

#[test]
fn what_the_host_lacks_is_named() {
    type Do = fn(&mut Place);
    let rows: &[(Do, &str)] = &[
        (|p| p.params.programs = "/nowhere".into(), "the program `prog` is not on the host's PATH"),
        (|p| p.params.archive = "/nowhere".into(), "put it at `/nowhere/a.tar`, or set ARCHIVE"),
        (
            |p| std::fs::write(p.params.archive.join("a.tar"), "other").unwrap(),
            "/host/a.tar` has the SHA-256",
        ),
        (|p| std::fs::remove_dir_all(p.at("src")).unwrap(), "/o/src"),
        (|p| p.write("build", "#! /bin/sh\necho why >&2; exit 3"), "exit code 3\n    why"),
    ];
    for (change, message) in rows {
        let mut place = host_steps();
        change(&mut place);
        let planned = plan(&place.params.search, &["o"]).unwrap();
        let e = layers(&planned, &place.params, &place.store()).unwrap_err();
        let text = xc_report::causes(&e);
        assert!(
            text.starts_with("can't build the overlay `o`") && text.contains(message),
            "{text}"
        );
    }
}

#[test]
fn lost_blobs_are_built_again() {
    let place = Place::new();
    let layer = place.layer();
    std::fs::remove_file(place.store().blob(&layer.blob.digest).unwrap().unwrap()).unwrap();
    let again = place.layer();
    assert_eq!(again.built, Some(Reason::Lost));
    assert_eq!(again.blob, layer.blob);
}

#[test]
fn many_at_once_give_the_same_as_one() {
    let place = Place::new();
    for name in ["p", "q", "r", "s"] {
        let to = place.params.search.directories[0].join(name);
        std::fs::create_dir(&to).unwrap();
        std::fs::write(to.join("ovl.toml"), "description = 'x'").unwrap();
        std::fs::create_dir(to.join("default")).unwrap();
        std::fs::write(to.join("default").join(name), name.repeat(10_000)).unwrap();
    }
    let names = ["o", "p", "q", "r", "s"];
    let planned = plan(&place.params.search, &names).unwrap();
    let digests = |threads: usize, store: &str| {
        let store = Store::open(&place.root.path().join(store), &Reporter::silent()).unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let layers = pool.install(|| layers(&planned, &place.params, &store)).unwrap();
        layers.iter().map(|l| (l.name.clone(), l.blob.digest)).collect::<Vec<_>>()
    };
    let one = digests(1, "one");
    assert_eq!(one, digests(16, "many"));
    assert_eq!(one.iter().map(|(n, _)| n.as_str()).collect::<Vec<_>>(), names);
}

/// A step of the overlay itself writes to the overlay while it is built, as a user's editor may.
#[test]
fn what_changes_while_it_is_built_never_gets_the_key_of_what_it_was() {
    let manifest = "description = 'x'\n[script]\nrun = 'build'\n";
    let place = Place::new();
    place.write("ovl.toml", manifest);
    place.mode("ovl.toml", 0o644);
    // Writes once: the second attempt is steady.
    place.write("build", "#! /bin/sh\necho new > ${0%/*}/default/etc/x\n");
    place.mode("build", 0o755);
    place.layer();
    let text = |place: &Place| {
        let tar = xc_sys::exec::Exec::new("tar").args(["-xOf", "-", "etc/x"]);
        tar.stdin_bytes(place.bytes()).output().unwrap()
    };
    assert_eq!(text(&place), b"new\n");
    assert_eq!(place.layer().built, None);
    // What was built for a moment under the key of "x" was not kept.
    place.write("default/etc/x", "x");
    assert_eq!(text(&place), b"new\n");
    // Writes something else each time.
    place.write("build", "#! /bin/sh\necho $$ > ${0%/*}/default/etc/x\n");
    let planned = plan(&place.params.search, &["o"]).unwrap();
    let e = layers(&planned, &place.params, &place.store()).unwrap_err();
    assert!(xc_report::causes(&e).contains("changed each time while it was built"), "{e:#}");
}
