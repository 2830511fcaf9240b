//! Bridges and taps in a namespace of the cluster's own, which goes with its processes.
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
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::super::state::{Helper, State};
use super::super::{RunDir, helper};
use super::{APPLY_VERB, Network, Steps};
use xc_net::bridges::{self, Wiring};
use xc_net::op::{Op, Undo};
use xc_net::rootless;
use xc_sys::exec::{Exec, find_program, own_program};
use xc_vm::process::ProcessId;

/// Where slirp4netns may be.
const PROGRAMS: &str = "/usr/local/bin:/usr/bin:/bin";

/// A namespace of the cluster's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rootless {
    /// What is still to be done.
    plan: Vec<Op>,
    /// The process that holds the namespace.
    holder: Helper,
    /// The process that joins it to the outside, if the host has the program.
    outside: Option<Helper>,
    /// The files by which it is entered: user, network.
    files: [PathBuf; 2],
}

impl Rootless {
    /// Plans the namespace of a cluster's first nodes.
    pub(super) fn plan(run: &RunDir, dns_port: u16, wiring: &Wiring<'_>) -> Result<Self> {
        let file = |name: &str| run.path().join(name);
        let holder =
            [&rootless::HOLDER.map(str::to_owned)[..], &[text(&run.namespace_file())?]].concat();
        let outside = find_program("slirp4netns", OsStr::new(PROGRAMS)).map(|program| {
            let files = ["net.ns", "user.ns", "slirp.sock"].map(|name| text(&file(name)));
            let [net, user, socket] = files;
            let argv = rootless::outside(&text(&program)?, &net?, &user?, &socket?);
            Ok::<_, anyhow::Error>(Helper { argv, process: None })
        });
        let outside = outside.transpose()?;
        let mut plan = rootless::plan(wiring.prefix, outside.as_ref().map(|_| dns_port));
        plan.extend(bridges::plan(wiring, 0, &[]));
        let holder = Helper { argv: holder, process: None };
        Ok(Self { plan, holder, outside, files: [file("user.ns"), file("net.ns")] })
    }

    /// Plans what more nodes need.
    pub(super) fn add(&mut self, wiring: &Wiring<'_>) -> Result<()> {
        let there = self.links().context("can't look into the cluster's namespace")?;
        self.plan = bridges::plan(wiring, 0, &there);
        Ok(())
    }

    /// Removes some links.
    pub(super) fn drop(&self, links: &[String]) -> Result<()> {
        let undo = links.iter().cloned().map(Undo::Link).collect();
        steps(&self.enter(), &Steps { apply: Vec::new(), undo })
    }

    /// Whether it is joined to the outside.
    pub(super) fn has_outside(&self) -> bool {
        self.outside.is_some()
    }

    /// Its processes.
    pub(super) fn processes(&self) -> Vec<ProcessId> {
        let outside = self.outside.as_ref().and_then(|o| o.process);
        self.holder.process.into_iter().chain(outside).collect()
    }

    /// The words that enter it, up to the program.
    pub(super) fn enter(&self) -> Vec<String> {
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

    /// The names of the links in it, as proc_pid_net(5) has them: after two lines of heads, `NAME:`.
    fn links(&self) -> Result<Vec<String>> {
        let words = [self.enter(), vec!["cat".into(), "/proc/self/net/dev".into()]].concat();
        let table = exec(&words).context("an empty command")?.output()?;
        let table = String::from_utf8_lossy(&table);
        let name = |line: &str| Some(line.split_once(':')?.0.trim().to_owned());
        Ok(table.lines().filter_map(name).collect())
    }
}

/// Makes what is planned; the first time the namespace itself, and the way out of it.
pub(super) fn make(run: &RunDir, state: &mut State) -> Result<()> {
    let Some(this) = of(state) else { return Ok(()) };
    let (files, enter, plan) = (this.files.clone(), this.enter(), std::mem::take(&mut this.plan));
    let (first, has_outside) = (this.holder.process.is_none(), this.has_outside());
    if first {
        fs_err::write(run.namespace_file(), "ready\n")?;
        let names = ("namespace", "the process that holds the namespace");
        let holder =
            helper::start(run, state, names, "ready", |s| of(s).map(|this| &mut this.holder))?;
        let holder = holder.context("the process that holds the namespace has ended")?;
        for (file, name) in files.iter().zip(["user", "net"]) {
            symlink(format!("/proc/{}/ns/{name}", holder.pid), file)
                .with_context(|| format!("can't make `{}`", file.display()))?;
        }
    }
    steps(&enter, &Steps { apply: plan, undo: Vec::new() })?;
    if first && has_outside {
        let names = ("slirp4netns", "slirp4netns");
        helper::start(run, state, names, rootless::OUTSIDE_READY, |state| {
            of(state).and_then(|this| this.outside.as_mut())
        })?;
    }
    Ok(())
}

fn of(state: &mut State) -> Option<&mut Rootless> {
    match &mut state.network {
        Network::Rootless(this) => Some(this),
        _ => None,
    }
}

/// Has an xcbuild do steps in the namespace that the words enter.
fn steps(words: &[String], steps: &Steps) -> Result<()> {
    let program = text(&own_program()?)?;
    let line = [words, &[program, APPLY_VERB.into()]].concat();
    let exec = exec(&line).context("an empty command")?;
    exec.stdin_bytes(serde_json::to_vec(steps)?).output()?;
    Ok(())
}

fn exec(words: &[String]) -> Option<Exec> {
    let (program, args) = words.split_first()?;
    Some(Exec::new(program).args(args))
}

fn text(path: &Path) -> Result<String> {
    let text = path.to_str().map(ToOwned::to_owned);
    text.with_context(|| format!("the path `{}` is not UTF-8", path.display()))
}
