//! `rootless`: bridges and taps in a namespace of the cluster's own, which goes with its processes.
//!
//! A `rootless` namespace has an owner, the user, who is root in it. It is entered by its files in
//! the run directory, which are links into `/proc` of the process that holds it:
//!
//! ```text
//!   <cluster>/namespace    what the holder (`tail -f`) shows when it is in its namespace: `ready`
//!   <cluster>/user.ns      -> /proc/<holder>/ns/user
//!   <cluster>/net.ns       -> /proc/<holder>/ns/net
//!   <cluster>/slirp.sock   slirp4netns's control socket; by it a stray slirp4netns is found
//! ```

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::driver::{Attach, Availability, DnsListener, Driver, Request, Site};
use super::host::{Finding, Host, NFT, Program, install};
use super::{APPLY_VERB, Steps, taps};
use crate::RunDir;
use crate::state::Helper;
use xc_net::apply::read_setting;
use xc_net::bridges::{self, Wiring};
use xc_net::op::{Op, Undo};
use xc_net::rootless;
use xc_net::user::UserNet;
use xc_sys::exec::{Exec, find_program, own_program};
use xc_sys::tap;
use xc_topology::address::{NetworkId, NodeId};
use xc_vm::port::Port;
use xc_vm::process::ProcessId;

/// Where slirp4netns may be.
const PROGRAMS: &str = "/usr/local/bin:/usr/bin:/bin";

const SLIRP: Program =
    Program { name: "slirp4netns", package: "slirp4netns", purpose: "leads nodes outside" };

/// How the word begins that names slirp4netns's control socket in its command line.
const SOCKET_OPTION: &str = "--api-socket=";

/// A namespace of the cluster's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rootless {
    /// What is still to be done.
    plan: Vec<Op>,
    /// The process that holds the namespace.
    holder: Helper,
    /// The process that joins it to the outside, if the host has the program.
    outside: Option<Helper>,
    /// The files by which it is entered: user, network.
    files: [PathBuf; 2],
}

impl Driver for Rootless {
    fn summary() -> &'static str {
        "bridges in a namespace of the user's own"
    }

    /// Scripts rely on the ports that only `user` has.
    fn is_automatic() -> bool {
        false
    }

    fn preflight(request: &Request) -> Result<Availability> {
        if let Err(error) = tap::open() {
            let device = tap::DEVICE;
            return Ok(Availability::Missing(format!(
                "{device} can't be opened ({error}); `xcbuild doctor` tells what helps"
            )));
        }
        if request.net_setup {
            bail!(
                "__net_setup wires nodes in the namespace that xcbuild runs in, and --net=rootless makes one of its own; use --net=netns or user"
            );
        }
        Ok(Availability::Usable)
    }

    fn find(host: &Host) -> Finding {
        let namespaces = Exec::new("unshare").args(["--user", "--map-root-user", "--net", "true"]);
        if let Err(e) = namespaces.output() {
            let reason = e.stderr().lines().last().unwrap_or("unshare can't be run").to_owned();
            let why = format!("no user namespaces: {reason}");
            return Finding::bad(why, namespaces_remedy(&|key| read_setting(key)));
        }
        if let Some(lacking) = host.lacks_for_bridges() {
            return lacking;
        }
        if !host.has(&SLIRP) {
            let why = "nodes can't reach the outside without slirp4netns";
            return Finding { remedy: Some(install(&SLIRP)), ..Finding::good(why) };
        }
        Finding::good("user namespaces, taps and slirp4netns are there")
    }

    fn programs() -> &'static [Program] {
        &[NFT, SLIRP]
    }

    fn recognize(run: &RunDir, word: &[u8]) -> Option<PathBuf> {
        let socket = word.strip_prefix(SOCKET_OPTION.as_bytes());
        let file = PathBuf::from(OsStr::from_bytes(socket.unwrap_or(word)));
        let ours = match socket {
            Some(_) => file.parent() == Some(&run.path()),
            None => file == shown_file(run),
        };
        ours.then_some(file)
    }

    fn new(run: &RunDir) -> Result<Self> {
        let file = |name: &str| run.path().join(name);
        let holder =
            [&rootless::HOLDER.map(str::to_owned)[..], &[text(&shown_file(run))?]].concat();
        let outside = find_program(SLIRP.name, OsStr::new(PROGRAMS)).map(|program| {
            let files = ["net.ns", "user.ns", "slirp.sock"].map(|name| text(&file(name)));
            let [net, user, socket] = files;
            let argv = rootless::outside(&text(&program)?, &net?, &user?, &socket?);
            Ok::<_, anyhow::Error>(Helper { argv, process: None })
        });
        Ok(Self {
            plan: Vec::new(),
            holder: Helper { argv: holder, process: None },
            outside: outside.transpose()?,
            files: [file("user.ns"), file("net.ns")],
        })
    }

    fn dns_listener(&self) -> DnsListener {
        match self.outside {
            Some(_) => DnsListener::HostLoopback,
            None => DnsListener::Namespace,
        }
    }

    fn plan(&mut self, wiring: &Wiring<'_>, ports: &UserNet) -> Result<()> {
        if self.holder.process.is_some() {
            let there = self.links().context("can't look into the cluster's namespace")?;
            self.plan = bridges::plan(wiring, 0, &there);
            return Ok(());
        }
        let dns_port = self.outside.as_ref().map(|_| ports.dns_port);
        self.plan = rootless::plan(wiring.prefix, dns_port);
        self.plan.extend(bridges::plan(wiring, 0, &[]));
        Ok(())
    }

    fn attach(&self, to: &Attach<'_>) -> Port {
        taps::attach(to)
    }

    /// The first time, the namespace itself is made, and joined to the outside.
    fn make(&mut self, site: &mut Site<'_>) -> Result<()> {
        let first = self.holder.process.is_none();
        if first {
            self.hold(site)?;
        }
        let steps = Steps { apply: std::mem::take(&mut self.plan), undo: Vec::new() };
        self.run_steps(&steps)?;
        if first {
            self.join_outside(site)?;
        }
        Ok(())
    }

    fn unplug(&mut self, interfaces: &[(NodeId, NetworkId)]) -> Result<()> {
        let undo = taps::of(interfaces).into_iter().map(Undo::Link).collect();
        self.run_steps(&Steps { apply: Vec::new(), undo })
    }

    fn processes(&self) -> Vec<ProcessId> {
        let outside = self.outside.as_ref().and_then(|o| o.process);
        self.holder.process.into_iter().chain(outside).collect()
    }

    fn netns_prefix(&self) -> Vec<String> {
        let option = |name: &str, file: &Path| format!("--{name}={}", file.display());
        let [user, net] = &self.files;
        vec![
            "nsenter".into(),
            "--preserve-credentials".into(),
            option("user", user),
            option("net", net),
            "--".into(),
        ]
    }
}

impl Rootless {
    /// Starts the process that holds the namespace, and makes the files by which it is entered.
    fn hold(&mut self, site: &mut Site<'_>) -> Result<()> {
        let what = "the process that holds the namespace";
        fs_err::write(shown_file(site.run()), "ready\n")?;
        let starting = site.launch(("namespace", what), &self.holder.argv)?;
        self.holder.process = starting.process();
        site.record(self.clone())?;
        let holder = starting.ready("ready")?.with_context(|| format!("{what} has ended"))?;
        for (file, name) in self.files.iter().zip(["user", "net"]) {
            symlink(format!("/proc/{}/ns/{name}", holder.pid), file)
                .with_context(|| format!("can't make `{}`", file.display()))?;
        }
        Ok(())
    }

    /// Starts the process that joins the namespace to the outside, if there is one.
    fn join_outside(&mut self, site: &mut Site<'_>) -> Result<()> {
        let Some(outside) = &mut self.outside else { return Ok(()) };
        let starting = site.launch((SLIRP.name, SLIRP.name), &outside.argv)?;
        outside.process = starting.process();
        site.record(self.clone())?;
        starting.ready(rootless::OUTSIDE_READY)?;
        Ok(())
    }

    /// The names of the links in it, as proc_pid_net(5) has them: after two lines of heads, `NAME:`.
    fn links(&self) -> Result<Vec<String>> {
        let words = [self.netns_prefix(), vec!["cat".into(), "/proc/self/net/dev".into()]].concat();
        let table = exec(&words).context("an empty command")?.output()?;
        let table = String::from_utf8_lossy(&table);
        let name = |line: &str| Some(line.split_once(':')?.0.trim().to_owned());
        Ok(table.lines().filter_map(name).collect())
    }

    /// Has an xcbuild do steps in the namespace.
    fn run_steps(&self, steps: &Steps) -> Result<()> {
        let program = text(&own_program()?)?;
        let line = [self.netns_prefix(), vec![program, APPLY_VERB.into()]].concat();
        let exec = exec(&line).context("an empty command")?;
        exec.stdin_bytes(serde_json::to_vec(steps)?).output()?;
        Ok(())
    }
}

/// The file that the process shows which holds the namespace.
fn shown_file(run: &RunDir) -> PathBuf {
    run.path().join("namespace")
}

/// What lets users make namespaces: each way to forbid it has a setting of its own.
fn namespaces_remedy(setting: &dyn Fn(&str) -> Option<String>) -> &'static str {
    let is = |key: &str, value: &str| setting(key).as_deref() == Some(value);
    if is("user/max_user_namespaces", "0") {
        return "sudo sysctl -w user.max_user_namespaces=10000";
    }
    if is("kernel/apparmor_restrict_unprivileged_userns", "1") {
        return "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0";
    }
    if is("kernel/unprivileged_userns_clone", "0") {
        return "sudo sysctl -w kernel.unprivileged_userns_clone=1";
    }
    ""
}

fn exec(words: &[String]) -> Option<Exec> {
    let (program, args) = words.split_first()?;
    Some(Exec::new(program).args(args))
}

fn text(path: &Path) -> Result<String> {
    let text = path.to_str().map(ToOwned::to_owned);
    text.with_context(|| format!("the path `{}` is not UTF-8", path.display()))
}

#[cfg(test)]
mod tests {
    use xc_report::Reporter;

    use super::{Driver, Rootless, namespaces_remedy};
    use crate::RunDir;
    use crate::network::Network;
    use xc_topology::address::Prefix;

    #[test]
    fn the_setting_that_forbids_namespaces_is_named() {
        let rows = [
            ("user/max_user_namespaces", "0", "user.max_user_namespaces=10000"),
            ("kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
            (
                "kernel/apparmor_restrict_unprivileged_userns",
                "1",
                "kernel.apparmor_restrict_unprivileged_userns=0",
            ),
        ];
        for (key, value, wanted) in rows {
            let remedy = namespaces_remedy(&|k| (k == key).then(|| value.to_owned()));
            assert_eq!(remedy, format!("sudo sysctl -w {wanted}"));
        }
        assert_eq!(namespaces_remedy(&|_| None), "", "whatever it is, no setting tells");
    }

    #[test]
    fn the_proxy_listens_where_nodes_reach_it() {
        let run = RunDir::new("/r".as_ref(), &"c".parse().unwrap(), &Reporter::silent()).unwrap();
        let mut network = Rootless::new(&run).unwrap();
        let words = |network: &Rootless| Network::from(network.clone()).dns(&Prefix::default());
        network.outside = Some(network.holder.clone());
        assert_eq!(words(&network), (Vec::new(), Vec::new()), "slirp4netns leads to the loopback");
        network.outside = None;
        let (listen, enter) = words(&network);
        assert_eq!(listen, ["--listen=192.168.0.250", "--listen=1000::1:c0a8:fa"]);
        assert!(enter.join(" ").ends_with("--user=/r/c/user.ns --net=/r/c/net.ns --"), "{enter:?}");
    }

    #[test]
    fn processes_are_recognized_by_files_of_the_run_directory() {
        let run = RunDir::new("/r".as_ref(), &"c".parse().unwrap(), &Reporter::silent()).unwrap();
        let rows = [
            ("/r/c/namespace", Some("/r/c/namespace")),
            ("--api-socket=/r/c/slirp.sock", Some("/r/c/slirp.sock")),
            ("--api-socket=/r/other/slirp.sock", None),
            ("/r/other/namespace", None),
            ("--api-socket=", None),
            ("", None),
        ];
        for (word, file) in rows {
            let found = Rootless::recognize(&run, word.as_bytes());
            assert_eq!(found.as_deref(), file.map(AsRef::as_ref), "{word}");
        }
    }
}
