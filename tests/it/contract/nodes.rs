//! Nodes as the contract has them: started by a hook's own function and by `starts`, looked at from
//! outside and within. Two clusters, since each costs the machine's two cores some seconds.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use xc_harness::{Fixture, Need};

use super::overlays::{GCC, with_overlays};
use crate::common::dns::DNSMASQ;
use crate::common::need::QEMU;
use crate::common::running::Running;
use crate::common::tmux::{TMUX, Tmux};
use crate::common::{Workspace, dns, tool};

const HOOK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/hooks/xcluster.hook");
/// The overlays of a public-style cluster.
const OVERLAYS: &[&str] = &[
    "env",
    "network-topology",
    "test",
    "hello-c",
    "host-tools",
    "variants",
    "borrower",
    "packaged",
    "loose",
];
/// How long an answer may take: far more than any should.
const PATIENCE: Duration = Duration::from_secs(60);

fn workspace() -> Workspace {
    let mut workspace = with_overlays(Workspace::new());
    for (name, value) in [
        ("XCLUSTER_HOOK", HOOK),
        ("xcluster_FOO", "bar"),
        ("xcluster_TZ", "XYZ-1"),
        ("USER", "kim"),
        // A cluster with a name asks for its key; the contract's has none.
        ("__access", "open"),
    ] {
        workspace.set(name, value);
    }
    workspace
}

fn status(workspace: &Workspace) -> serde_json::Value {
    serde_json::from_str(&workspace.ok(&["status", "--json"])).unwrap()
}

/// A whole cluster by a hook's own start function: vm-001, vm-002 and the router vm-201.
static HOOKED: Fixture<Running> = Fixture::new(&[QEMU, GCC], || {
    let mut workspace = workspace();
    workspace.ok(&["mkimage"]);
    workspace.ok(&[&["mkcdrom", "--nvm=2", "--nrouters=1", "--ntesters=0"][..], OVERLAYS].concat());
    workspace.set("__append1", "one=1");
    workspace.set("__smp", "");
    workspace.set("__smp201", "1");
    let running = Running::start(workspace, &["mystart", "--nvm=2", "--mem2=160"]);
    let lines = running.xcbuild(&["status"]).assert().code(3);
    let lines = String::from_utf8_lossy(&lines.get_output().stdout).into_owned();
    assert_eq!(lines, "alive 1\nalive 2\nalive 201\nAlive; 3\n");
    running.ok(&["wait"]);
    running
});

#[test(on = &HOOKED)]
fn a_hooks_start_function_brings_up_a_whole_cluster() {
    overlays_are_in_the_node(&HOOKED.get());
}

fn overlays_are_in_the_node(workspace: &Workspace) {
    let said = |command: &str| workspace.ok(&["rsh", "1", command]);
    assert_eq!(said("hello-c"), "hello from vm-001\n");
    assert_eq!(said("/bin/bash -c 'a=(x y); echo ${a[1]}'"), "y\n", "a program of the host");
    assert!(!said("/opt/tool version 2>/dev/null || /opt/tool --version").is_empty());
    assert_eq!(said("cat /etc/variant /etc/borrowed"), "plain\nbin\netc\n");
    assert_eq!(said("mytool"), "mytool 1.0\n");
    let loose = "cat /run/loose/file /run/loose.pid /dev/loose /tmp/loose; readlink /var/run";
    assert_eq!(said(loose), "in run\nin var/run\nin dev\nin tmp\n../run\n");
}

#[test(on = &HOOKED)]
fn the_base_image_is_the_contracts() {
    let workspace = HOOKED.get();
    let said = |command: &str| workspace.ok(&["rsh", "1", command]);
    assert_eq!(said("test -x /init && test -x /etc/init.d/rcS && hostname"), "vm-001\n");
    assert_eq!(said("cat /var/log/order"), "30first.rc start vm-001\n40second.rc start vm-001\n");
    assert!(said("ip -V").starts_with("ip utility, iproute2"), "ip of iproute2");
    assert!(said("readlink -f /bin/sh").contains("busybox"));
    let addresses = said("ip -br address show eth0");
    for address in ["192.168.0.1/24", "1000::1:c0a8:1/120"] {
        assert!(addresses.contains(address), "{addresses}");
    }
    assert_eq!(
        said(". /etc/profile; echo $FOO $__nvm $__nrouters"),
        "bar 2 1\n",
        "the env overlay"
    );
    assert_eq!(
        said("test -r /etc/xcluster_env && date +%Z"),
        "UTC\n",
        "only rcS's children have TZ"
    );
    assert_eq!(said(". /etc/profile; export TZ; date +%Z"), "XYZ\n");
    assert!(said("ps").contains("dropbear"));
    assert!(said("ip route").contains("default"), "by network-topology");
    let mac = workspace.ok(&["rsh", "201", "cat /sys/class/net/eth2/address"]);
    assert_eq!(mac, "00:00:00:01:02:c9\n");
}

#[test(on = &HOOKED)]
fn settings_of_single_nodes_count() {
    let workspace = HOOKED.get();
    let all = "cat /proc/cmdline; nproc; grep MemTotal /proc/meminfo";
    let one = workspace.ok(&["rsh", "1", all]);
    assert!(one.contains(" one=1") && one.contains("\n2\n"), "{one}");
    let two = workspace.ok(&["rsh", "2", all]);
    assert!(!two.contains(" one=1"), "{two}");
    let memory = |text: &str| -> u32 {
        let line = text.lines().find(|l| l.starts_with("MemTotal")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    assert!(memory(&two) > memory(&one) + 20_000, "{one}\n{two}");
    assert_eq!(workspace.ok(&["rsh", "201", "nproc"]), "1\n");
}

#[test(on = &HOOKED)]
fn plain_ssh_and_telnet_enter_without_password() {
    let net = &status(&HOOKED.get())["net"];
    let ssh = (net["ssh_base"].as_u64().unwrap() + 2).to_string();
    let options = "-q -o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no -o BatchMode=yes";
    let words: Vec<&str> =
        options.split(' ').chain(["-p", &ssh, "root@127.0.0.1", "hostname"]).collect();
    assert_eq!(tool::run("ssh", &words), "vm-002\n");
    let telnet = u16::try_from(net["telnet_base"].as_u64().unwrap() + 1).unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", telnet)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut said = until(&mut stream, "# ", "> ");
    stream.write_all(b"echo $((6 * 7)) $(hostname)\r\n").unwrap();
    said += &until(&mut stream, "42 vm-001", "42 vm-001");
    assert!(said.contains("42 vm-001"), "{said}");
}

/// By telnet, or by busybox where there is none.
#[test(on = &HOOKED, needs = [Need::Program("busybox")])]
fn vm_gives_a_shell_of_the_node() {
    let mut vm = HOOKED.get().xcbuild(&["vm", "1"]);
    let said = vm.write_stdin("echo $((6 * 7)) $(hostname); exit\n").output().unwrap();
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains("127.0.0.1") || said.contains("vm-001"), "{said}");
}

fn until(stream: &mut TcpStream, one: &str, other: &str) -> String {
    let mut said = String::new();
    let mut buffer = [0; 1024];
    while !said.contains(one) && !said.contains(other) {
        match stream.read(&mut buffer) {
            Ok(got @ 1..) => said += &String::from_utf8_lossy(&buffer[..got]),
            other => panic!("{other:?} after {said}"),
        }
    }
    said
}

/// 18080 leads to 8080, and 7443 to 6443; a cluster with a name has free ones.
#[test(on = &HOOKED)]
fn node_one_has_the_kubernetes_ports() {
    let workspace = &HOOKED.get();
    let net = &status(workspace)["net"];
    for (field, port) in [("k8s_port", "8080"), ("api_port", "6443")] {
        let listen = format!("nc -l -p {port} -e echo port {port} >/dev/null 2>&1 &");
        workspace.ok(&["rsh", "1", &listen]);
        workspace.ok(&["rsh", "1", &format!("until netstat -ltn | grep -q :{port}; do :; done")]);
        let host = u16::try_from(net[field].as_u64().unwrap()).unwrap();
        let mut stream = TcpStream::connect(("127.0.0.1", host)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(until(&mut stream, "\n", "\n"), format!("port {port}\n"));
    }
}

#[test(on = &HOOKED)]
fn copies_and_background_commands_work() {
    let workspace = HOOKED.get();
    let local = workspace.home().join("copied");
    workspace.ok(&["rcp", "2", "/etc/hostname", local.to_str().unwrap()]);
    assert_eq!(std::fs::read_to_string(&local).unwrap(), "vm-002\n");
    workspace.ok(&["rsh", "--bg", "2", "echo done >/tmp/bg; sleep 1000"]);
    workspace.ok(&["rsh", "2", "until grep -q done /tmp/bg 2>/dev/null; do :; done"]);
    workspace.xcbuild(&["rsh", "2", "exit 9"]).assert().code(9);
    let library = workspace.ok(&["ovld", "test"]);
    let script = format!(
        ". {}/default/usr/lib/xctest; rsh 2 hostname; check_vm 1 201; otcprog=variants_test otc 1 'variant plain'",
        library.trim()
    );
    let mut shell = assert_cmd::Command::new("sh");
    shell.arg("-c").arg(script).env_clear().envs(workspace.environment());
    let done = shell.env("XCLUSTER", env!("CARGO_BIN_EXE_xcbuild")).assert().success();
    assert!(String::from_utf8_lossy(&done.get_output().stdout).contains("vm-002"));
}

/// `xvm` adds a node with a window in the tmux session that it is called from; `vm` opens one.
#[test(on = &HOOKED, needs = [TMUX])]
fn windows_are_opened_in_tmux() {
    let workspace = &HOOKED.get();
    let tmux = Tmux::start(workspace);
    for arguments in [["xvm", "3"], ["vm", "2"]] {
        tmux.xcbuild(workspace, &arguments);
    }
    let windows = tmux.run(&["list-windows", "-F", "#{window_name} #{pane_start_command}"]);
    drop(tmux);
    assert!(
        windows.lines().any(|l| l.starts_with("vm-003 ") && l.contains("console")),
        "{windows}"
    );
    assert!(windows.lines().any(|l| l.starts_with("vm-002 ") && l.contains("telnet")), "{windows}");
    workspace.ok(&["wait", "3"]);
    workspace.ok(&["scalein", "3"]);
}

#[test(on = &HOOKED, last)]
fn a_dead_node_is_told_and_the_rest_is_stopped() {
    let workspace = &HOOKED.get();
    let status = status(workspace);
    let nodes = status["nodes"].as_array().unwrap();
    let two = nodes.iter().find(|n| n["number"] == 2).unwrap();
    tool::run("kill", &["-KILL", &two["pid"].to_string()]);
    let gone = format!("/proc/{}", two["pid"]);
    while std::path::Path::new(&gone).exists() {
        std::thread::yield_now();
    }
    let lines = workspace.xcbuild(&["status"]).assert().code(2);
    let lines = String::from_utf8_lossy(&lines.get_output().stdout).into_owned();
    assert_eq!(lines, "alive 1\ndead  2\nalive 201\nAlive; 2\n");
    workspace.ok(&["stop"]);
    workspace.xcbuild(&["status"]).assert().code(0);
}

#[test(needs = [QEMU, GCC], serial)]
fn cdroms_of_tars_are_unpacked_and_their_script_is_run() {
    let workspace = workspace();
    workspace.ok(&["mkimage"]);
    let script = workspace.home().join("script");
    std::fs::write(&script, "#! /bin/sh\ncp /etc/variant /etc/by-script\n").unwrap();
    let script = format!("--script={}", script.display());
    workspace.ok(&[&["mkcdrom", "--layout=tar", "--label=Tars", &script][..], OVERLAYS].concat());
    let cluster = workspace.cluster();
    let identity = "11111111-2222-3333-4444-555555555555";
    let options = format!("--kvm_opt=-uuid {identity}");
    let start =
        ["starts", "--nvm=1", "--nrouters=1", "--ntesters=0", "--nets_vm=0,1,3", "--mtu=1400"];
    let start = [&start[..], &[&options, "--nets201=0,1,2,5", "--append=all=1"]].concat();
    let started = workspace.xcbuild(&start).assert().success();
    let told = String::from_utf8_lossy(&started.get_output().stderr).into_owned();
    let warning = "vm-001: 50loose.rc ended with status 1; `xcbuild logs --cluster=tests 1` shows its console";
    assert!(told.contains(warning), "a start script that fails ends no start: {told}");
    overlays_are_in_the_node(&workspace);
    let said = |command: &str| workspace.ok(&["rsh", "1", command]);
    assert_eq!(said("cat /etc/by-script"), "plain\n", "the ISO's script ran, before the services");
    assert_eq!(said("cat /sys/class/dmi/id/product_uuid"), format!("{identity}\n"));
    assert_eq!(
        said("cat /sys/class/net/eth[12]/address"),
        "00:00:00:01:01:01\n00:00:00:01:03:01\n"
    );
    assert_eq!(said("cat /sys/class/net/eth1/mtu; grep -c all=1 /proc/cmdline"), "1400\n1\n");
    assert_eq!(
        workspace.ok(&["rsh", "201", "cat /sys/class/net/eth3/address"]),
        "00:00:00:01:05:c9\n"
    );
    // start and starts end a running cluster first.
    workspace.ok(&["start", "--nvm=1", "--nrouters=0"]);
    workspace.xcbuild(&["status"]).assert().code(1);
    drop(cluster);
}

/// As people have a coredns of their own there.
#[test(needs = [QEMU, DNSMASQ], serial)]
fn a_dns_server_that_is_there_is_used() {
    let mut workspace = workspace();
    workspace.ok(&["mkimage"]);
    workspace.ok(&["mkcdrom", "network-topology"]);
    let server = dns::Upstream::start();
    let port = server.address().rsplit(':').next().unwrap().to_owned();
    workspace.set("XCLUSTER_DNS_PORT", &port);
    // The ports of the cluster without a name are given, and not the next free ones.
    workspace.set("__cluster", "default");
    // Others may run, too: ports apart, and no node 1, whose 6443 has one port for all clusters.
    workspace.set("XCLUSTER_TELNET_BASE", "17000");
    workspace.set("XCLUSTER_SSH_BASE", "17300");
    let cluster = workspace.cluster();
    let started = workspace.xcbuild(&["starts", "--nvm=0", "--nrouters=1"]).assert().success();
    let said = String::from_utf8_lossy(&started.get_output().stderr).into_owned();
    assert!(said.contains(&format!("the DNS server that is at port {port} already")), "{said}");
    assert!(!said.contains("Serving"), "{said}");
    let looked_up = workspace.ok(&["rsh", "201", "nslookup", dns::NAME]);
    assert!(looked_up.contains(dns::V4), "{looked_up}");
    drop(cluster);
}
