//! Overlays as the public ones are, their variables, their order, and the ISO that they give.

use std::path::{Path, PathBuf};

use xc_harness::{Case, Need};

use crate::common::{Workspace, tool};

/// What one of the public-style overlays compiles by.
pub(super) const GCC: Need = Need::Program("gcc");

/// Where the public-style overlays are.
pub(super) fn place() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/overlays")
}

/// Lets a workspace find the overlays, and the archive that one of them wants.
pub(super) fn with_overlays(mut workspace: Workspace) -> Workspace {
    let archive = workspace.home().join("archive");
    let tool_directory = archive.join("mytool-1.0");
    std::fs::create_dir_all(&tool_directory).unwrap();
    std::fs::write(tool_directory.join("mytool"), "#! /bin/sh\necho mytool 1.0\n").unwrap();
    tool::run("chmod", &["+x", tool_directory.join("mytool").to_str().unwrap()]);
    let tar = archive.join("mytool-1.0.tar.gz");
    let at = ["-C", archive.to_str().unwrap()];
    tool::run("tar", &[&at[..], &["-czf", tar.to_str().unwrap(), "mytool-1.0"]].concat());
    workspace.set("ARCHIVE", archive.to_str().unwrap());
    workspace.set("XCLUSTER_OVLPATH", place().to_str().unwrap());
    workspace
}

fn workspace() -> Workspace {
    with_overlays(Workspace::fresh())
}

/// The names in the ISO's root.
fn names(workspace: &Workspace, iso: &str) -> Vec<String> {
    let list = workspace.ok(&["iso", "ls", iso.trim()]);
    let paths = list.lines().filter_map(|line| line.split_whitespace().last());
    let tops = paths.map(|path| path.trim_start_matches('/')).filter(|path| !path.contains('/'));
    tops.filter(|name| !name.is_empty()).map(ToOwned::to_owned).collect()
}

/// What a tar in the ISO has, with contents.
struct Tars(tempfile::TempDir);

impl Tars {
    fn of(workspace: &Workspace, iso: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let to = directory.path().to_str().unwrap();
        workspace.ok(&["iso", "extract", "-C", to, iso.trim()]);
        Self(directory)
    }

    fn list(&self, tar: &str) -> Vec<String> {
        let said = tool::run("tar", &["-tf", self.0.path().join(tar).to_str().unwrap()]);
        said.lines().map(|l| l.trim_start_matches("./").trim_end_matches('/').to_owned()).collect()
    }

    fn read(&self, tar: &str, path: &str) -> String {
        let tar = self.0.path().join(tar);
        let to = tar.with_extension("d");
        std::fs::create_dir_all(&to).unwrap();
        tool::run("tar", &["-C", to.to_str().unwrap(), "-xf", tar.to_str().unwrap()]);
        std::fs::read_to_string(to.join(path)).unwrap()
    }
}

#[test(needs = [GCC])]
fn public_style_overlays_are_built_with_their_content() {
    let mut workspace = workspace();
    workspace.set("SETUP", "fancy,none");
    let overlays = ["hello-c", "host-tools", "variants", "borrower", "packaged"];
    let arguments = [&["mkcdrom", "--layout=tar"][..], &overlays].concat();
    let built = workspace.xcbuild(&arguments).assert().success();
    let iso = String::from_utf8(built.get_output().stdout.clone()).unwrap();
    let tars = Tars::of(&workspace, &iso);
    let has = |tar: &str, path: &str| {
        assert!(tars.list(tar).iter().any(|p| p == path), "{path} in {:?}", tars.list(tar))
    };
    has("00hello-c.tar", "bin/hello-c");
    has("01host-tools.tar", "bin/bash");
    has("01host-tools.tar", "opt/tool");
    assert_eq!(tars.read("02variants.tar", "etc/variant"), "fancy\n", "a variant over default");
    let env = tars.read("02variants.tar", "etc/variant.env");
    assert!(env.starts_with("setup=fancy,none "), "{env}");
    assert_eq!(tars.read("03borrower.tar", "etc/borrowed"), "bin\netc\n");
    assert_eq!(tars.read("03borrower.tar", "etc/variant"), "fancy\n", "another overlay's tar");
    has("03borrower.tar", "etc/localtime");
    assert_eq!(
        tars.read("04packaged.tar", "opt/mytool-1.0/mytool"),
        "#! /bin/sh\necho mytool 1.0\n"
    );
    // What fails says which overlay, and what it said.
    workspace.set("ARCHIVE", "/nonexistent");
    let said = workspace.fails(&["mkcdrom", "packaged"], 1);
    assert!(
        said.contains("packaged") && said.contains("Not readable [/nonexistent/mytool-1.0.tar.gz]"),
        "{said}"
    );
}

#[test]
fn overlays_are_numbered_in_order_and_each_is_taken_once() {
    let mut workspace = workspace();
    let outside = workspace.home().join("outside");
    std::fs::create_dir_all(outside.join("default/etc")).unwrap();
    std::fs::write(outside.join("ovl.toml"), "description = \"by its path\"\n").unwrap();
    let path = outside.to_str().unwrap();
    let iso = workspace.ok(&["mkcdrom", "--layout=tar", "variants", path, "env", "variants"]);
    assert_eq!(names(&workspace, &iso), ["00variants.tar", "01outside.tar", "02env.tar"]);
    let iso = workspace.ok(&["mkcdrom", "env", "variants"]);
    assert_eq!(names(&workspace, &iso), ["00env", "01variants"], "directories for our own nodes");
    workspace.set("XOVLS", "env variants");
    let iso = workspace.ok(&["mkcdrom", "--layout=tar", "variants"]);
    assert_eq!(names(&workspace, &iso), ["00variants.tar", "01env.tar"], "XOVLS are always added");
    let mut here = workspace.xcbuild(&["mkcdrom", "--layout=tar", "."]);
    let done = here.current_dir(place().join("variants")).assert().success();
    let iso = String::from_utf8(done.get_output().stdout.clone()).unwrap();
    assert_eq!(names(&workspace, &iso), ["00variants.tar", "01env.tar"], "where one stands");
    assert_eq!(
        workspace.ok(&["ovld", "variants"]).trim(),
        place().join("variants").to_str().unwrap()
    );
}

#[test]
fn the_first_place_on_the_path_wins_and_ours_come_last() {
    let mut workspace = workspace();
    let own = workspace.home().join("own");
    for name in ["variants", "iptools"] {
        std::fs::create_dir_all(own.join(name)).unwrap();
        std::fs::write(own.join(name).join("ovl.toml"), "description = \"mine\"\n").unwrap();
    }
    workspace.set("XCLUSTER_OVLPATH", format!("{}:{}", own.display(), place().display()));
    for (name, directory) in [("variants", &own), ("iptools", &own), ("packaged", &place())] {
        assert_eq!(workspace.ok(&["ovld", name]).trim(), directory.join(name).to_str().unwrap());
    }
    assert!(workspace.ok(&["ovld", "xnet"]).trim().ends_with("/xnet"), "one of our own");
}

#[tests]
fn tar_files_of_every_compression_are_overlays() -> Vec<Case> {
    let case = |(ending, option, program)| {
        Case::new(ending, move || packed_is_an_overlay(ending, option))
            .needs(&[Need::Program(program)])
    };
    [
        ("tar", "-c", "tar"),
        ("tar.gz", "-cz", "gzip"),
        ("tar.bz2", "-cj", "bzip2"),
        ("tar.xz", "-cJ", "xz"),
        ("tar.zst", "--zstd", "zstd"),
    ]
    .map(case)
    .into()
}

fn packed_is_an_overlay(ending: &str, option: &str) {
    let workspace = workspace();
    let content = workspace.home().join("content/etc");
    std::fs::create_dir_all(&content).unwrap();
    std::fs::write(content.join("packed"), "packed\n").unwrap();
    let content = content.parent().unwrap();
    let tar = workspace.home().join(format!("packed.{ending}"));
    let (tar, from) = (tar.to_str().unwrap(), content.to_str().unwrap());
    let option = if option == "--zstd" { vec!["--zstd", "-c"] } else { vec![option] };
    tool::run("tar", &[&["-C", from][..], &option, &["-f", tar, "."]].concat());
    let iso = workspace.ok(&["mkcdrom", "--layout=tar", tar]);
    let tars = Tars::of(&workspace, &iso);
    assert_eq!(tars.read("00packed.tar", "etc/packed"), "packed\n");
}

#[test]
fn the_iso_has_label_script_and_cidata_and_nothing_removes_it() {
    let workspace = workspace();
    let label = |iso: &str| {
        let bytes = std::fs::read(iso.trim()).unwrap();
        String::from_utf8_lossy(&bytes[32_808..32_840]).trim_end().to_owned()
    };
    assert_eq!(label(&workspace.ok(&["mkcdrom", "variants"])), "xcluster");
    assert_eq!(label(&workspace.ok(&["mkcdrom", "--label=other", "variants"])), "other");
    let script = workspace.home().join("script.sh");
    std::fs::write(&script, "#! /bin/sh\necho x\n").unwrap();
    let script = format!("--script={}", script.display());
    let iso = workspace.ok(&["mkcdrom", "--layout=tar", &script, "variants"]);
    assert_eq!(names(&workspace, &iso), ["00variants.tar", "script"]);
    let cidata = workspace.home().join("cidata");
    std::fs::create_dir(&cidata).unwrap();
    for name in ["meta-data", "user-data"] {
        std::fs::write(cidata.join(name), "x: y\n").unwrap();
    }
    let cidata = format!("--cidata={}", cidata.display());
    let iso = workspace.ok(&["mkcdrom", "--layout=tar", &cidata, "variants"]);
    assert_eq!(names(&workspace, &iso), ["00variants.tar", "meta-data", "user-data"]);
    assert_eq!(label(&iso), "cidata");
    // Without overlays there is still something to put into it.
    let iso = workspace.ok(&["mkcdrom", &script]);
    assert_eq!(names(&workspace, &iso), ["script"]);
    assert_eq!(workspace.ok(&["mkcdrom"]), "");
    assert!(!Path::new(iso.trim()).exists(), "without anything, mkcdrom removes the ISO");
}

#[test(needs = [Need::Program("isoinfo")])]
fn the_iso_has_joliet_and_rock_ridge() {
    let workspace = workspace();
    let script = workspace.home().join("script.sh");
    std::fs::write(&script, "#! /bin/sh\necho x\n").unwrap();
    let iso = workspace.ok(&["mkcdrom", &format!("--script={}", script.display())]);
    let said = tool::run("isoinfo", &["-d", "-i", iso.trim()]);
    assert!(said.contains("Joliet") && said.contains("Rock Ridge"), "{said}");
}

#[test]
fn scripts_get_the_contracts_variables() {
    let mut workspace = Workspace::fresh();
    let overlay = workspace.home().join("vars");
    std::fs::create_dir(&overlay).unwrap();
    let names = "XCLUSTER XCLUSTER_HOME XCLUSTER_WORKSPACE XCLUSTER_TMP XCLUSTER_OVLPATH ARCHIVE \
                 KERNELDIR GOPATH SETUP TOPOLOGY TEST USER HOME __nvm __nets_vm __ntesters __mem \
                 __my_own xcluster_FOO __cdrom __image __kbin";
    let script = format!(
        "#! /bin/sh\nset -e\nd=$(mktemp -d)\nfor n in {names}; do\n\
         eval \"v=\\$$n\"\ntest -n \"$v\" || {{ echo \"no $n\" >&2; exit 1; }}\n\
         echo \"$n=$v\" >>$d/vars\ndone\ntar -C $d -cf \"$1\" .\nrm -r $d\n"
    );
    std::fs::write(overlay.join("tar"), script).unwrap();
    tool::run("chmod", &["+x", overlay.join("tar").to_str().unwrap()]);
    let path = overlay.to_str().unwrap().to_owned();
    let home = workspace.home().to_str().unwrap().to_owned();
    workspace.set("XCLUSTER_OVLPATH", home);
    for (name, value) in [
        ("GOPATH", "/go"),
        ("SETUP", "a,b"),
        ("TOPOLOGY", "diamond"),
        ("TEST", "yes"),
        ("USER", "kim"),
        ("__my_own", "1 2"),
        ("xcluster_FOO", "bar"),
    ] {
        workspace.set(name, value);
    }
    let iso = workspace.ok(&["mkcdrom", "--layout=tar", "--nvm=3", "--ntesters=2", &path]);
    let vars = Tars::of(&workspace, &iso).read("00vars.tar", "vars");
    for expected in [
        &format!("XCLUSTER={}", env!("CARGO_BIN_EXE_xcbuild")),
        &format!("ARCHIVE={}", workspace.home().join("Downloads").display()),
        "SETUP=a,b",
        "TOPOLOGY=diamond",
        "TEST=yes",
        "USER=kim",
        "GOPATH=/go",
        "__nvm=3",
        "__ntesters=2",
        "__mem=128",
        "__my_own=1 2",
        "xcluster_FOO=bar",
    ] {
        assert!(vars.lines().any(|l| l == expected), "{expected} in {vars}");
    }
}

#[test(slow)]
fn scripts_can_be_called_by_hand() {
    let workspace = workspace();
    let call = |directory: &Path| {
        let mut shell = assert_cmd::Command::new("sh");
        shell.args(["-c", "./tar - | tar t"]).current_dir(directory).env_clear();
        shell.envs(workspace.environment()).env("XCLUSTER", env!("CARGO_BIN_EXE_xcbuild"));
        String::from_utf8(shell.assert().success().get_output().stdout.clone()).unwrap()
    };
    assert!(call(&place().join("variants")).contains("etc/variant\n"));
    // Those of xcbuild's own have a manifest, and a tar for those who call it.
    for name in ["network-topology", "env", "test"] {
        let directory = workspace.ok(&["ovld", name]);
        assert!(!call(Path::new(directory.trim())).is_empty(), "{name}");
    }
}

#[test]
fn overlays_are_cached_by_hand_as_the_contract_has_it() {
    let mut workspace = workspace();
    let env = workspace.ok(&["env"]);
    let cached = env.lines().find_map(|l| l.strip_prefix("__cached=")).unwrap().to_owned();
    workspace.ok(&["cache", "variants", "env"]);
    assert!(Path::new(&cached).join("default/variants.tar.xz").is_file());
    workspace.set("SETUP", "fancy");
    workspace.ok(&["cache", "variants"]);
    let tar = Path::new(&cached).join("fancy/variants.tar.xz");
    let said = tool::run("tar", &["-xOf", tar.to_str().unwrap(), "etc/variant"]);
    assert_eq!(said, "fancy\n");
    assert_eq!(workspace.ok(&["cache", "--list"]), "variants\n");
    workspace.ok(&["cache", "--clear", "variants"]);
    assert!(!tar.exists());
}
