//! Bringing nodes up: start their qemus, a few at a time, and wait until each says that it is ready.
//!
//! How many boot at once is bounded ([`slots`]), and so is what may come before what ([`order`]);
//! the next one starts the moment one is ready. Nothing sleeps: see [`super::watch`]. A node that
//! dies, panics, says that it failed, or isn't ready in its time ends the wait, with the last lines
//! of its console; so does one that was ready and dies while others still boot. Or the others go on
//! without it, where the user wants that.

mod console;
mod failure;
mod limits;
mod look;
pub mod order;
mod slots;

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use console::Console;
pub use failure::NodeFailed;
pub(super) use limits::Limits;
use order::Queue;
use slots::{Slot, Slots};

use super::spawn::{remove_if_there, spawn};
use super::state::State;
use super::tail::Tail;
use super::watch::Watch;
use super::words::Agent;
use super::{Event, RunDir, status};
use xc_sys::wait::FOREVER;
use xc_topology::address::NodeId;
use xc_vm::command::Paths;
use xc_vm::process::{Held, ProcessId};

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
    /// Whether only its services are left to start: it may wait for nodes that still have to boot.
    serves: bool,
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
/// [`NodeFailed`] for the first that is not ready, or if none is, [`xc_sys::cancel::Cancelled`],
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
    let dns = state.dns.as_ref().and_then(|d| d.helper.process).map(ProcessId::hold).transpose()?;
    let (booting, ready, failed) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    let (dns, limits) = (dns.flatten(), limits.clone());
    let mut boot = Boot { run, state, slots, booting, ready, failed, dns, limits, progress };
    loop {
        boot.begin_some(&mut queue)?;
        if queue.is_empty() && (boot.booting.is_empty() || !boot.limits.wait) {
            return boot.done(nodes.len());
        }
        watch.wait(&boot.processes(), boot.deadline())?;
        boot.look()?;
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
        first.unwrap_or_else(|| Instant::now() + FOREVER)
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
        let boots = self.booting.values().filter(|node| !node.serves).count();
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
                let process = status::process(self.run, self.state, id);
                let console = Console::from_end(&paths.console_log);
                (process, Tail::from(&paths.agent_log, said), console)
            }
        };
        let Some(held) = process.map(ProcessId::hold).transpose()?.flatten() else {
            self.slots.give_back(slot);
            return self.fail(self.died(id));
        };
        let agent = Agent::Silent;
        self.booting
            .insert(id, Booting { held, since, agent, words, console, slot, serves: false });
        (self.progress)(Event::Launched(id));
        Ok(())
    }

    /// Starts a node's qemu. It is in the state already; now its process is, too.
    fn launch(&mut self, id: NodeId, paths: &Paths) -> Result<Option<ProcessId>> {
        // What a former qemu of the node wrote must not be taken for this one's words.
        remove_if_there(&paths.agent_log)?;
        remove_if_there(&paths.console_log)?;
        let log = failure::qemu_log(&self.state.logs, id);
        let enter = self.state.network.netns_prefix();
        let node = self.state.nodes.get_mut(&id).context("a node that is not planned")?;
        node.process = spawn(&[enter.as_slice(), &node.argv].concat(), &log)?;
        (node.ready_ms, node.paused) = (None, false);
        let process = node.process;
        self.state.save(self.run)?;
        Ok(process)
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
