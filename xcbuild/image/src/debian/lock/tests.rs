//! The lock file: stable, and damage named.

use super::{Digest, HEADER, LockError, LockFile, Package, PackageSet, Question};

fn package(name: &str, version: &str) -> Package {
    Package {
        name: name.to_owned(),
        version: version.to_owned(),
        architecture: "amd64".to_owned(),
        file: format!("{name}_{version}_amd64.deb"),
        size: 7,
        sha256: Digest::of(format!("{name}{version}").as_bytes()),
    }
}

fn question(wants: &[&str], over: Option<Digest>) -> Question {
    Question { wants: wants.iter().map(|w| (*w).to_owned()).collect(), without: vec![], over }
}

fn two_sets() -> LockFile {
    let mut lock = LockFile::default();
    let base = PackageSet::new(vec![package("libc6", "2.36-9"), package("busybox", "1:1.35")]);
    let over = Some(base.digest());
    lock.put(question(&["busybox"], None), base);
    let upper = PackageSet::new(vec![package("jq", "1.6"), package("libc6", "2.36-9")]);
    lock.put(question(&["jq"], over), upper);
    lock
}

#[test]
fn the_file_is_stable_and_comes_back() {
    let lock = two_sets();
    let text = lock.render();
    assert_eq!(LockFile::parse(&text).unwrap(), lock);
    insta::assert_snapshot!(text.strip_prefix(HEADER).unwrap(), @r#"
    version = 1

    [[set]]
    wants = ["busybox"]
    packages = [
        "busybox=1:1.35",
        "libc6=2.36-9",
    ]

    [[set]]
    wants = ["jq"]
    over = "fa41c23c8f1202220d4991c500dc0880c14cb92d2b96fb3170e74430bb754e6d"
    packages = [
        "jq=1.6",
        "libc6=2.36-9",
    ]

    [[package]]
    name = "busybox"
    version = "1:1.35"
    architecture = "amd64"
    file = "busybox_1:1.35_amd64.deb"
    size = 7
    sha256 = "83bb24797308bddca3673c9bdccc827bd5cd75516a8c31f3c51ab33229bf134a"

    [[package]]
    name = "jq"
    version = "1.6"
    architecture = "amd64"
    file = "jq_1.6_amd64.deb"
    size = 7
    sha256 = "e25c2035923c307a8faa5ec108a84297df184f812baceff886184ade7a169de8"

    [[package]]
    name = "libc6"
    version = "2.36-9"
    architecture = "amd64"
    file = "libc6_2.36-9_amd64.deb"
    size = 7
    sha256 = "3c2446d026b7c35e217f2461831b1e1f7545a918c30cde78e8080439b06f297b"
    "#);
    assert_eq!(lock.packages().len(), 3);
}

#[test]
fn damage_is_named() {
    let text = two_sets().render();
    let error = |text: &str| LockFile::parse(text).unwrap_err().to_string();
    insta::assert_snapshot!(error(&text.replace("version = 1\n", "version = 2\n")), @"it has version 2; this xcbuild knows version 1");
    insta::assert_snapshot!(error(&text.replace("name = \"jq\"", "name = \"yq\"")), @"it is damaged: a set names `jq=1.6`, which is not in the file");
    let short = text.replace("sha256 = \"", "sha256 = \"0");
    assert!(matches!(LockFile::parse(&short), Err(LockError::Syntax(_))));
    assert!(matches!(LockFile::parse(""), Err(LockError::Syntax(_))));
}

#[test]
fn sets_are_forgotten_by_package() {
    let names = |n: &[&str]| n.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
    let mut lock = two_sets();
    assert_eq!(lock.forget(&names(&["jq", "nothing"])), ["nothing"]);
    assert_eq!(lock.sets.len(), 1);
    let mut lock = two_sets();
    assert_eq!(lock.forget(&names(&["libc6"])), Vec::<&str>::new());
    assert!(lock.sets.is_empty());
    let mut lock = two_sets();
    lock.forget(&[]);
    assert!(lock.sets.is_empty());
}
