//! A node's case: a host with several addresses, most of which come up after the server, asked
//! over a real link. Two network namespaces of our own, joined by a veth; no root needed.

use std::process::Command;

use xc_harness::Need;

use crate::common::DIG;

/// The server's side; the client's side is the namespace of `$client`.
const SCRIPT: &str = r#"
set -eu
ip link set lo up
unshare -n sleep 60 & client=$!
trap 'kill $client $(cat "$dir/pid" 2>/dev/null) 2>/dev/null' EXIT
own=$(readlink /proc/self/ns/net)
while [ "$(readlink /proc/$client/ns/net)" = "$own" ]; do :; done

# Bound before there is any address but loopback's.
"$xc_dns" --listen 0.0.0.0 --listen '[::]' --upstream 127.0.0.1:9 --background \
    --pid-file "$dir/pid" --log "$dir/log" --queries --name vm-001.xcluster=192.168.0.1

ip link add x0 type veth peer name x1 netns $client
ip addr add 192.168.0.1/24 dev x0
ip addr add 192.168.0.2/24 dev x0
ip addr add 192.168.7.1/24 dev x0
ip addr add 1000::1/120 dev x0 nodad
ip addr add 1000::2/120 dev x0 nodad
ip link set x0 addrgenmode none
ip addr add fe80::1/64 dev x0 nodad
ip link set x0 up
nsenter -t $client -n sh -eu -c '
    ip link set x1 addrgenmode none
    ip addr add 192.168.0.221/24 dev x1
    ip addr add 1000::dd/120 dev x1 nodad
    ip addr add fe80::2/64 dev x1 nodad
    ip link set x1 up
    ip route add 192.168.7.0/24 dev x1
    for server in 192.168.0.1 192.168.0.2 192.168.7.1 1000::1 1000::2 fe80::1%x1; do
        for how in +notcp +tcp; do
            echo "$server $how $(dig "@$server" vm-001.xcluster A +short +tries=1 +time=3 $how)"
        done
    done'
"#;

fn namespaces() -> Result<(), String> {
    let mut probe = Command::new("unshare");
    let probe = probe.args(["-rn", "ip", "link", "add", "type", "veth"]).output();
    let made = probe.is_ok_and(|done| done.status.success());
    if made { Ok(()) } else { Err("no user namespaces with a network (unshare -rn, ip)".into()) }
}

#[test(needs = [DIG, Need::Check(namespaces)])]
fn every_address_answers_for_itself() {
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new("unshare")
        .args(["-rn", "--kill-child", "sh", "-c", SCRIPT])
        .env("dir", dir.path())
        .env("xc_dns", env!("CARGO_BIN_EXE_xc-dns"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    let answered: Vec<&str> = said.lines().filter(|line| line.ends_with(" 192.168.0.1")).collect();
    let log = std::fs::read_to_string(dir.path().join("log")).unwrap_or_default();
    assert_eq!(answered.len(), 12, "{said}\n{errors}\n{log}");
    assert!(log.contains("192.168.0.221:") && log.contains("[fe80::2%"), "{log}");
}
