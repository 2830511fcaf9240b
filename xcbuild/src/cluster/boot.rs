//! Bringing nodes up: start their qemus, a few at a time, and wait until each says that it is ready.
//!
//! How many boot at once is bounded, since more of them than the host has cores for only make each
//! other slow; the next one starts the moment one is ready. Nothing sleeps: see [`super::watch`].
//! A node that dies, panics, says that it failed, or isn't ready in its time ends the wait, with
//! the last lines of its console; so does one that was ready and dies while others still boot.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::spawn::{remove_if_there, spawn};
use super::state::State;
use super::watch::{Agent, Tail, Watch, Woken, end_of, panic_line};
use super::{Event, RunDir, dns};
use crate::topology::address::NodeId;
use crate::vm::command::{Accel, Paths};
use crate::vm::process::{Held, ProcessId};

/// How many lines of a console are shown when its node fails.
const CONSOLE_LINES: usize = 20;

/// A node that did not come up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct NodeFailed {
    /// The node.
    pub node: NodeId,
    /// What happened.
    pub reason: String,
    /// The file that `end` is from.
    pub log: PathBuf,
    /// The last lines of its console, or of its qemu's own words.
    pub end: String,
}

impl fmt::Display for NodeFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} did not come up: {}; the log is {}",
            self.node,
            self.reason,
            self.log.display()
        )?;
        self.end.lines().try_for_each(|line| write!(f, "\n    {line}"))
    }
}

/// How nodes are brought up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// How many boot at once.
    pub parallel: usize,
    /// How long each may take.
    pub each: Duration,
    /// Whether to wait until nodes are ready.
    pub wait: bool,
}

impl Limits {
    /// What the user wants, else what suits this host and the accelerator.
    pub(super) fn new(accel: Accel, parallel: Option<usize>, each: Option<Duration>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let (at_once, seconds) = match accel {
            Accel::Kvm => (cores * 2, 60),
            // A node that boots by translation keeps a core busy all the time.
            Accel::Tcg => (cores, 180),
        };
        Self {
            parallel: parallel.unwrap_or(at_once).max(1),
            each: each.unwrap_or(Duration::from_secs(seconds)),
            wait: true,
        }
    }

    /// With or without the wait for nodes to be ready.
    pub(super) fn waiting(self, wait: bool) -> Self {
        Self { wait, ..self }
    }
}

/// How a node comes to boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Its qemu is started.
    Launch,
    /// Its qemu runs and boots it anew; what it says from here on (a length of its agent file)
    /// counts.
    Reset(u64),
}

/// A node whose qemu runs.
struct Booting {
    held: Held,
    since: Instant,
    agent: Agent,
    words: Tail,
    console: Tail,
}

/// The nodes on their way, and the state in which that is written.
struct Boot<'a> {
    run: &'a RunDir,
    state: &'a mut State,
    booting: BTreeMap<NodeId, Booting>,
    ready: BTreeMap<NodeId, Held>,
    dns: Option<Held>,
    limits: Limits,
    progress: &'a dyn Fn(Event),
}

/// Boots nodes that are in the state and returns when all are ready.
///
/// # Errors
/// [`NodeFailed`] for the first that is not, [`crate::sys::cancel::Cancelled`], or what the host
/// refused. What was started until then still runs.
pub(super) fn nodes(
    run: &RunDir,
    state: &mut State,
    nodes: &[(NodeId, Way)],
    limits: Limits,
    progress: &dyn Fn(Event),
) -> Result<()> {
    let watch = Watch::new(&[&run.path(), &state.logs])?;
    let mut waiting: VecDeque<_> = nodes.iter().copied().collect();
    let (booting, ready) = (BTreeMap::new(), BTreeMap::new());
    let dns =
        state.dns.as_ref().and_then(|d| d.process).map(ProcessId::hold).transpose()?.flatten();
    let mut boot = Boot { run, state, booting, ready, dns, limits, progress };
    loop {
        while (!limits.wait || boot.booting.len() < limits.parallel)
            && let Some((node, way)) = waiting.pop_front()
        {
            boot.begin(node, way)?;
        }
        let Some(deadline) = boot.deadline().filter(|_| limits.wait) else { return Ok(()) };
        let all =
            boot.booting.values().map(|b| &b.held).chain(boot.ready.values()).chain(&boot.dns);
        let woken = watch.wait(&all.collect::<Vec<_>>(), deadline)?;
        boot.look(woken)?;
    }
}

impl Boot<'_> {
    fn paths(&self, node: NodeId) -> Paths {
        self.run.node(node, &self.state.logs)
    }

    /// When the first node's time is up; `None` if no node boots.
    fn deadline(&self) -> Option<Instant> {
        self.booting.values().map(|b| b.since + self.limits.each).min()
    }

    /// Lets a node boot and takes hold of its qemu.
    fn begin(&mut self, id: NodeId, way: Way) -> Result<()> {
        let paths = self.paths(id);
        let since = Instant::now();
        let (process, words, console) = match way {
            Way::Launch => {
                let process = self.launch(id, &paths)?;
                (process, Tail::new(&paths.agent_log), Tail::new(&paths.console_log))
            }
            Way::Reset(said) => {
                let process = self.state.nodes.get(&id.number()).and_then(|n| n.process);
                let console = Tail::from_end(&paths.console_log);
                (process, Tail::from(&paths.agent_log, said), console)
            }
        };
        let Some(held) = process.map(ProcessId::hold).transpose()?.flatten() else {
            return Err(self.died(id).into());
        };
        self.booting.insert(id, Booting { held, since, agent: Agent::Silent, words, console });
        (self.progress)(Event::Launched(id));
        Ok(())
    }

    /// Starts a node's qemu. It is in the state already; now its process is, too.
    fn launch(&mut self, id: NodeId, paths: &Paths) -> Result<Option<ProcessId>> {
        // What a former qemu of the node wrote must not be taken for this one's words.
        remove_if_there(&paths.agent_log)?;
        remove_if_there(&paths.console_log)?;
        let log = qemu_log(&self.state.logs, id);
        let enter = self.state.network.reach();
        let node = self.state.nodes.get_mut(&id.number()).context("a node that is not planned")?;
        node.process = spawn(&[enter.as_slice(), &node.argv].concat(), &log)?;
        (node.ready_ms, node.paused) = (None, false);
        let process = node.process;
        self.state.save(self.run)?;
        Ok(process)
    }

    /// Looks at every node after something has changed.
    fn look(&mut self, woken: Woken) -> Result<()> {
        let now = Instant::now();
        for id in self.booting.keys().copied().collect::<Vec<_>>() {
            self.look_at(id, now, woken == Woken::TimedOut)?;
        }
        if let Some((id, _)) = self.ready.iter().find(|(_, held)| held.wait(now)) {
            return Err(self.died(*id).into());
        }
        if self.dns.as_ref().is_some_and(|dns| dns.wait(now)) {
            bail!(dns::ended(&self.state.logs));
        }
        Ok(())
    }

    fn look_at(&mut self, id: NodeId, now: Instant, timed_out: bool) -> Result<()> {
        let Some(node) = self.booting.get_mut(&id) else { return Ok(()) };
        let panicked = node.console.lines().iter().find_map(|l| panic_line(l).map(str::to_owned));
        node.words.lines().iter().for_each(|line| node.agent.hear(line));
        let (took, died) = (now - node.since, node.held.wait(now));
        match node.agent.clone() {
            _ if died => Err(self.died(id).into()),
            Agent::Ready => self.is_ready(id, took),
            Agent::Failed(what) => {
                Err(self.failed(id, format!("it says that {what} failed")).into())
            }
            Agent::Silent if panicked.is_some() => {
                Err(self.failed(id, panicked.unwrap_or_default()).into())
            }
            Agent::Silent if timed_out && took >= self.limits.each => {
                let limit = self.limits.each.as_secs();
                let reason = format!("not ready within {limit} s (--timeout gives it longer)");
                Err(self.failed(id, reason).into())
            }
            Agent::Silent => Ok(()),
        }
    }

    fn is_ready(&mut self, id: NodeId, took: Duration) -> Result<()> {
        if let Some(node) = self.booting.remove(&id) {
            self.ready.insert(id, node.held);
        }
        if let Some(node) = self.state.nodes.get_mut(&id.number()) {
            node.ready_ms = Some(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
        }
        (self.progress)(Event::Ready(id, took));
        self.state.save(self.run)
    }

    /// A failure that the node's console explains.
    fn failed(&self, node: NodeId, reason: String) -> NodeFailed {
        let log = self.paths(node).console_log;
        NodeFailed { node, reason, end: end_of(&log, CONSOLE_LINES), log }
    }

    /// The failure of a node whose qemu has ended, which qemu explains if it ended by itself.
    fn died(&self, node: NodeId) -> NodeFailed {
        let log = qemu_log(&self.state.logs, node);
        match end_of(&log, CONSOLE_LINES) {
            end if end.is_empty() => self.failed(node, "its qemu has ended".into()),
            end => NodeFailed { node, reason: "its qemu has ended".into(), log, end },
        }
    }
}

/// The log of a node's qemu itself.
fn qemu_log(logs: &Path, node: NodeId) -> PathBuf {
    logs.join(format!("{node}.qemu.log"))
}
