//! Clusters on bridges and taps, on hosts to throw away: all that works with `user` networks works
//! there, and nothing stays behind.

use serde_json::Value;

use xc_harness::{Fixture, Need};

use crate::common::capture::{Capture, tshark};
use crate::common::host::{Host, KIM};
use crate::common::need::{HOST, QEMU, TAPS, TSHARK, succeeds};
use crate::common::running::{Cluster, NAMESPACE_LANE};
use crate::common::throwaway::Throwaway;

/// What `nsadd 1` makes.
const NAMESPACE: &str = "kim_xcluster1";

/// One node of each role, so that there is a way through a router.
const NODES: [&str; 3] = ["--nvm=1", "--nrouters=1", "--ntesters=1"];

/// A cluster on bridges, on a host to throw away.
struct Bridged {
    // It is dropped first.
    _alone: Cluster,
    /// Whoever has started the cluster.
    host: Host,
    /// What `nsenter` takes to go where its networks are.
    namespace: &'static str,
    /// The host before all of it, and the links in the namespace.
    before: String,
    links_before: Vec<String>,
    /// What the start said.
    table: String,
}

impl Bridged {
    /// Runs a command where the networks are.
    fn inside(&self, words: &[&str]) -> String {
        self.host.ok(&[&["nsenter", self.namespace], words].concat())
    }

    fn links(&self) -> String {
        self.inside(&["ip", "-br", "link"])
    }
}

/// In a namespace of `nsadd`.
static NETNS: Fixture<Bridged> =
    Fixture::serial_in(NAMESPACE_LANE, &[HOST, QEMU, TAPS, Need::Program("busybox")], || {
        let host = Host::new();
        let alone = host.workspace.cluster();
        host.prepare();
        host.settle();
        serve(&host);
        let before = host.snapshot();
        host.ok(&["nsadd", "1"]);
        let (table, links_before) = (String::new(), Vec::new());
        let mut bridged =
            Bridged { _alone: alone, host, namespace: "1", before, links_before, table };
        bridged.links_before = names(&bridged.links());
        // Queues are for processors.
        let options = ["--mtu=9000", "--queues=2", "--smp=2", "--access=open"];
        let up = [&[bridged.host.program(), "up", "--net=netns"][..], &options, &NODES].concat();
        bridged.table = bridged.inside(&up);
        bridged
    });

/// In a namespace of the cluster's own, by a user who can't become root, on a host whose loopback is
/// closed but for DNS.
static ROOTLESS: Fixture<Bridged> = Fixture::serial_in(
    NAMESPACE_LANE,
    &[
        HOST,
        QEMU,
        TAPS,
        Need::Program("busybox"),
        Need::Program("slirp4netns"),
        Need::Program("setpriv"),
        Need::Check(users_make_namespaces),
    ],
    || {
        let root = Host::new();
        let alone = root.workspace.cluster();
        root.prepare();
        root.settle();
        serve(&root);
        let host = root.kim();
        let before = host.snapshot();
        let options = ["--mtu=9000", "--access=open"];
        let table = host.ok(&[&["up", "--net=rootless"][..], &options, &NODES].concat());
        let links_before = Vec::new();
        Bridged { _alone: alone, host, namespace: "tests", before, links_before, table }
    },
);

fn users_make_namespaces() -> Result<(), String> {
    let host = Throwaway::open()?;
    let mut command = host.command("setpriv");
    command.args([format!("--reuid={KIM}"), format!("--regid={KIM}")]);
    command.args(["--clear-groups", "--no-new-privs", "unshare", "-Urn", "true"]);
    succeeds(&mut command, "users may not make namespaces")
}

#[test(on = &NETNS)]
fn nodes_in_a_namespace_reach_each_other_and_the_world() {
    works(&NETNS.get());
}

#[test(on = &ROOTLESS)]
fn nodes_without_root_reach_each_other_and_the_world() {
    works(&ROOTLESS.get());
}

#[test(on = &NETNS)]
fn links_in_a_namespace_fail() {
    links_fail(&NETNS.get().host);
}

#[test(on = &ROOTLESS)]
fn links_without_root_fail() {
    links_fail(&ROOTLESS.get().host);
}

#[test(on = &NETNS, needs = [TSHARK])]
fn captures_see_bridges_and_taps_of_a_namespace() {
    captures_see(&NETNS.get().host);
}

#[test(on = &ROOTLESS, needs = [TSHARK])]
fn captures_see_bridges_and_taps_without_root() {
    captures_see(&ROOTLESS.get().host);
}

#[test(on = &NETNS)]
fn nodes_come_and_go_in_a_namespace() {
    nodes_come_and_go(&NETNS.get());
}

#[test(on = &ROOTLESS)]
fn nodes_come_and_go_without_root() {
    nodes_come_and_go(&ROOTLESS.get());
}

/// What works whichever the namespace; all commands but the start are run from outside it.
fn works(Bridged { host, table, .. }: &Bridged) {
    assert_eq!(table.matches(" ready ").count(), 3, "{table}");
    // Two pings and two ways in each direction, and a name a node.
    assert_eq!(table.matches(" ok ").count(), 8 + 3, "{table}");
    assert!(!table.contains("FAILED") && !table.contains("SKIPPED"), "{table}");
    host.ok(&["rsh", "1", "ping", "-c1", "-W5", "-M", "do", "-s", "8972", "192.168.2.221"]);
    // Nodes reach each other on network 0, too, which each qemu's own network can't give them.
    host.ok(&["rsh", "1", "ping", "-c1", "-W5", "192.168.0.221"]);
    // By the router and its masquerade, the host and its, to a neighbour who knows no way back.
    for world in ["10.9.0.2", "[fd09::2]"] {
        let page = host.ok(&["rsh", "1", &format!("wget -qO- http://{world}:8000/")]);
        assert_eq!(page, "the world\n", "{world}");
    }
}

/// Frames are seen on a bridge and on a tap, their VLAN tags too.
fn captures_see(host: &Host) {
    for (node, link, address) in [("201", "eth2", "10.7.0.1"), ("221", "eth1", "10.7.0.2")] {
        let vlan = format!(
            "ip link add link {link} name v7 type vlan id 7 &&
             ip address add {address}/24 dev v7 && ip link set v7 up"
        );
        host.ok(&["rsh", node, &vlan]);
    }
    let file = host.workspace.home().join("capture");
    let mut command = host.command(host.program());
    command.args(["capture", "2", "201:2", "-w", file.to_str().unwrap()]);
    let capture = Capture::start(command);
    host.ok(&["rsh", "201", "ping -c 3 -w 60 -i 0.2 10.7.0.2"]);
    // nsenter, which is this process's child, passes no signals on.
    host.host.said("pkill -INT -f 'xcbuild[a-z-]* [c]apture'");
    capture.ended();
    let fields = ["frame.interface_name", "vlan.id", "frame.packet_flags_direction"];
    let seen = tshark(&file, "icmp.type == 8", &fields);
    let count = |line: &str| seen.iter().filter(|l| l.trim() == line).count();
    assert!(count("net2 7") >= 3 && count("vm-201:2 7 0x00000002") >= 3, "{seen:?}");
}

/// Faults of links, where taps carry them.
fn links_fail(host: &Host) {
    host.ok(&["link", "201", "2", "--delay=50ms", "--direction=both"]);
    let said = host.ok(&["rsh", "201", "ping", "-q", "-c3", "-i0.1", "-W5", "192.168.2.221"]);
    let shortest = said.split("mdev = ").nth(1).and_then(|t| t.split('/').next()?.parse().ok());
    assert!(shortest.is_some_and(|ms: f64| ms >= 100.0), "{said}");
    host.ok(&["link", "201", "2", "--down", "--clear"]);
    host.ok(&["rsh", "201", "grep", "-x", "0", "/sys/class/net/eth2/carrier"]);
    host.ok(&["link", "201", "2", "--up"]);
    host.ok(&["rsh", "201", "ping", "-c1", "-w60", "192.168.2.221"]);
}

/// A server in the neighbour's namespace, for nodes to fetch a page from.
fn serve(host: &Host) {
    host.host.said(
        "mkdir /run/www; echo the world >/run/www/index.html
         ip netns exec world busybox httpd -p '[::]:8000' -h /run/www",
    );
}

/// What happens to single nodes.
fn nodes_come_and_go(bridged: &Bridged) {
    let (host, links) = (&bridged.host, || bridged.links());
    let table = host.ok(&["scaleout", "2"]);
    assert_eq!(table.matches(" ready ").count(), 4, "{table}");
    assert!(links().contains("xctap2_1"), "{}", links());
    host.ok(&["rsh", "2", "ping", "-c1", "-W5", "192.168.1.1"]);
    host.ok(&["restart", "2"]);
    let said =
        host.ok(&["exec", "--nodes=1,2", "ping -c1 -W5 192.168.2.221 >/dev/null && hostname"]);
    let mut lines: Vec<_> = said.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["vm-001: vm-001", "vm-002: vm-002"]);
    let copied = host.workspace.home().join("copied");
    host.ok(&["rcp", "2", "/etc/hostname", copied.to_str().unwrap()]);
    assert_eq!(std::fs::read_to_string(copied).unwrap(), "vm-002\n");
    assert!(host.ok(&["logs", "2"]).contains("vm-002"));
    assert_eq!(host.xcbuild(&["status"]).status.code(), Some(4));
    host.ok(&["scalein", "2"]);
    assert!(!links().contains("xctap2_") && links().contains("xctap1_1"), "{}", links());
}

/// Plain ssh, as test scripts call it where they see a bridge.
fn plain_ssh(bridged: &Bridged) {
    let quiet = ["-o", "UserKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=no"];
    let words = [&["ssh", "-q"][..], &quiet, &["root@192.168.0.1", "hostname"]].concat();
    assert_eq!(bridged.inside(&words), "vm-001\n");
}

#[test(on = &NETNS)]
fn a_namespace_has_frames_and_queues_as_asked_for() {
    let netns = NETNS.get();
    for link in ["xcbr1", "xctap1_1"] {
        let shown = netns.inside(&["ip", "link", "show", link]);
        assert!(shown.contains("mtu 9000"), "{shown}");
    }
    let queues = netns.host.ok(&["rsh", "1", "ls -d /sys/class/net/eth1/queues/*"]);
    assert_eq!(queues.lines().count(), 4, "two for each direction: {queues}");
    plain_ssh(&netns);
}

/// Ended by the book, and with everything killed half way. Of neither anything is left in the namespace
/// or on the host. Before, the step of DNS that fails is found, from outside and from within.
#[test(on = &NETNS, last)]
fn a_cluster_in_a_namespace_leaves_no_trace() {
    let netns = NETNS.get();
    let host = &netns.host;
    host.host.said(&format!("ip netns exec {NAMESPACE} nft delete table inet xcbuild"));
    let json: Value =
        serde_json::from_slice(&host.xcbuild(&["dns", "check", "--json"]).stdout).unwrap();
    let failed =
        |step: &Value| step["step"] == "NAT in the namespace" && step["verdict"] == "failed";
    assert!(json.as_array().unwrap().iter().any(failed), "{json}");
    host.host.said("nft delete table inet xcluster1");
    let error = host.fails(&["dns", "check"]);
    assert!(error.contains("the step `NAT on the host` fails"), "{error}");
    host.ok(&["stop"]);
    assert_eq!(names(&netns.links()), netns.links_before);

    // xcbuild, its DNS proxy and the first qemu are killed as soon as that is there.
    let start = [&[host.program(), "start", "--net=netns"][..], &NODES].concat().join(" ");
    let kill = "until [ -e $XCBUILD_RUN/$__cluster/001.qmp ]; do :; done
        kill -9 $! $(pgrep -f 'qemu-system-[x]86_64|[d]ns serve')";
    host.ok(&["nsenter", "1", "sh", "-c", &format!("{start} & {kill}")]);
    assert!(netns.links().contains("xctap1_0"), "the kill came too early");
    host.ok(&["stop"]);
    assert_eq!(names(&netns.links()), netns.links_before);
    host.ok(&["nsdel", "1"]);
    host.assert_is(&netns.before);
}

const OPEN_VSWITCH: Need = Need::All(&[
    Need::Program("ovs-vswitchd"),
    Need::Program("ovsdb-server"),
    Need::Program("ovs-vsctl"),
]);

/// Open vSwitch in place of the kernel's bridges, by the script that the topologies' overlay brings.
#[test(needs = [HOST, QEMU, TAPS, OPEN_VSWITCH], serial_in = NAMESPACE_LANE)]
fn open_vswitch_carries_the_networks() {
    let mut host = Host::new();
    let script = host.ok(&["ovld", "network-topology"]);
    let script = format!("{}/net-setup/ovs", script.trim_end());
    // OVS's own datapath, which every kernel has.
    host.workspace.set("OVS_DATAPATH", "netdev");
    let alone = host.workspace.cluster();
    host.prepare();
    host.ok(&["nsadd", "1"]);
    let inside = |words: &[&str]| host.ok(&[&["nsenter", "1"], words].concat());
    inside(&["sh", "-c", OVS]);
    let setup = format!("__net_setup={script}");
    let up = [&["env", &setup, host.program(), "up", "--net=netns"][..], &NODES].concat();
    let table = inside(&up);
    assert_eq!(table.matches(" ok ").count(), 8 + 3, "{table}");
    // TCP, whose checksums the nodes have to make themselves: ssh from node to node.
    let banner = host.ok(&["rsh", "1", "nc -w5 192.168.1.201 22 </dev/null | head -c4"]);
    assert_eq!(banner, "SSH-");
    assert_eq!(inside(&["ovs-vsctl", "list-ports", "xcbr1"]), "xctap1_1\nxctap201_1\n");
    assert_eq!(inside(&["ovs-vsctl", "get", "bridge", "xcbr1", "datapath_type"]), "netdev\n");
    host.ok(&["stop"]);
    inside(&[&script, "clean"]);
    let links = inside(&["ip", "-br", "link"]);
    assert!(!links.contains("xctap") && !links.contains("xcbr1"), "{links}");
    drop(alone);
}

/// Starts OVS in the namespace that it is run in, with files of the throwaway host's own.
const OVS: &str = "set -e
    mkdir /run/openvswitch /run/ovs
    export OVS_RUNDIR=/run/openvswitch OVS_DBDIR=/run/ovs OVS_LOGDIR=/run/ovs
    exec >/run/ovs/said 2>&1 </dev/null
    ovsdb-tool create /run/ovs/conf.db /usr/share/openvswitch/vswitch.ovsschema
    ovsdb-server /run/ovs/conf.db --remote=punix:/run/openvswitch/db.sock --pidfile --detach
    ovs-vsctl --no-wait init
    ovs-vswitchd --pidfile --detach";

#[test(on = &ROOTLESS)]
fn a_user_without_root_has_bridges_too() {
    let rootless = ROOTLESS.get();
    assert!(rootless.inside(&["ip", "link", "show", "xcbr1"]).contains("mtu 9000"));
    plain_ssh(&rootless);
}

#[test(on = &ROOTLESS, last)]
fn a_cluster_without_root_leaves_no_trace() {
    let rootless = ROOTLESS.get();
    let host = &rootless.host;
    loopback_is_closed(&rootless);
    host.assert_is(&rootless.before);
    host.ok(&["stop"]);
    host.assert_is(&rootless.before);
    no_taps_no_bridges(host);
    // The host's first process does not gather what has ended.
    let left = host.host.said(
        "ps ax -o stat,args | grep -E '[s]lirp4netns|[q]emu-system|[n]amespace$' | grep -v ^Z || true",
    );
    assert_eq!(left, "");
}

/// Where the device of taps can't be opened, that is said, with what helps, and `user` networks do.
fn no_taps_no_bridges(host: &Host) {
    host.host.said("chmod 600 /dev/net/tun");
    let start = host.xcbuild(&["start", "--net=rootless", "--nvm=1", "--nrouters=0"]);
    let said = String::from_utf8_lossy(&start.stderr);
    assert!(start.status.success(), "{said}");
    assert!(said.contains("qemu's own (--net=user): /dev/net/tun can't be opened"), "{said}");
    assert!(host.ok(&["ps"]).contains(" user "));
    assert!(host.ok(&["doctor"]).contains("sudo chmod 0666 /dev/net/tun"));
    host.ok(&["stop"]);
}

/// The host's servers that listen on loopback are not the nodes': slirp4netns would show them.
fn loopback_is_closed(rootless: &Bridged) {
    let (host, inside) = (&rootless.host, |words: &[&str]| rootless.inside(words));
    host.host.said("busybox httpd -p 127.0.0.1:8001 -h /run/www");
    let refused = host.xcbuild(&["rsh", "1", "wget -qO- -T5 http://10.0.2.2:8001/"]);
    assert!(!refused.status.success(), "a node reads what the host serves on loopback");
    let own = r"exec 3<>/dev/tcp/10.0.2.2/8001 && printf 'GET / HTTP/1.0\r\n\r\n' >&3 &&
        cat <&3 || echo refused";
    let said = inside(&["bash", "-c", own]);
    assert!(said.contains("refused"), "{said}");
    // Without the rules it is read: they are what closes it.
    inside(&["nft", "flush", "chain", "inet", "xcbuild", "own_to_host"]);
    let said = inside(&["bash", "-c", own]);
    assert!(said.contains("the world"), "{said}");
}

/// The names in `ip -br link`, less the peer's.
fn names(links: &str) -> Vec<String> {
    let name = |line: &str| line.split([' ', '@']).next().map(ToOwned::to_owned);
    links.lines().filter_map(name).collect()
}
