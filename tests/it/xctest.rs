//! The shell library for tests, `ovl/test`: each function in the shells that source it, and a test
//! script by it on a real cluster.

use std::path::PathBuf;
use std::process::Command;

use xc_harness::{Case, Need};

use crate::common::need::QEMU;
use crate::common::{Workspace, tool};

/// A shell that has to take it.
type Shell = &'static [&'static str];

/// Debian's, the nodes', and what authors have.
const SHELLS: [Shell; 3] = [&["dash"], &["busybox", "sh"], &["bash"]];

/// A test for each shell.
fn in_every_shell(body: impl Fn(Shell) + Copy + Send + 'static) -> Vec<Case> {
    let case =
        |shell: Shell| Case::new(shell[0], move || body(shell)).needs(&[Need::Program(shell[0])]);
    SHELLS.map(case).into()
}

fn library() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("ovl/test/default/usr/lib/xctest")
}

/// Runs a script that has sourced the library; gives exit code, stdout less times of day, stderr.
fn run(shell: &[&str], script: &str, variables: &[(&str, &str)]) -> (i32, String, String) {
    let line = format!("set -u\n. {}\n{script}\n", library().display());
    let path = std::env::var_os("PATH").unwrap();
    let program = std::env::split_paths(&path).map(|d| d.join(shell[0])).find(|p| p.is_file());
    let mut command = Command::new(program.unwrap());
    command.args(&shell[1..]).args(["-c", &line, "./mine.sh"]).env_clear();
    command.env("PATH", path);
    let done = command.envs(variables.iter().copied()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let timed =
        |line: &str| line.as_bytes().get(2) == Some(&b':') && line.as_bytes()[0].is_ascii_digit();
    let untimed = |line: &str| if timed(line) { line[9..].to_owned() } else { line.to_owned() };
    let lines: Vec<String> = text(&done.stdout).lines().map(untimed).collect();
    (done.status.code().unwrap(), lines.join("|"), text(&done.stderr).trim_end().replace('\n', "|"))
}

/// Judges rows of script, exit code, log (stdout) and summary (stderr) in a shell.
fn judge(shell: Shell, rows: &[(&str, i32, &str, &str)], variables: &[(&str, &str)]) {
    for (script, code, log, summary) in rows {
        let (was_code, was_log, was_summary) = run(shell, script, variables);
        let was = (was_code, was_log.as_str(), was_summary.as_str());
        assert_eq!(was, (*code, *log, *summary), "{shell:?}: {script}");
    }
}

/// Judges rows of script, exit code and log, with a text before and after each script.
fn judge_within(
    shell: Shell,
    (before, after): (&str, &str),
    rows: &[(&str, i32, &str)],
    variables: &[(&str, &str)],
) {
    let scripts: Vec<_> = rows.iter().map(|(s, _, _)| format!("{before}{s}{after}")).collect();
    let row = |((_, code, log), script): (&(_, i32, _), _)| (script, *code, *log, "");
    let rows: Vec<_> = rows.iter().zip(scripts.iter().map(String::as_str)).map(row).collect();
    judge(shell, &rows, variables);
}

#[tests]
fn functions_of_nodes_and_host_do_what_the_contract_says() -> Vec<Case> {
    in_every_shell(functions_of_nodes_and_host)
}

fn functions_of_nodes_and_host(shell: Shell) {
    judge(
        shell,
        &[
            ("tlog a  'b c'", 0, "a b c", ""),
            ("tcase the title; echo on", 0, "=== the title|on", "  the title"),
            (
                "tcase x; tdie no good; echo on",
                1,
                "=== x|FAILED: x: no good",
                "  x|FAILED: x: no good",
            ),
            ("tdie; echo on", 1, "FAILED: no reason given", "FAILED: no reason given"),
            // tex: until it succeeds, by tries and by time.
            ("__interval=0; n=0; tex 'n=$((n+1)); test $n -eq 3'; echo $? $n", 0, "0 3", ""),
            (
                "__interval=0 __retries=2; n=0; tex 'n=$((n+1)); false' || echo $n",
                0,
                "gave up: n=$((n+1)); false|2",
                "",
            ),
            (
                "__timeout=0; n=0; tex 'n=$((n+1)); false' || echo $n",
                0,
                "gave up: n=$((n+1)); false|1",
                "",
            ),
            ("tex test -d / && echo yes", 0, "yes", ""),
            // What the library calls its own hides nothing of the script's.
            (
                "now=5 end=6 tries=7 __interval=0; f() { end=8; test $now$tries = 57; }; tex f; echo $end",
                0,
                "8",
                "",
            ),
            ("depth=1; push depth 2; echo $depth; pop depth; echo $depth", 0, "2|1", ""),
            // Stacks.
            (
                "v=1; push v 2; push v '3 4'; echo $v; pop v; echo $v; pop v; echo $v",
                0,
                "3 4|2|1",
                "",
            ),
            ("push new x; echo $new; pop new; echo \"[$new]\"", 0, "x|[]", ""),
            ("v=1; pop v; echo on", 1, "FAILED: pop v without push", "FAILED: pop v without push"),
            (
                "pushv 60 5 2; echo $__timeout $__retries $__interval; pushv 7; echo $__timeout $__retries; popv; popv; echo $__timeout $__retries $__interval",
                0,
                "60 5 2|7 5|10 10 1",
                "",
            ),
            // ogrep: the input is in the log, the exit code is grep's.
            ("printf 'a\\nb\\n' | ogrep b; echo $?", 0, "a|b|0", ""),
            ("printf 'a\\nb\\n' | ogrep -E '^c'; echo $?", 0, "a|b|1", ""),
            (
                "hostname() { echo vm-008; }; mynode; hostname() { echo vm-221; }; mynode",
                0,
                "8|221",
                "",
            ),
            (
                "uname() { echo Linux 6.1; }; ip() { echo v1; echo more; }; log_version ip",
                0,
                "Linux 6.1|ip: v1",
                "",
            ),
            (
                "ip() { echo ip \"$@\"; }; vip_route; vip_route 10.1.1.1 192.168.3.202",
                0,
                "ip route replace 10.0.0.0/32 via 192.168.2.201|ip -6 route replace 1000::1:10.0.0.0/128 via 1000::1:192.168.2.201|ip route replace 10.1.1.1/32 via 192.168.3.202|ip -6 route replace 1000::1:10.1.1.1/128 via 1000::1:192.168.3.202",
                "",
            ),
        ],
        &[],
    );
}

/// With a program in place of xcbuild, which says what it was asked; a real one is in the test below.
#[tests]
fn functions_of_the_host_ask_xcbuild() -> Vec<Case> {
    in_every_shell(functions_of_the_host)
}

fn functions_of_the_host(shell: Shell) {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("xc");
    let script = "#!/bin/sh\necho \"xc $*\" >>$ASKED\ncase \"$*\" in\n'rsh 9 '*) exit 1 ;;\n\
                  status) printf 'alive 1\\ndead  201\\nAlive; 1\\n'; exit 1 ;;\nesac\n";
    std::fs::write(&program, script).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&program, mode).unwrap();
    let asked = dir.path().join("asked");
    let variables = [("XCLUSTER", program.to_str().unwrap()), ("ASKED", asked.to_str().unwrap())];
    let show = "; tr '\\n' '|' <$ASKED; rm $ASKED";
    let rows = [
        ("rsh 1 ls -l /; rcp 2 /etc/x y", 0, "xc rsh 1 ls -l /|xc rcp 2 /etc/x y|"),
        ("check_vm 1 2", 0, "xc rsh 1 true|xc rsh 2 true|"),
        ("check_vm", 0, "xc status|xc rsh 1 true|xc rsh 201 true|"),
        (
            "(otc 1 first 'ping 2') 2>/dev/null >&2",
            0,
            "xc rsh 1 mine_test tcase_first|xc rsh 1 mine_test tcase_ping 2|",
        ),
        ("(otcprog=other; otc 1 a) 2>/dev/null >&2", 0, "xc rsh 1 other tcase_a|"),
        ("(otc 9 a b) >/dev/null 2>&1; echo $?", 0, "1|xc rsh 9 mine_test tcase_a|"),
        (
            "BASEOVLS='x y' XOVLS=z; xcluster_start mine .",
            0,
            "xc mkcdrom env x y mine . z test|xc starts|xc status|xc rsh 1 true|xc rsh 201 true|",
        ),
        (
            "__xterm=yes; xcluster_start",
            0,
            "xc mkcdrom env test|xc start|xc status|xc rsh 1 true|xc rsh 201 true|",
        ),
        ("xcluster_prep; xcluster_stop", 0, "xc stop|"),
        ("touch $ASKED; __no_stop=yes; xcluster_stop", 0, ""),
    ];
    judge_within(shell, ("", show), &rows, &variables);
}

/// Kubernetes does not run here: a `kubectl` that says what it was asked, and answers as one does.
#[tests]
fn functions_for_kubernetes_ask_kubectl() -> Vec<Case> {
    in_every_shell(functions_for_kubernetes)
}

fn functions_for_kubernetes(shell: Shell) {
    let kubectl = "kubectl() { case \"$*\" in\n\
        'get pods -o name'*) printf 'pod/a\\npod/b\\n' ;;\n\
        'get deployment'*none) ;;\n\
        'get deployment'*) printf 3 ;;\n\
        'get nodes'*) printf 'vm-001 Ready <none> 1d\\nvm-002 NotReady <none> 1d\\nvm-003 Ready,SchedulingDisabled <none> 1d\\n' ;;\n\
        *) echo \"asked $*\" ;; esac; }\n";
    let rows = [
        ("npods -l app=x", 0, "2"),
        ("nreplicas x; nreplicas none", 0, "3|0"),
        ("get_pod -l app=x", 0, "asked get pods -o jsonpath={.items[0].metadata.name} -l app=x"),
        ("kubectl_exec p ls -l", 0, "asked exec p -- ls -l"),
        ("test_deployment x", 0, "asked rollout status deployment/x --timeout=10s"),
        ("test_daemonset x -n y", 0, "asked rollout status daemonset/x --timeout=10s -n y"),
        ("test_statefulset x", 0, "asked rollout status statefulset/x --timeout=10s"),
        ("test_nodes 1 && ! test_nodes 2", 0, ""),
    ];
    judge_within(shell, (kubectl, ""), &rows, &[("kubectl", "kubectl")]);
}

#[tests]
fn without_kubectl_a_node_is_asked() -> Vec<Case> {
    // On a path where no program is: this machine may have a kubectl.
    let variables = [("XCLUSTER", "xc"), ("PATH", "/nonexistent")];
    in_every_shell(move |shell| {
        judge(shell, &[("echo $kubectl", 0, "rsh 1 kubectl", "")], &variables)
    })
}

#[test(needs = [Need::Program("shellcheck")])]
fn shellcheck_finds_nothing() {
    // `local` is in all three shells; files that are sourced are looked at on their own.
    let library = library();
    tool::run("shellcheck", &["-s", "dash", "-e", "SC3043", library.to_str().unwrap()]);
    let templates = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("templates/tested");
    for script in ["@NAME@.sh", "default/bin/@NAME@_test"] {
        let path = templates.join(script);
        tool::run("shellcheck", &["-e", "SC1090,SC1091", path.to_str().unwrap()]);
    }
}

/// What `mkovl --template=tested` makes is tested by its manifest, and by its script with `otc`.
#[test(needs = [QEMU], serial)]
fn a_tested_overlay_is_tested_both_ways() {
    let mut workspace = Workspace::new();
    let overlays = workspace.home().join("ovl");
    workspace.set("XCLUSTER_OVLPATH", overlays.display().to_string());
    workspace.set("XCLUSTER", env!("CARGO_BIN_EXE_xcbuild"));
    let cluster = workspace.cluster();
    workspace.ok(&["mkovl", "--template=tested", "mine"]);
    // It also builds the base image, which the script takes for granted.
    let table = workspace.ok(&["test", "--nvm=1", "--nrouters=0", "mine"]);
    assert!(table.ends_with("1 passed, 0 failed, 0 skipped, 0 errors\n"), "{table}");
    let script = overlays.join("mine/mine.sh");
    let test = |arguments: &[&str]| {
        let mut command = Command::new("sh");
        command.arg(&script).args(arguments).env_clear().envs(workspace.environment());
        command.output().unwrap()
    };
    assert_eq!(String::from_utf8_lossy(&test(&["test", "--list"]).stdout), "basic\n");
    assert_eq!(test(&["test", "--nosuch"]).status.code(), Some(1));
    let done = test(&["test"]);
    let (log, summary) =
        (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{log}{summary}");
    for line in ["basic", "node 1: installed", "node 1: ping 2", "node 2 answers"] {
        assert!(summary.contains(&format!("  {line}\n")), "{line}: {summary}");
    }
    workspace.xcbuild(&["status"]).assert().code(0);
    drop(cluster);
}
