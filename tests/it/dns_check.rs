//! `xcbuild dns check` finds the step of the way of a name that fails: every step is broken for real,
//! the last of the way first, so that the first that fails moves up.

use std::os::unix::fs::PermissionsExt;
use std::process::{Output, Stdio};

use xc_harness::Need;

use crate::common::Workspace;
use crate::common::dns::{DNSMASQ, NAME, Upstream};
use crate::common::need::{NAMESPACES, QEMU};
use crate::common::running::NAMESPACE_LANE;
use crate::common::throwaway::Throwaway;

#[test(needs = [QEMU, DNSMASQ], serial)]
fn the_step_that_fails_is_named_with_a_way_out() {
    let workspace = Workspace::new();
    let error = workspace.fails(&["dns", "check"], 1);
    assert!(error.contains("the cluster `tests` does not run"), "{error}");
    let cluster = workspace.cluster();
    let upstream = Upstream::start();
    let server = format!("--dns-upstream={}", upstream.address());
    workspace.ok(&["up", "--nvm=1", "--nrouters=0", "--ntesters=0", &server, "network-topology"]);

    let table = workspace.ok(&["dns", "check", "--name", NAME]);
    assert_eq!((table.matches(" ok ").count(), table.contains("FAILED")), (13, false), "{table}");
    for step in ["proxy's servers", "vm-001's cache"] {
        assert!(table.contains(step), "{table}");
    }

    workspace.ok(&["rsh", "1", "kill $(pidof xc-dns)"]);
    let fails = |step: &str, seen: &str, remedy: &str| {
        let done = workspace.xcbuild(&["dns", "check", "--name", NAME]).assert().code(1);
        let stderr = String::from_utf8_lossy(&done.get_output().stderr).into_owned();
        let found = format!("the step `{step}` fails: ");
        assert!(stderr.contains(&found) && stderr.contains(seen), "{stderr}");
        assert!(stderr.contains(remedy), "{stderr}");
    };
    fails("vm-001's own server, `host.xcluster`", "", "the overlay network-topology brings it");

    let proxy = workspace.run_directory().join("tests/dns.pid");
    let proxy = std::fs::read_to_string(proxy).unwrap();
    let stopped = std::process::Command::new("kill").arg(proxy.trim()).status().unwrap();
    assert!(stopped.success());
    while !command_line(&proxy).is_empty() {
        std::thread::yield_now();
    }
    fails("proxy", "it has ended", "`xcbuild stop --cluster=tests`, then `xcbuild start");

    let address = upstream.address();
    drop(upstream);
    fails(&format!("upstream {address}"), "nobody listens there", "see to that first");
    let json = workspace.xcbuild(&["dns", "check", "--json"]).assert().code(1);
    let steps: serde_json::Value = serde_json::from_slice(&json.get_output().stdout).unwrap();
    assert_eq!((&steps[0]["verdict"], &steps[1]["verdict"]), (&"ok".into(), &"failed".into()));
    drop(cluster);
}

/// Takes CoreDNS's command line and Corefile, and answers by dnsmasq.
const STAND_IN: &str = r#"#!/bin/sh
[ "$1" = -conf ] || exit 2
port=$(sed -n 's/^\.:\([0-9]*\) {$/\1/p' "$2")
hosts=$(sed -n 's/^ *hosts "\(.*\)".*/\1/p' "$2" | head -n1)
to=$(sed -n 's/^ *forward \. \(.*\):\([0-9]*\)$/\1#\2/p' "$2")
echo $$ >"${3#--pidfile=}"
dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --pid-file= \
    --addn-hosts="$hosts" --server="$to" --port="$port" --bind-interfaces \
    --listen-address=127.0.0.1,::1 --user="$(id -un)" --log-facility=- &
trap "kill $!; exit" TERM
until dig @127.0.0.1 -p "$port" +tries=1 +time=1 host.xcluster >/dev/null; do :; done
echo ".:$port"
wait
"#;

/// No CoreDNS is packaged: a stand-in of that name takes its place.
#[test(needs = [QEMU, DNSMASQ, Need::Program("dig")], serial)]
fn own_coredns_is_used() {
    let mut workspace = Workspace::new();
    workspace.ok(&["mkimage"]);
    workspace.ok(&["mkcdrom", "network-topology"]);
    let go = workspace.home().join("go");
    let program = go.join("bin/coredns");
    std::fs::create_dir_all(go.join("bin")).unwrap();
    std::fs::write(&program, STAND_IN).unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    workspace.set("GOPATH", go.to_str().unwrap());
    let cluster = workspace.cluster();
    let upstream = Upstream::start();
    let server = format!("--dns-upstream={}", upstream.address());
    workspace.ok(&["start", "--nvm=1", "--nrouters=0", "--ntesters=0", &server]);
    let pid = std::fs::read_to_string(workspace.run_directory().join("tests/dns.pid")).unwrap();
    assert!(command_line(&pid).contains("go/bin/coredns"));
    workspace.ok(&["dns", "check", "--name", NAME]);
    workspace.ok(&["stop"]);
    assert_eq!(command_line(&pid), "");
    drop(cluster);
}

/// The command line of a process; empty once it has ended, whether its parent knows or not.
fn command_line(pid: &str) -> String {
    std::fs::read_to_string(format!("/proc/{}/cmdline", pid.trim())).unwrap_or_default()
}

/// Everything happens in namespaces where IPv6 is off, as people switch it off.
#[test(needs = [QEMU, DNSMASQ, NAMESPACES], serial_in = NAMESPACE_LANE)]
fn a_host_without_ipv6_has_no_step_that_fails() {
    let host = Throwaway::open().unwrap();
    let workspace = Workspace::new();
    let cluster = workspace.cluster();
    host.said("sysctl -q net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.lo.disable_ipv6=1");
    let mut server = host.command("dnsmasq");
    server.args(["--no-daemon", "--no-resolv", "--no-hosts", "--conf-file=/dev/null"]);
    server.args(["--pid-file=", "--port=5300", "--listen-address=127.0.0.1"]);
    server.arg(format!("--address=/{NAME}/192.168.0.250"));
    let mut server = server.stderr(Stdio::null()).spawn().unwrap();
    let xcbuild = |arguments: &[&str]| -> Output {
        let mut command = host.command(env!("CARGO_BIN_EXE_xcbuild"));
        command.args(arguments).env_clear().envs(workspace.environment()).output().unwrap()
    };
    let ok = |arguments: &[&str]| -> String {
        let done = xcbuild(arguments);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).into_owned()
    };
    ok(&["mkimage"]);
    ok(&["mkcdrom", "network-topology"]);
    let upstreams = "--dns-upstream=127.0.0.1:5300,[2001:db8::1]:53";
    ok(&["start", "--nvm=1", "--nrouters=0", "--ntesters=0", "--net=user", upstreams]);
    let table = ok(&["dns", "check", "--name", NAME]);
    assert_eq!(table.matches("this host has no IPv6").count(), 3, "{table}");
    assert!(!table.contains("FAILED"), "{table}");
    ok(&["stop"]);
    ok(&["start", "--nvm=0", "--nrouters=1", "--net=user", "--dns-upstream=[2001:db8::1]:53"]);
    let done = xcbuild(&["dns", "check"]);
    let error = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(error.contains("the step `upstream [2001:db8::1]:53` fails"), "{error}");
    assert!(error.contains("name a server with an IPv4 address in /etc/resolv.conf"), "{error}");
    ok(&["stop"]);
    server.kill().unwrap();
    server.wait().unwrap();
    drop(cluster);
}
