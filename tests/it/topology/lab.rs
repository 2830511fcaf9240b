//! A cluster without virtual machines: a network namespace per node, joined by bridges.
//!
//! Everything lives on a [`Throwaway`] host, so that the kernel takes it all away whatever happens to
//! the test, and the machine's own network never sees any of it. That host has host byte 250 on every
//! network, forwards (the worst case for what is to be kept apart), and has an address outside all
//! networks, which it lets nobody reach without masquerading.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Output;

use tempfile::TempDir;
use xc_harness::Need;
use xc_topology::address::{NodeId, Prefix, ipv6};
use xc_topology::{Counts, Node, Overrides, Topology, render};

use crate::common::need::HOST;
use crate::common::throwaway::Throwaway;

/// What a lab takes.
pub(super) const LAB: Need =
    Need::All(&[HOST, Need::Program("busybox"), Need::Program("traceroute")]);
/// Addresses of "the internet", by family.
pub(super) const OUTSIDE: [&str; 2] = ["10.99.99.99", "fd99::99"];

/// What a node runs in the lab, from the overlay.
const RC: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/ovl/network-topology/default/etc/init.d/25topology.rc");

/// How a cluster in the lab is to be started.
#[derive(Default)]
pub(super) struct Setup {
    /// Counts at the start.
    pub counts: Counts,
    /// Nodes by scale-out.
    pub more: Vec<u8>,
    /// Prefix and MTU.
    pub overrides: Overrides,
}

/// A running lab; gone when dropped.
pub(super) struct Lab {
    host: Throwaway,
    dir: TempDir,
    pub nodes: Vec<Node>,
}

impl Lab {
    /// An empty lab.
    fn open() -> Result<Self, String> {
        let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
        Ok(Self { host: Throwaway::open()?, dir, nodes: Vec::new() })
    }

    /// A lab with all nodes of a topology set up by the overlay's own script.
    ///
    /// # Errors
    /// Why this machine can't have one.
    pub(super) fn start(topology: &Topology, setup: &Setup) -> Result<Self, String> {
        let mut lab = Self::open()?;
        lab.nodes = topology.nodes(&setup.counts, &setup.overrides).expect("the counts fit");
        let more = setup.more.iter().filter_map(|number| NodeId::new(*number));
        lab.nodes
            .extend(more.map(|id| topology.node(id, &setup.overrides).expect("it has a place")));
        lab.wire(topology, &setup.overrides.prefix);
        let files = render::files(topology);
        for node in &lab.nodes {
            lab.lay_files(node, &files, setup);
        }
        lab.run_scripts();
        Ok(lab)
    }

    /// Bridges, namespaces, interfaces; then what the base image does: eth0.
    fn wire(&self, topology: &Topology, prefix: &Prefix) {
        let mut batch = String::from("link set lo up\n");
        for (id, network) in &topology.networks {
            let (v6, mtu) = (ipv6(prefix, *id, 250), self.mtu(network.id.0));
            let _ = write!(
                batch,
                "link add xcbr{id} type bridge\n\
                 link set xcbr{id} addrgenmode none mtu {mtu} up\n\
                 address add 192.168.{id}.250/24 dev xcbr{id}\n\
                 address add {v6}/120 dev xcbr{id} nodad\n"
            );
        }
        let [v4, v6] = OUTSIDE;
        let _ = write!(batch, "address add {v4}/32 dev lo\naddress add {v6}/128 dev lo\n");
        for node in &self.nodes {
            let _ = writeln!(batch, "netns add {}", node.id);
            for (i, port) in node.interfaces.iter().enumerate() {
                let tap = format!("lab{}-{i}", node.id.number());
                let (mac, net, mtu) = (port.mac, port.network, port.mtu);
                let _ = write!(
                    batch,
                    "link add {tap} mtu {mtu} type veth peer name eth{i} address {mac} netns {}\n\
                     link set {tap} addrgenmode none master xcbr{net} up\n",
                    node.id
                );
            }
        }
        fs::write(self.dir.path().join("wire"), batch).unwrap();
        let guard = format!(
            "table inet lab {{ chain input {{ type filter hook input priority filter\n\
             ip daddr {v4} ip saddr != 192.168.0.0/24 drop\n\
             ip6 daddr {v6} ip6 saddr != {}/120 drop\n}}\n}}\n",
            ipv6(prefix, xc_topology::address::MAINTENANCE, 0)
        );
        fs::write(self.dir.path().join("guard"), guard).unwrap();
        let prefix = prefix.as_str();
        self.must(&format!(
            "set -e
             cd {0}
             ip -batch wire
             nft -f ./guard
             sysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
             for name in $(ip netns list | sed 's/ .*//'); do
                 n=$((1${{name#vm-}} - 1000))
                 ip netns exec $name sysctl -q -w net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
                 printf '%s\\n' 'link set lo up' 'link set eth0 up' \
                     \"address add 192.168.0.$n/24 dev eth0\" \
                     \"address add {prefix}:192.168.0.$n/120 dev eth0 nodad\" |
                     ip -n $name -batch -
             done",
            self.dir.path().display()
        ));
    }

    fn mtu(&self, network: u8) -> u32 {
        let ports = self.nodes.iter().flat_map(|node| &node.interfaces);
        ports.filter(|port| port.network.0 == network).map(|port| port.mtu).min().unwrap_or(1500)
    }

    /// The root directory that a node's script is shown.
    pub(super) fn root(&self, node: NodeId) -> PathBuf {
        self.dir.path().join(node.to_string())
    }

    fn lay_files(
        &self,
        node: &Node,
        files: &std::collections::BTreeMap<String, render::RenderedFile>,
        setup: &Setup,
    ) {
        let root = self.root(node.id);
        for (path, file) in files {
            write(&root.join(path), &file.content, file.mode);
        }
        let Counts { vm, routers, testers } = setup.counts;
        let prefix = setup.overrides.prefix.as_str();
        let mut line = format!("console=ttyS0 xc.nvm={vm} xc.nrouters={routers}");
        let _ = write!(line, " xc.ntesters={testers} xc.prefix={prefix}");
        for port in &node.interfaces {
            let _ = write!(line, " mtu{}={}", port.network, port.mtu);
        }
        write(&root.join("proc/cmdline"), &(line + "\n"), 0o644);
        // The DNS server has tests of its own; here it only has to be called.
        write(&root.join("usr/bin/xc-dns"), "#! /bin/sh\necho \"$@\" >$XC_ROOT/run/dns\n", 0o755);
        fs::create_dir_all(root.join("run")).unwrap();
        // No module is loaded into the machine's kernel on the lab's behalf.
        let bin = self.dir.path().join("bin");
        if !bin.exists() {
            fs::create_dir(&bin).unwrap();
            symlink("/bin/true", bin.join("modprobe")).unwrap();
        }
    }

    fn run_scripts(&self) {
        let dir = self.dir.path().display();
        self.must(&format!(
            "export PATH={dir}/bin:$PATH
             for name in $(ip netns list | sed 's/ .*//'); do
                 XC_ROOT={dir}/$name ip netns exec $name busybox sh {RC} start ||
                     {{ echo \"$name failed\" >&2; exit 1; }}
             done"
        ));
    }

    /// Runs a shell command in the namespace that plays the host.
    pub(super) fn host(&self, script: &str) -> Output {
        self.host.shell(script)
    }

    /// Runs a shell command in a node.
    pub(super) fn node(&self, node: u8, script: &str) -> Output {
        self.host(&format!("exec ip netns exec vm-{node:03} sh -c '{script}'"))
    }

    /// What a command in a node printed; it has to succeed.
    pub(super) fn said(&self, node: u8, script: &str) -> String {
        text(&self.node(node, script), script)
    }

    /// The same of a command in the namespace that plays the host.
    pub(super) fn must(&self, script: &str) -> String {
        text(&self.host(script), script)
    }
}

fn text(output: &Output, script: &str) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {}\n{stderr}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn write(path: &Path, content: &str, mode: u32) {
    fs::create_dir_all(path.parent().expect("below the lab's directory")).unwrap();
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}
