//! `xcbuild test`: overlays' tests on clusters of their own, and what CI reads of them.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::Stdio;

use xc_harness::{Fixture, Need};

use crate::common::capture::tshark;
use crate::common::need::{QEMU, TAPS, TSHARK};
use crate::common::schema::SCHEMA;
use crate::common::{Workspace, schema, tool};

/// The library that reads JUnit files.
const JUNITPARSER: Need =
    Need::File("/usr/lib/python3/dist-packages/junitparser/__init__.py", "python3-junitparser");

/// An overlay with a case of every ending, and a start script that fails. Its second node dies, by a way in which its qemu ends.
const MANY: &str = r#"
[[file]]
path = "/etc/init.d/50odd.rc"
mode = "755"
text = "exit 3"
[[test.case]]
name = "both are there"
nodes = ["vms"]
run = "hostname"
matches = '^vm-00[12]$'
[[test.case]]
name = "takes an address"
nodes = ["vms"]
run = "ip link set eth1 up && ip addr add 10.0.9.$(hostname | cut -c6)/24 dev eth1"
[[test.case]]
name = "talks"
run = "ping -c 1 -w 60 10.0.9.2"
[[test.case]]
name = "fails"
run = "echo 'a <b>' >&2; exit 3"
[[test.case]]
name = "can't be done here"
run = "echo no such hardware; exit 77"
[[test.case]]
name = "needs a thing"
run = "true"
needs = "test -x /bin/nosuch"
[[test.case]]
name = "comes later"
run = "cat /tmp/later || { (sleep 1; echo here >/tmp/later) >/dev/null 2>&1 & false; }"
contains = "here"
every = 1
[[test.case]]
name = "dies"
nodes = [2]
run = "echo o >/proc/sysrq-trigger; sleep 600"
[[test.case]]
name = "goes on"
nodes = ["vms"]
run = "true"
"#;

fn overlay(workspace: &Workspace, name: &str, cases: &str) {
    let directory = workspace.home().join("ovl").join(name);
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("ovl.toml"), format!("description = 'x'\n{cases}")).unwrap();
}

fn with_overlays() -> Workspace {
    let mut workspace = Workspace::new();
    let path = workspace.home().join("ovl").display().to_string();
    workspace.set("XCLUSTER_OVLPATH", path);
    workspace.set("__nrouters", "0");
    workspace.set("__nvm", "2");
    workspace
}

/// Nothing runs any more, and the ISOs of the clusters are gone.
fn assert_nothing_left(workspace: &Workspace) {
    assert_eq!(workspace.ok(&["ps"]).lines().count(), 1);
    let left = std::fs::read_dir(workspace.home().join("xcluster/xcluster/tmp")).unwrap();
    let left: Vec<_> = left.map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|n| !n.to_str().unwrap().ends_with(".iso")), "{left:?}");
    // All that was started in this workspace has this in its environment: qemus, helpers of captures.
    let mark = format!("XCBUILD_RUN={}\0", workspace.run_directory().display());
    for process in std::fs::read_dir("/proc").unwrap().flatten().map(|p| p.path()) {
        let environment = std::fs::read(process.join("environ")).unwrap_or_default();
        let line = std::fs::read(process.join("cmdline")).unwrap_or_default();
        let ours = String::from_utf8_lossy(&environment).contains(&mark);
        assert!(!ours, "left: {}", String::from_utf8_lossy(&line).replace('\0', " "));
    }
}

/// What `xcbuild test` has left of two clusters at once, of which one has every ending that a case can
/// have.
struct Tested {
    workspace: Workspace,
    table: String,
    said: String,
}

impl Tested {
    fn junit(&self) -> PathBuf {
        self.workspace.home().join("junit.xml")
    }

    fn kept(&self) -> PathBuf {
        self.workspace.home().join("kept")
    }
}

static TESTED: Fixture<Tested> = Fixture::new(&[QEMU], || {
    let workspace = with_overlays();
    let _cluster = workspace.cluster();
    overlay(&workspace, "many", MANY);
    overlay(&workspace, "good", "[test]\ncommand = 'true'\n");
    let mut tested = Tested { workspace, table: String::new(), said: String::new() };
    let options = [
        format!("--junit={}", tested.junit().display()),
        format!("--artifacts={}", tested.kept().display()),
    ];
    let options = ["--parallel=2", "--capture", &options[0], &options[1]];
    let run = [&["test", "--base="][..], &options, &["good", "many"]].concat();
    let done = tested.workspace.xcbuild(&run).assert().code(1);
    tested.table = String::from_utf8_lossy(&done.get_output().stdout).into_owned();
    tested.said = String::from_utf8_lossy(&done.get_output().stderr).into_owned();
    tested
});

#[test(on = &TESTED)]
fn cases_end_in_a_table_and_clusters_are_gone() {
    let tested = TESTED.get();
    let (table, said) = (&tested.table, &tested.said);
    for line in
        ["fails vm-001 FAILED", "dies vm-002 ERROR", "goes on vm-002 ERROR", "works vm-001 passed"]
    {
        assert!(squeezed(table).contains(line), "{line}: {table}");
    }
    let [many, warned] =
        ["WARNING: cluster `test-many-", "`: vm-001: 50odd.rc ended with status 3"];
    assert!(said.lines().any(|l| l.starts_with(many) && l.ends_with(warned)), "{said}");
    assert!(table.ends_with("8 passed, 1 failed, 2 skipped, 2 errors\n"), "{table}");
    assert_nothing_left(&tested.workspace);
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test(on = &TESTED, needs = [SCHEMA])]
fn the_junit_file_agrees_with_a_consumers_schema() {
    schema::agrees(&TESTED.get().junit());
}

/// Reads the file as CI tools do, and compares what it counts with what the file says of itself.
#[test(on = &TESTED, needs = [JUNITPARSER])]
fn a_reader_of_junit_files_counts_the_same() {
    let script = r#"
import sys
from junitparser import JUnitXml, Failure, Error, Skipped
xml = JUnitXml.fromfile(sys.argv[1])
said = [(s.name, s.tests, s.failures, s.errors, s.skipped) for s in xml]
xml.update_statistics()
counted = [(s.name, s.tests, s.failures, s.errors, s.skipped) for s in xml]
assert said == counted, (said, counted)
print(counted)
kinds = {Failure: "failure", Error: "error", Skipped: "skipped"}
for suite in xml:
    for case in suite:
        for result in case.result:
            print(case.classname, case.name, kinds[type(result)], result.message)
print([c.system_out for s in xml for c in s if c.name == "fails [vm-001]"])
"#;
    let junit = TESTED.get().junit();
    let said = tool::run("/usr/bin/python3", &["-I", "-c", script, junit.to_str().unwrap()]);
    insta::assert_snapshot!(said, @r"
[('good', 1, 0, 0, 0), ('many', 12, 1, 2, 2)]
many fails [vm-001] failure exit code 3, not 0
many can't be done here [vm-001] skipped no such hardware
many needs a thing [vm-001] skipped it needs `test -x /bin/nosuch`, which does not succeed here
many dies [vm-002] error vm-002 has died: its qemu has ended
many goes on [vm-002] error vm-002 had died before
['a <b>\n']
");
}

/// The artifacts of the cluster that had every ending.
fn artifacts_of_many(tested: &Tested) -> PathBuf {
    let names = std::fs::read_dir(tested.kept()).unwrap().map(|e| e.unwrap().file_name());
    let names: Vec<_> = names.map(|n| n.into_string().unwrap()).collect();
    assert_eq!(names.len(), 2, "a directory for each cluster: {names:?}");
    tested.kept().join(names.iter().find(|n| n.starts_with("test-many-")).unwrap())
}

#[test(on = &TESTED)]
fn artifacts_are_there() {
    let many = artifacts_of_many(&TESTED.get());
    let read = |name: &str| std::fs::read_to_string(many.join(name)).unwrap();
    assert_eq!(read("cases/many/fails.vm-001.log"), "# exit code 3, not 0\na <b>\n");
    assert!(read("junit.xml").contains("tests=\"12\" failures=\"1\" errors=\"2\""));
    assert!(read("logs/vm-002.console.log").contains("vm-002"));
    let topology: serde_json::Value = serde_json::from_str(&read("topology.json")).unwrap();
    assert_eq!(topology["nodes"][1]["name"], "vm-002");
    let status: serde_json::Value = serde_json::from_str(&read("status.json")).unwrap();
    assert_eq!(status["nodes"][1]["condition"], "dead");
    assert!(many.join("cases/many/goes+on.pcapng").exists(), "of the node that is left");
}

#[test(on = &TESTED, needs = [TSHARK])]
fn each_case_has_its_own_frames() {
    let many = artifacts_of_many(&TESTED.get());
    let frames = |case: &str| many.join(format!("cases/many/{case}.pcapng"));
    let icmp = |case: &str| tshark(&frames(case), "icmp", &["frame.interface_name", "ip.src"]);
    let talk = icmp("talks");
    // The reply is the last thing that happens in its case. Nothing of it is in the next.
    assert!(talk.ends_with(&["net1 10.0.9.1".into(), "net1 10.0.9.2".into()]), "{talk:?}");
    assert!(icmp("fails").is_empty());
}

/// A test with `long`, whose case hangs, on networks that a helper sees the frames of; ended by Ctrl-C
/// while that case runs. Gives its workspace, exit code and what it said.
fn interrupted() -> (Workspace, Option<i32>, String) {
    let workspace = with_overlays();
    let _cluster = workspace.cluster();
    let hangs = "[test]\ncommand = 'true'\n[[test.case]]\nname = 'hangs'\nrun = 'sleep 600'\nwithin = 900\n";
    overlay(&workspace, "long", hangs);
    let [junit, kept] = ["junit.xml", "kept"].map(|name| workspace.home().join(name));
    let options =
        [format!("--junit={}", junit.display()), format!("--artifacts={}", kept.display())];
    let words = ["test", "--cluster=long", "--nvm=1", "--base=", "--capture=on-failure"];
    let mut test = workspace
        .command(&words)
        .arg("--net=rootless")
        .args(options)
        .arg("long")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let id = test.id().to_string();
    let mut said = String::new();
    for line in BufReader::new(test.stderr.take().unwrap()).lines().map_while(Result::ok) {
        if line.contains("Passed") {
            tool::run("kill", &["-INT", &id]);
        }
        said += &(line + "\n");
    }
    let code = test.wait().unwrap().code();
    (workspace, code, said)
}

static INTERRUPTED: Fixture<(Workspace, Option<i32>, String)> =
    Fixture::new(&[QEMU, TAPS], interrupted);

/// The cluster goes, and the helper that sees the frames of its bridge; the results until then stay,
/// of the frames those of the case that did not succeed.
#[test(on = &INTERRUPTED)]
fn a_cancelled_test_leaves_no_cluster() {
    let interrupted = INTERRUPTED.get();
    let (workspace, code, said) = &*interrupted;
    assert_eq!(*code, Some(130), "{said}");
    assert_nothing_left(workspace);
    let written = std::fs::read_to_string(workspace.home().join("junit.xml")).unwrap();
    assert!(written.contains("tests=\"2\" failures=\"0\" errors=\"1\""), "{written}");
    let cases = std::fs::read_dir(workspace.home().join("kept/long/cases/long")).unwrap();
    let mut cases: Vec<_> = cases.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    cases.sort_unstable();
    assert_eq!(cases, ["hangs.log", "hangs.pcapng", "works.vm-001.log"]);
}

#[test(on = &INTERRUPTED, needs = [TSHARK])]
fn a_cancelled_test_leaves_whole_captures() {
    let kept = INTERRUPTED.get().0.home().join("kept");
    // It reads the file to its end, which an interrupted write would have spoilt.
    tshark(&kept.join("long/cases/long/hangs.pcapng"), "frame", &["frame.number"]);
}

/// A cluster that comes while the test builds: it is not stopped, and its logs are not taken.
#[test(on = &INTERRUPTED, last)]
fn what_another_xcbuild_has_is_left_alone() {
    let workspace = &INTERRUPTED.get().0;
    let lock = File::create(workspace.run_directory().join("long.lock")).unwrap();
    lock.lock().unwrap();
    let log = workspace.home().join("xcluster/xcluster/tmp/cluster-long/vm-001.console.log");
    std::fs::create_dir_all(log.parent().unwrap()).unwrap();
    std::fs::write(&log, "of the other").unwrap();
    let kept = format!("--artifacts={}", workspace.home().join("kept").display());
    let run = ["test", "--cluster=long", "--nvm=1", "--base=", &kept, "long"];
    let done = workspace.xcbuild(&run).assert().code(1);
    let said = String::from_utf8_lossy(&done.get_output().stderr).into_owned();
    assert!(said.contains("`long` is being started or stopped by another xcbuild"), "{said}");
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "of the other");
}

#[test]
fn what_cannot_be_tested_is_told() {
    let workspace = with_overlays();
    overlay(&workspace, "none", "");
    overlay(&workspace, "wrong", "[[test.case]]\nname = 'a'\nrun = 'x'\nwithin = 'long'\n");
    overlay(&workspace, "one", "topology = 'bridge'\n[test]\ncommand = 'x'\n");
    overlay(&workspace, "two", "topology = 'diamond'\n[test]\ncommand = 'x'\n");
    let none = workspace.fails(&["test", "none"], 1);
    assert!(none.contains("none of these overlays has a [test]"), "{none}");
    let wrong = workspace.fails(&["test", "wrong"], 1);
    assert!(wrong.contains("wrong/ovl.toml:5: invalid type: string \"long\""), "{wrong}");
    let both = workspace.fails(&["test", "one", "two"], 1);
    assert!(both.contains("several topologies (`bridge`, `diamond`)"), "{both}");
}
