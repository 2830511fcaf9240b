//! Hosts to throw away, with a workspace: what `nsadd` and clusters do to a machine's network, seen
//! from before and after.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use super::Workspace;
use super::throwaway::Throwaway;

/// All of a host that `nsadd` may touch, as text. Counters, timers and what belongs to single links
/// that come and go are not in it.
const SNAPSHOT: &str = "nft list ruleset
    ip -o link | sed 's/^[0-9]*: //'
    ip -o address | sed 's/^[0-9]*: //; s/valid_lft.*//'
    ip -4 route show table all
    ip -6 route show table all | sed 's/expires [0-9]*sec//'
    ip rule; ip -6 rule
    sysctl -a 2>/dev/null | grep -E '^net\\.ipv[46]\\.(ip_|conf\\.|icmp|fib)' | sort
    ls /run/netns /run/xcbuild";

/// A link to a neighbour that knows no way back to anything but the host's own address, an IPv6
/// default route that a router announced, a firewall table and settings that are not the default.
const SETTLED: &str = "set -e
    ip netns add world
    ip link add lan type veth peer name uplink netns world
    ip address add 10.9.0.1/24 dev lan; ip address add fd09::1/64 dev lan nodad
    ip link set lan addrgenmode none up
    ip -n world address add 10.9.0.2/24 dev uplink
    ip -n world address add fd09::2/64 dev uplink nodad
    ip -n world link set uplink up
    sysctl -qw net.ipv4.conf.lan.forwarding=1 net.ipv4.conf.all.accept_redirects=0
    ip route add default via 10.9.0.2
    ip -6 route add default via fd09::2 dev lan proto ra expires 9000
    nft add table inet mine
    nft add chain inet mine forward '{ type filter hook forward priority 0; policy accept; }'
    mkdir -p /run/xcbuild; touch /run/xcbuild/lock
    until ip link show lan | grep -q 'state UP'; do :; done
    until ip -6 route show table local | grep -q '^local fd09::1 dev lan'; do :; done";

/// A user of the throwaway host, who is in no group that means anything.
pub(crate) const KIM: u32 = 4242;

/// Who runs the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// Root, who calls himself kim.
    Root,
    /// The user kim, who can't become anybody else: no setuid program works for him.
    Kim,
}

/// A user of a host, with a workspace.
pub(crate) struct Host {
    pub host: Arc<Throwaway>,
    pub workspace: Workspace,
    who: Who,
}

impl Host {
    /// A host for root. It needs [`super::need::HOST`].
    pub(crate) fn new() -> Self {
        let host = Arc::new(Throwaway::open().unwrap());
        let mut workspace = Workspace::new();
        workspace.set("USER", "kim");
        Self { host, workspace, who: Who::Root }
    }

    /// A link to a neighbour, `world`, and settings that are not the default.
    pub(crate) fn settle(&self) {
        self.host.said(SETTLED);
    }

    /// All of the host that a cluster may not change, as text.
    pub(crate) fn snapshot(&self) -> String {
        self.host.said(SNAPSHOT)
    }

    /// Compares the host with a snapshot.
    pub(crate) fn assert_is(&self, before: &str) {
        let after = self.snapshot();
        let gone: Vec<_> = before.lines().filter(|l| !after.lines().any(|a| a == *l)).collect();
        let new: Vec<_> = after.lines().filter(|l| !before.lines().any(|b| b == *l)).collect();
        assert!(gone.is_empty() && new.is_empty(), "gone: {gone:#?}\nnew: {new:#?}");
        assert_eq!(after.lines().count(), before.lines().count());
    }

    /// Makes images in the workspace, where packages can be fetched: not on the host, which leads
    /// nowhere.
    pub(crate) fn prepare(&self) {
        self.workspace.ok(&["mkimage"]);
        self.workspace.ok(&["mkcdrom", "network-topology", "iptools"]);
    }

    /// The same host as the user kim sees it, who has a home and a run directory of his own and
    /// root's lock file. The user is the host's own, as are the device that makes taps, which kim
    /// may open, and the store, whose changes are thrown away.
    pub(crate) fn kim(&self) -> Self {
        let program = env!("CARGO_BIN_EXE_xcbuild");
        let mut workspace = Workspace::new();
        let home = workspace.home().display().to_string();
        let run = workspace.run_directory().display().to_string();
        let store = Path::new(env!("CARGO_TARGET_TMPDIR")).join("store");
        let lock_file = self.workspace.home().join("xcluster/xcbuild.lock");
        self.host.said(&format!(
            "set -e
             for file in passwd group; do cp /etc/$file /run/$file; done
             echo 'kim:x:{KIM}:{KIM}::{home}:/bin/sh' >>/run/passwd
             echo 'kim:x:{KIM}:' >>/run/group
             for file in passwd group; do mount --bind /run/$file /etc/$file; done
             mount -t tmpfs tmpfs /dev/net; chmod 755 /dev/net
             mknod /dev/net/tun c 10 200; chmod 666 /dev/net/tun
             mkdir /run/changes /run/work /run/store {home}/xcluster
             cp {} {home}/xcluster/
             mount -t overlay -o lowerdir={},upperdir=/run/changes,workdir=/run/work,metacopy=on \
                 overlay /run/store
             touch /run/xcbuild-program; mount --bind {program} /run/xcbuild-program
             chown -R {KIM}:{KIM} {home} {run} /run/store",
            lock_file.display(),
            store.display()
        ));
        workspace.set("USER", "kim");
        workspace.set("XCBUILD_STORE", "/run/store");
        Self { host: Arc::clone(&self.host), workspace, who: Who::Kim }
    }

    /// The program's path on this host.
    pub(crate) fn program(&self) -> &'static str {
        match self.who {
            Who::Root => env!("CARGO_BIN_EXE_xcbuild"),
            Who::Kim => "/run/xcbuild-program",
        }
    }

    /// A command of whoever runs the program, in the workspace's environment.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = match self.who {
            Who::Root => self.host.command(program),
            Who::Kim => {
                let mut command = self.host.command("setpriv");
                command.args([format!("--reuid={KIM}"), format!("--regid={KIM}")]);
                command.args(["--init-groups", "--no-new-privs", program]);
                command
            }
        };
        command.env_clear().envs(self.workspace.environment());
        command
    }

    /// Runs the program.
    pub(crate) fn xcbuild(&self, arguments: &[&str]) -> Output {
        self.command(self.program()).args(arguments).output().unwrap()
    }

    /// Runs the program, which has to succeed, and gives its stdout.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let done = self.xcbuild(arguments);
        let stderr = String::from_utf8_lossy(&done.stderr);
        let stdout = String::from_utf8(done.stdout).unwrap();
        assert!(done.status.success(), "{arguments:?}: {stderr}\n{stdout}");
        stdout
    }

    /// Runs the program, which has to fail, and gives its stderr.
    pub(crate) fn fails(&self, arguments: &[&str]) -> String {
        let done = self.xcbuild(arguments);
        assert_eq!(done.status.code(), Some(1), "{arguments:?}");
        String::from_utf8(done.stderr).unwrap()
    }
}
