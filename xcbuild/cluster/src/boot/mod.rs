//! Bringing nodes up: start their qemus, a few at a time, and wait until each says that it is ready.
//!
//! How many boot at once is bounded ([`slots`]), and so is what may come before what ([`order`]);
//! the next one starts the moment one is ready. Nothing sleeps: see [`super::host::Watch`]. A node that
//! dies, panics, says that it failed, or isn't ready in its time ends the wait, with the last lines
//! of its console; so does one that was ready and dies while others still boot. Or the others go on
//! without it, where the user wants that.

mod failure;
mod limits;
pub mod order;
mod panic;
mod poll;
mod slots;

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Result, bail};

pub use failure::NodeFailed;
pub(super) use limits::Limits;
use order::Queue;
use panic::PanicWatch;
use slots::{Slot, Slots};

use super::Event;
use super::agent::Agent;
use super::cluster::LockedCluster;
use super::tail::Tail;
use xc_topology::address::NodeId;
use xc_vm::command::Paths;
use xc_vm::process::{Held, ProcessId};

/// How a node comes to boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BootKind {
    /// Its qemu is started.
    Launch,
    /// Its qemu runs and boots it again; what it says from here on (a length of its agent file)
    /// counts.
    Reset(u64),
}

/// A node whose qemu runs.
struct Booting {
    held: Held,
    since: Instant,
    agent: Agent,
    /// What it says on its agent port.
    said: Tail,
    panic: PanicWatch,
    slot: Slot,
    /// Whether only its services are left to start: it may wait for nodes that still have to boot.
    serves: bool,
}

/// A node that is ready, and has to stay so until all are.
struct Ready {
    held: Held,
    panic: PanicWatch,
}

/// The nodes on their way, and the state in which that is written.
struct Boot<'a> {
    cluster: &'a mut LockedCluster,
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
    cluster: &mut LockedCluster,
    nodes: &[(NodeId, BootKind)],
    limits: &Limits,
    progress: &dyn Fn(Event),
) -> Result<Vec<NodeFailed>> {
    let (host, state) = (cluster.host().clone(), cluster.state());
    let (root, directory) = (cluster.run().root().to_path_buf(), cluster.run().path());
    let watch = host.watch(&[&root, &directory, &state.logs])?;
    let slots = Slots::open(&root, limits.slots, limits.each)?;
    let mut queue = Queue::new(&limits.order, nodes);
    let dns = state.dns.as_ref().and_then(|dns| dns.helper.process);
    let dns = dns.map(|process| host.hold(process)).transpose()?.flatten();
    let (booting, ready, failed) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    let limits = limits.clone();
    let mut boot = Boot { cluster, slots, booting, ready, failed, dns, limits, progress };
    loop {
        boot.begin_some(&mut queue)?;
        if queue.is_empty() && (boot.booting.is_empty() || !boot.limits.wait) {
            return boot.done(nodes.len());
        }
        watch.wait(&boot.processes(), boot.deadline())?;
        boot.poll()?;
    }
}

impl Boot<'_> {
    /// Those whose end is news.
    fn processes(&self) -> Vec<&Held> {
        let nodes = self.booting.values().map(|b| &b.held);
        nodes.chain(self.ready.values().map(|r| &r.held)).chain(&self.dns).collect()
    }

    /// When the first node's time is up, a panic to be told, or a boot slot to be tried again.
    fn deadline(&self) -> Option<Instant> {
        let nodes = self.booting.values().map(|b| b.since + self.limits.each);
        let panics = self.booting.values().map(|b| &b.panic);
        let panics = panics.chain(self.ready.values().map(|r| &r.panic));
        let panics = panics.filter_map(PanicWatch::until);
        nodes.chain(panics).chain(self.slots.try_again()).min()
    }

    /// Lets as many nodes begin as may.
    fn begin_some(&mut self, queue: &mut Queue<'_>) -> Result<()> {
        loop {
            let on_their_way = self.booting.keys().copied().filter(|_| self.limits.wait);
            let Some((node, kind)) = queue.next(on_their_way) else { return Ok(()) };
            let Some(slot) = self.slot(kind)? else { return Ok(()) };
            queue.advance();
            self.begin(node, kind, slot)?;
        }
    }

    /// Whether one more node may boot now.
    fn slot(&mut self, kind: BootKind) -> Result<Option<Slot>> {
        let boots = self.booting.values().filter(|node| !node.serves).count();
        match (self.limits.parallel, kind) {
            // Nodes that boot already, and those that nobody will know to be ready, hold no slot.
            (_, BootKind::Reset(_)) => Ok(Some(Slot::Unlimited)),
            _ if !self.limits.wait => Ok(Some(Slot::Unlimited)),
            (Some(parallel), BootKind::Launch) => Ok((boots < parallel).then_some(Slot::Unlimited)),
            (None, BootKind::Launch) => self.slots.take(boots == 0),
        }
    }

    /// Lets a node boot and takes hold of its qemu.
    fn begin(&mut self, id: NodeId, kind: BootKind, slot: Slot) -> Result<()> {
        let paths = self.cluster.files(id);
        let host = self.cluster.host().clone();
        let since = Instant::now();
        let (process, said, panic) = match kind {
            BootKind::Launch => {
                let process = self.launch(id, &paths)?;
                let said = Tail::new(&host, &paths.agent_log);
                (process, said, PanicWatch::new(&host, &paths.console_log))
            }
            BootKind::Reset(before) => {
                let said = Tail::from(&host, &paths.agent_log, before);
                let panic = PanicWatch::from_end(&host, &paths.console_log);
                (self.cluster.process(id), said, panic)
            }
        };
        let Some(held) = process.map(|process| host.hold(process)).transpose()?.flatten() else {
            self.slots.give_back(slot);
            return self.fail(self.died(id));
        };
        let agent = Agent::Silent;
        self.booting.insert(id, Booting { held, since, agent, said, panic, slot, serves: false });
        (self.progress)(Event::Launched(id));
        Ok(())
    }

    /// Starts a node's qemu. It is in the state already; now its process is, too.
    fn launch(&mut self, id: NodeId, paths: &Paths) -> Result<Option<ProcessId>> {
        let host = self.cluster.host().clone();
        // What a former qemu of the node wrote must not be taken for what this one says.
        host.remove(&paths.agent_log)?;
        host.remove(&paths.console_log)?;
        let state = self.cluster.state();
        let log = failure::qemu_log(&state.logs, id);
        let argv = [state.network.netns_prefix(), self.cluster.node(id)?.argv.clone()].concat();
        let process = host.spawn(&argv, &log)?;
        self.cluster.update_node(id, |node| {
            (node.process, node.ready_ms, node.paused) = (process, None, false);
        })?;
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
        NodeFailed::of_node(self.cluster, node, reason)
    }

    fn died(&self, node: NodeId) -> NodeFailed {
        NodeFailed::of_qemu(self.cluster, node)
    }
}
