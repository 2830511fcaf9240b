//! Bringing nodes up: start their qemus, a few at a time, and wait until each says that it is ready.
//!
//! How many boot at once is bounded ([`slots`]), and so is what may come before what ([`order`]);
//! the next one starts the moment one is ready. Nothing sleeps: see [`super::watch`]. A node that
//! dies, panics, says that it failed, or isn't ready in its time ends the wait, with the last lines
//! of its console; so does one that was ready and dies while others still boot. Or the others go on
//! without it, where the user wants that.

mod console;
mod failure;
pub mod order;
mod slots;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use console::Console;
pub use failure::NodeFailed;
use order::{Order, Queue};
use slots::{Slot, Slots};

use super::spawn::{remove_if_there, spawn};
use super::state::State;
use super::watch::{Agent, Tail, Watch, Woken};
use super::{Event, RunDir, StartParams, dns};
use crate::topology::address::NodeId;
use crate::vm::command::{Accel, Paths};
use crate::vm::process::{Held, ProcessId};

/// A wait with no end in sight.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// How nodes are brought up.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    /// How many boot at once; if not given, as many as there are boot slots of the host.
    parallel: Option<usize>,
    /// How many boot slots the host has.
    slots: usize,
    /// How long each may take.
    each: Duration,
    /// Which roles come first.
    order: Order,
    /// Whether to go on without nodes that fail.
    keep_going: bool,
    /// Whether to wait until nodes are ready.
    wait: bool,
}

impl Limits {
    /// What suits this host and the accelerator, but for how long each node may take.
    pub(super) fn new(accel: Accel, each: Option<Duration>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let (slots, seconds) = match accel {
            Accel::Kvm => (cores * 2, 60),
            // A node that boots by translation keeps a core busy all the time.
            Accel::Tcg => (cores, 180),
        };
        let each = each.unwrap_or(Duration::from_secs(seconds));
        let order = Order::default();
        Self { parallel: None, slots, each, order, keep_going: false, wait: true }
    }

    /// As the user wants it for nodes that are started.
    pub(super) fn of(accel: Accel, params: &StartParams) -> Self {
        Self {
            parallel: params.parallel.map(|parallel| parallel.max(1)),
            order: params.order.clone(),
            keep_going: params.keep_going,
            ..Self::new(accel, params.timeout).waiting(params.wait && !params.at_once)
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
    console: Console,
    slot: Slot,
}

/// A node that is ready, and has to stay so until all are.
struct Ready {
    held: Held,
    console: Console,
}

/// The nodes on their way, and the state in which that is written.
struct Boot<'a> {
    run: &'a RunDir,
    state: &'a mut State,
    slots: Slots,
    booting: BTreeMap<NodeId, Booting>,
    ready: BTreeMap<NodeId, Ready>,
    failed: Vec<NodeFailed>,
    dns: Option<Held>,
    limits: Limits,
    progress: &'a dyn Fn(Event),
}

/// Boots nodes that are in the state and returns when all are ready. Gives those that failed, where
/// the others are to go on without them; their qemus are left as they are.
///
/// # Errors
/// [`NodeFailed`] for the first that is not ready, or if none is, [`crate::sys::cancel::Cancelled`],
/// or what the host refused. What was started until then still runs.
pub(super) fn nodes(
    run: &RunDir,
    state: &mut State,
    nodes: &[(NodeId, Way)],
    limits: &Limits,
    progress: &dyn Fn(Event),
) -> Result<Vec<NodeFailed>> {
    let watch = Watch::new(&[run.root(), &run.path(), &state.logs])?;
    let slots = Slots::open(run.root(), limits.slots, limits.each)?;
    let mut queue = Queue::new(&limits.order, nodes);
    let dns = state.dns.as_ref().and_then(|d| d.process).map(ProcessId::hold).transpose()?;
    let (booting, ready, failed) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    let (dns, limits) = (dns.flatten(), limits.clone());
    let mut boot = Boot { run, state, slots, booting, ready, failed, dns, limits, progress };
    loop {
        boot.begin_some(&mut queue)?;
        if queue.is_empty() && (boot.booting.is_empty() || !boot.limits.wait) {
            return boot.done(nodes.len());
        }
        let woken = watch.wait(&boot.processes(), boot.deadline())?;
        boot.look(woken)?;
    }
}

impl Boot<'_> {
    fn paths(&self, node: NodeId) -> Paths {
        self.run.node(node, &self.state.logs)
    }

    /// Those whose end is news.
    fn processes(&self) -> Vec<&Held> {
        let nodes = self.booting.values().map(|b| &b.held);
        nodes.chain(self.ready.values().map(|r| &r.held)).chain(&self.dns).collect()
    }

    /// When the first node's time is up, a panic to be told, or a boot slot to be tried again.
    fn deadline(&self) -> Instant {
        let nodes = self.booting.values().map(|b| b.since + self.limits.each);
        let consoles = self.booting.values().map(|b| &b.console);
        let consoles = consoles.chain(self.ready.values().map(|r| &r.console));
        let panics = consoles.filter_map(Console::until);
        let first = nodes.chain(panics).chain(self.slots.try_again()).min();
        first.unwrap_or_else(|| Instant::now() + DAY)
    }

    /// Lets as many nodes begin as may.
    fn begin_some(&mut self, queue: &mut Queue<'_>) -> Result<()> {
        loop {
            let on_their_way = self.booting.keys().copied().filter(|_| self.limits.wait);
            let Some((node, way)) = queue.next(on_their_way) else { return Ok(()) };
            let Some(slot) = self.slot(way)? else { return Ok(()) };
            queue.advance();
            self.begin(node, way, slot)?;
        }
    }

    /// Whether one more node may boot now.
    fn slot(&mut self, way: Way) -> Result<Option<Slot>> {
        let boots = self.booting.len();
        match (self.limits.parallel, way) {
            // Nodes that boot already, and those that nobody will know to be ready, hold no slot.
            (_, Way::Reset(_)) => Ok(Some(Slot::Beyond)),
            _ if !self.limits.wait => Ok(Some(Slot::Beyond)),
            (Some(parallel), Way::Launch) => Ok((boots < parallel).then_some(Slot::Beyond)),
            (None, Way::Launch) => self.slots.take(boots == 0),
        }
    }

    /// Lets a node boot and takes hold of its qemu.
    fn begin(&mut self, id: NodeId, way: Way, slot: Slot) -> Result<()> {
        let paths = self.paths(id);
        let since = Instant::now();
        let (process, words, console) = match way {
            Way::Launch => {
                let process = self.launch(id, &paths)?;
                (process, Tail::new(&paths.agent_log), Console::new(&paths.console_log))
            }
            Way::Reset(said) => {
                let process = self.state.nodes.get(&id.number()).and_then(|n| n.process);
                let console = Console::from_end(&paths.console_log);
                (process, Tail::from(&paths.agent_log, said), console)
            }
        };
        let Some(held) = process.map(ProcessId::hold).transpose()?.flatten() else {
            self.slots.give_back(slot);
            return self.fail(self.died(id));
        };
        let agent = Agent::Silent;
        self.booting.insert(id, Booting { held, since, agent, words, console, slot });
        (self.progress)(Event::Launched(id));
        Ok(())
    }

    /// Starts a node's qemu. It is in the state already; now its process is, too.
    fn launch(&mut self, id: NodeId, paths: &Paths) -> Result<Option<ProcessId>> {
        // What a former qemu of the node wrote must not be taken for this one's words.
        remove_if_there(&paths.agent_log)?;
        remove_if_there(&paths.console_log)?;
        let log = failure::qemu_log(&self.state.logs, id);
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
        for id in self.ready.keys().copied().collect::<Vec<_>>() {
            self.look_again(id, now)?;
        }
        if self.dns.as_ref().is_some_and(|dns| dns.wait(now)) {
            bail!(dns::ended(&self.state.logs));
        }
        Ok(())
    }

    fn look_at(&mut self, id: NodeId, now: Instant, timed_out: bool) -> Result<()> {
        let Some(node) = self.booting.get_mut(&id) else { return Ok(()) };
        let panicked = node.console.panicked(now);
        node.words.lines().iter().for_each(|line| node.agent.hear(line));
        let (took, died) = (now - node.since, node.held.wait(now));
        match (node.agent.clone(), panicked) {
            _ if died => self.fail(self.died(id)),
            (Agent::Ready, None) => self.is_ready(id, took),
            (Agent::Failed(what), _) => {
                self.fail(self.failed(id, format!("it says that {what} failed")))
            }
            (_, Some(panic)) => self.fail(self.failed(id, panic)),
            (Agent::Silent, None) if timed_out && took >= self.limits.each => {
                let limit = self.limits.each.as_secs();
                let reason = format!("not ready within {limit} s (--timeout gives it longer)");
                self.fail(self.failed(id, reason))
            }
            (Agent::Silent, None) => Ok(()),
        }
    }

    /// Looks at a node that was ready.
    fn look_again(&mut self, id: NodeId, now: Instant) -> Result<()> {
        let Some(node) = self.ready.get_mut(&id) else { return Ok(()) };
        match node.console.panicked(now) {
            _ if node.held.wait(now) => self.fail(self.died(id)),
            Some(panic) => self.fail(self.failed(id, panic)),
            None => Ok(()),
        }
    }

    fn is_ready(&mut self, id: NodeId, took: Duration) -> Result<()> {
        if let Some(Booting { held, console, slot, .. }) = self.booting.remove(&id) {
            self.slots.give_back(slot);
            self.ready.insert(id, Ready { held, console });
        }
        if let Some(node) = self.state.nodes.get_mut(&id.number()) {
            node.ready_ms = Some(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
        }
        (self.progress)(Event::Ready(id, took));
        self.state.save(self.run)
    }

    /// Ends the start for a node, or goes on without it.
    fn fail(&mut self, failure: NodeFailed) -> Result<()> {
        if !self.limits.keep_going {
            bail!(failure);
        }
        if let Some(booting) = self.booting.remove(&failure.node) {
            self.slots.give_back(booting.slot);
        }
        self.ready.remove(&failure.node);
        (self.progress)(Event::Failed(failure.clone()));
        self.failed.push(failure);
        Ok(())
    }

    fn done(mut self, all: usize) -> Result<Vec<NodeFailed>> {
        if self.failed.len() == all
            && let Some(first) = self.failed.drain(..).next()
        {
            bail!(first);
        }
        Ok(self.failed)
    }

    fn failed(&self, node: NodeId, reason: String) -> NodeFailed {
        NodeFailed::of_node(self.run, &self.state.logs, node, reason)
    }

    fn died(&self, node: NodeId) -> NodeFailed {
        NodeFailed::of_qemu(self.run, &self.state.logs, node)
    }
}
