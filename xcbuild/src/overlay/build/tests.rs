//! Layers from overlays on disk: what changes a key, what doesn't, and equal bytes everywhere.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::{Layer, layers};
use crate::image::store::Store;
use crate::overlay::plan::plan;
use crate::overlay::reason::Reason;
use crate::overlay::{Params, Search};
use crate::settings::Variables;

/// A place with one overlay `o` that uses most of what a manifest can say, and a store.
struct Place {
    root: tempfile::TempDir,
    params: Params,
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
        let search = Search { places: vec![overlays], current: root.path().to_path_buf() };
        let programs = "/usr/bin:/bin".into();
        let place = Self { root, params: Params { search, programs, ..Params::default() } };
        place.write("ovl.toml", MANIFEST);
        place.write("default/etc/x", "x");
        place.write("default/bin/x", "#! /bin/sh\n");
        place.mode("default/bin/x", 0o755);
        symlink("x", place.at("default/etc/link")).unwrap();
        place.write("variant/etc/x", "variant");
        place
    }

    fn at(&self, path: &str) -> PathBuf {
        self.params.search.places[0].join("o").join(path)
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
        Store::open(&self.root.path().join("store")).unwrap()
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
    let list = crate::sys::exec::Exec::new("tar")
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
    insta::assert_snapshot!(place.layer().blob.digest, @"a0637ce7c72020acac4878c3fc4387813d4278f97f323f9ba6a4da736fe0c018");
}

#[test]
fn second_build_is_a_hit_and_so_is_one_in_another_directory() {
    let (place, other) = (Place::new(), Place::new());
    assert_eq!(place.layer().built, Some(Reason::New));
    assert_eq!(place.layer().built, None);
    assert_eq!(place.bytes(), other.bytes());
}

/// Rows of what a user may do, and whether the layer has to be built again, with the reason told.
#[test]
fn keys_change_with_what_counts_and_with_nothing_else() {
    type Do = fn(&mut Place);
    let rows: &[(&str, Do, Option<&str>)] = &[
        ("content", |p| p.write("default/etc/x", "y"), Some("default/etc/x changed")),
        (
            "exec bit",
            |p| p.mode("default/etc/x", 0o755),
            Some("default/etc/x 0644 0:0 file -> 0755 0:0 file"),
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
            Some("default/etc/link 0777 0:0 link x -> 0777 0:0 link y"),
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
        ("file that nobody copies", |p| p.write("README.md", "x"), None),
        ("unrelated variable", |p| p.set(&[("HOME", "/x"), ("TOPOLOGY", "y")]), None),
        ("variant of another overlay", |p| p.set(&[("SETUP", "elsewhere,../o")]), None),
    ];
    for (what, change, expected) in rows {
        let mut place = Place::new();
        place.layer();
        change(&mut place);
        let told = place.layer().built.map(|reason| reason.to_string());
        assert_eq!(told.as_deref(), *expected, "{what}");
        assert_eq!(place.layer().built, None, "{what}, again");
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
        let to = place.params.search.places[0].join(name);
        std::fs::create_dir(&to).unwrap();
        std::fs::write(to.join("ovl.toml"), "description = 'x'").unwrap();
        std::fs::create_dir(to.join("default")).unwrap();
        std::fs::write(to.join("default").join(name), name.repeat(10_000)).unwrap();
    }
    let names = ["o", "p", "q", "r", "s"];
    let planned = plan(&place.params.search, &names).unwrap();
    let digests = |threads: usize, store: &str| {
        let store = Store::open(&place.root.path().join(store)).unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let layers = pool.install(|| layers(&planned, &place.params, &store)).unwrap();
        layers.iter().map(|l| (l.name.clone(), l.blob.digest)).collect::<Vec<_>>()
    };
    let one = digests(1, "one");
    assert_eq!(one, digests(16, "many"));
    assert_eq!(one.iter().map(|(n, _)| n.as_str()).collect::<Vec<_>>(), names);
}
