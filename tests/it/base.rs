//! The base image: the ways into a node, what is in it, both layouts of overlays, and what is said
//! when a node or a package can't be had.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use xc_harness::Need;

use crate::common::need::{QEMU, succeeds};
use crate::common::{Workspace, tool};

/// As test scripts call ssh, with nothing of the user's own configuration.
const SSH: &[&str] = &[
    "-q",
    "-F",
    "/dev/null",
    "-o",
    "BatchMode=yes",
    "-o",
    "UserKnownHostsFile=/dev/null",
    "-o",
    "StrictHostKeyChecking=no",
];
/// One node, and nobody else. Not node 1, which has more ports on the host.
const ALONE: &[&str] = &["start", "--nvm=0", "--nrouters=0", "--ntesters=1"];
const NODE: &str = "221";

/// A port of the node on the host, by its name in `status --json`.
fn port(workspace: &Workspace, name: &str) -> u16 {
    let status: serde_json::Value =
        serde_json::from_str(&workspace.ok(&["status", "--json"])).unwrap();
    status["nodes"][0][name].as_u64().unwrap().try_into().unwrap()
}

/// An overlay of settings and a script that runs at boot.
fn with_overlay(script: &str) -> Workspace {
    let mut workspace = Workspace::new();
    let overlays = workspace.home().join("ovl");
    let root = overlays.join("odd/default");
    let scripts = root.join("etc/init.d");
    std::fs::create_dir_all(&scripts).unwrap();
    std::fs::create_dir_all(root.join("etc/xcluster_env.d")).unwrap();
    std::fs::write(overlays.join("odd/ovl.toml"), "description = \"For a test\"\n").unwrap();
    std::fs::write(root.join("etc/xcluster_env"), "export TZ=UTC-5 FOO='a b'\n").unwrap();
    std::fs::write(root.join("etc/xcluster_env.d/more.env"), "export BAR=1\n").unwrap();
    let rc = scripts.join("50odd.rc");
    std::fs::write(&rc, script).unwrap();
    std::fs::set_permissions(&rc, std::fs::Permissions::from_mode(0o755)).unwrap();
    workspace.set("XCLUSTER_OVLPATH", overlays.to_str().unwrap());
    workspace
}

#[test(needs = [QEMU, Need::Program("ssh")], serial)]
fn a_node_lets_one_in_and_has_its_tools() {
    let mut workspace = with_overlay("#! /bin/sh\ntest \"$TZ\" = UTC-5\n");
    workspace.set("__access", "open");
    let cluster = workspace.cluster();
    workspace.ok(&["lock", "--update"]);
    for layout in ["--layout=tree", "--layout=tar"] {
        workspace.ok(&["mkcdrom", layout, "odd"]);
        let started = workspace.xcbuild(ALONE).assert().success();
        let said = String::from_utf8_lossy(&started.get_output().stderr).into_owned();
        assert!(!said.contains("50odd.rc"), "rcS gives its scripts the time zone: {said}");
        let node =
            workspace.ok(&["rsh", NODE, "hostname; . /etc/profile; echo $FOO $BAR; date +%z"]);
        assert_eq!(node, "vm-221\na b 1\n+0500\n", "{layout}");
    }
    ssh_copies_files(&workspace);
    telnet_gives_a_shell(&workspace);
    tools_run(&workspace);
    drop(cluster);
}

fn ssh_copies_files(workspace: &Workspace) {
    let there = "root@127.0.0.1:/tmp/there";
    let local = |name: &str| workspace.home().join(name).to_str().unwrap().to_owned();
    let bytes: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    std::fs::write(local("sent"), &bytes).unwrap();
    let port = port(workspace, "ssh_port").to_string();
    let copy = |protocol: &str, from: &str, to: &str| {
        tool::run("scp", &[SSH, &[protocol, "-P", &port, from, to]].concat());
    };
    copy("-O", &local("sent"), there);
    copy("-O", there, &local("by-scp"));
    copy("-s", there, &local("by-sftp"));
    for name in ["by-scp", "by-sftp"] {
        assert_eq!(std::fs::read(local(name)).unwrap(), bytes, "{name}");
    }
}

fn telnet_gives_a_shell(workspace: &Workspace) {
    let mut telnet = TcpStream::connect(("127.0.0.1", port(workspace, "telnet_port"))).unwrap();
    telnet.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut said = Vec::new();
    let mut part = [0; 1024];
    // What is typed before the prompt is thrown away by login.
    while !said.windows(2).any(|w| w == b"> ") {
        let length = telnet.read(&mut part).unwrap();
        assert!(length > 0, "{}", String::from_utf8_lossy(&said));
        said.extend(&part[..length]);
    }
    telnet.write_all(b"echo $((40+2))-$USER-$HOME; exit\r\n").unwrap();
    telnet.read_to_end(&mut said).unwrap();
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains("42-root-/root"), "{said}");
}

/// Every program that a node is to have, by a call that loads all of its libraries; busybox's
/// shell finds the real ones and not its own applets.
fn tools_run(workspace: &Workspace) {
    for (command, said) in [
        ("ip -V", "iproute2"),
        ("tc -V", "iproute2"),
        ("ss -V", "iproute2"),
        ("bridge -V", "bridge"),
        ("jq -n 1+1", "2"),
        ("strace -V", "strace -- version"),
        ("tcpdump --version 2>&1", "libpcap"),
        ("kmod --version", "kmod version"),
        ("busybox", "BusyBox"),
        ("xc-dns --help", "--listen"),
        ("modprobe sctp && cat /proc/net/sctp/eps", "ENDPT"),
        ("modprobe wireguard nf_tables vrf mpls_router ip_vs 2>&1; lsmod", "wireguard"),
        ("dmesg | grep 'cut here' || echo none", "none"),
        ("readlink /bin", "usr/bin"),
        ("stat -c %a /tmp /root /root/..", "1777\n700\n755"),
    ] {
        let answer = workspace.ok(&["rsh", NODE, command]);
        assert!(answer.contains(said), "{command}: {answer}");
    }
    let memory = workspace.ok(&["rsh", NODE, "free -m | awk '/^Mem/{print $3}'"]);
    let used: u32 = memory.trim().parse().unwrap();
    assert!(used < 40, "{used} MB of the node's memory are used");
}

#[test(needs = [QEMU], serial)]
fn a_script_that_fails_is_told() {
    let workspace = with_overlay("#! /bin/sh\necho it broke\nexit 3\n");
    let cluster = workspace.cluster();
    workspace.ok(&["lock", "--update"]);
    workspace.ok(&["mkcdrom", "odd"]);
    let started = workspace.xcbuild(ALONE).assert().success();
    let said = String::from_utf8_lossy(&started.get_output().stderr).into_owned();
    assert!(said.contains("WARNING: vm-221: 50odd.rc ended with status 3"), "{said}");
    assert!(workspace.ok(&["logs", NODE]).contains("it broke"), "{said}");
    workspace.ok(&["stop"]);
    // Without what makes a node one, the start has failed.
    let scripts = workspace.home().join("ovl/odd/default/etc/init.d");
    std::fs::rename(scripts.join("50odd.rc"), scripts.join("20sshd.rc")).unwrap();
    workspace.ok(&["mkcdrom", "odd"]);
    let said = workspace.fails(ALONE, 1);
    assert!(said.contains("20sshd.rc with status 3"), "{said}");
    assert!(said.contains("it broke"), "the end of the console: {said}");
    drop(cluster);
}

/// A program in a network namespace with nothing in it.
fn without_network(program: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--net", program]);
    command
}

const NO_NETWORK: Need =
    Need::Check(|| succeeds(&mut without_network("true"), "no user namespaces with a network"));

/// A network namespace with nothing in it has no archive, whatever the machine has.
#[test(needs = [Need::Program("apt-get"), NO_NETWORK], slow)]
fn packages_without_a_network() {
    let alone = |workspace: &Workspace, arguments: &[&str]| {
        let mut command = without_network(env!("CARGO_BIN_EXE_xcbuild"));
        command.args(arguments).env_clear().envs(workspace.environment()).output().unwrap()
    };
    let fresh = Workspace::fresh();
    let failed = alone(&fresh, &["lock", "--update"]);
    assert_eq!(failed.status.code(), Some(1));
    let said = String::from_utf8(failed.stderr).unwrap();
    assert!(said.contains("the package archive can't be reached"), "{said}");

    // What was seen of the archive before, and the packages themselves, are in the store.
    let stored = Workspace::new();
    stored.ok(&["lock", "--update"]);
    let locked = stored.ok(&["lock"]);
    assert!(locked.contains("busybox "), "{locked}");
    let done = alone(&stored, &["lock", "--update"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(stored.ok(&["lock"]), locked);
}
