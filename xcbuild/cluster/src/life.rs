//! What happens to single nodes of a running cluster: more of them, fewer, paused, reset, started
//! again; and waiting until all are ready.
//!
//! Each of these takes the cluster's lock, so that two never write its state at once, except
//! [`wait`], which only reads.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::boot::{self, Limits, NodeFailed, Way};
use super::memory;
use super::rundir::ClusterLock;
use super::spawn::remove_if_there;
use super::state::State;
use super::status::{DEAD, NodeCondition, NodeStatus, boots_again};
use super::tail::length;
use super::watch::Watch;
use super::{Event, RunDir, StartParams, Status, console, link, network, plan, status};
use xc_topology::address::NodeId;
use xc_vm::process::{self, ProcessId};
use xc_vm::qmp::Qmp;

/// How long qemu may take to answer.
pub(super) const QMP_LIMIT: Duration = Duration::from_secs(10);

/// A cluster that got more nodes.
#[derive(Debug, Clone)]
pub struct Scaled {
    /// All of its nodes.
    pub status: Status,
    /// New ones that did not come up, where the others were to go on.
    pub failed: Vec<NodeFailed>,
}

/// Adds nodes to a running cluster and returns when they are ready. If one can't be brought up, all
/// new ones are taken out again, unless those that can are to go on. The parameters' nodes are the
/// new ones; ports and accelerator are the cluster's.
///
/// # Errors
/// As [`super::start()`], and when a node is there already or there is no cluster.
pub fn scale_out(params: &StartParams, progress: &dyn Fn(Event)) -> Result<Scaled> {
    memory::queued(&params.run, params.queue, progress, || scale_out_now(params, progress))
}

fn scale_out_now(params: &StartParams, progress: &dyn Fn(Event)) -> Result<Scaled> {
    let run = &params.run;
    let (_lock, mut state) = taken(run)?;
    let ids: Vec<NodeId> = params.nodes.iter().map(|n| n.id).collect();
    if let Some(there) = ids.iter().find(|id| state.nodes.contains_key(id)) {
        bail!(
            "{there} is in the cluster already; `xcbuild scalein {}` takes it out",
            there.number()
        );
    }
    plan::more(run, params, &mut state)?;
    tell_of_changes(&state, progress);
    let limits = Limits::of(state.accel, params);
    let ways: Vec<_> = ids.iter().map(|id| (*id, Way::Launch)).collect();
    let made = network::make(run, &mut state);
    let up = made.and_then(|()| boot::nodes(run, &mut state, &ways, &limits, progress));
    match up {
        Ok(failed) => Ok(Scaled { status: status(run)?, failed }),
        Err(error) => {
            progress(Event::Unwinding);
            Err(match take_out(run, &mut state, &ids) {
                Ok(()) => error,
                Err(left) => error.context(format!("and not all of it could be undone: {left:#}")),
            })
        }
    }
}

/// Adds nodes to the cluster if it runs, else starts it with them. Of several that do so at once,
/// each has its turn.
///
/// # Errors
/// Those of [`super::start()`] and [`scale_out`].
pub fn boot_one(params: &StartParams, progress: &dyn Fn(Event)) -> Result<Status> {
    let run = &params.run;
    let _turn = run.turn()?;
    if run.path().exists() && status(run)?.alive() > 0 {
        return Ok(scale_out(params, progress)?.status);
    }
    Ok(super::start(params, progress)?.status)
}

/// Takes nodes out of a running cluster.
///
/// # Errors
/// When a node is not in it, or can't be ended.
pub fn scale_in(run: &RunDir, nodes: &[NodeId]) -> Result<()> {
    let (_lock, mut state) = taken(run)?;
    known(&state, nodes)?;
    take_out(run, &mut state, nodes)
}

/// Ends nodes' qemus, starts them anew and returns when they are ready and their links are as they
/// were.
///
/// # Errors
/// When a node is not in the cluster, can't be ended, or does not come up.
pub fn restart(
    run: &RunDir,
    nodes: &[NodeId],
    timeout: Option<Duration>,
    progress: &dyn Fn(Event),
) -> Result<()> {
    let (_lock, mut state) = taken(run)?;
    known(&state, nodes)?;
    end(run, &state, nodes)?;
    for id in nodes {
        // Its log, which counts the resets, begins again with its qemu.
        let resets = boots_again(&run.node(*id, &state.logs).agent_log);
        state.nodes.entry(*id).and_modify(|node| node.restarts += resets + 1);
    }
    tell_of_changes(&state, progress);
    let limits = Limits::new(state.accel, timeout).waiting(state.reports_ready);
    let ways: Vec<_> = nodes.iter().map(|id| (*id, Way::Launch)).collect();
    boot::nodes(run, &mut state, &ways, &limits, progress)?;
    nodes.iter().try_for_each(|id| link::restore(run, &mut state, *id))
}

/// Resets a node, as its reset button does, lets it go on if it was paused, and returns when it is
/// ready; its links are then as they were.
///
/// # Errors
/// When the node is not in the cluster, does not run, or does not come up.
pub fn reset(
    run: &RunDir,
    node: NodeId,
    timeout: Option<Duration>,
    progress: &dyn Fn(Event),
) -> Result<()> {
    let (_lock, mut state) = taken(run)?;
    known(&state, &[node])?;
    let said = length(&run.node(node, &state.logs).agent_log);
    command(run, &state, node, "system_reset")?;
    command(run, &state, node, "cont")?;
    // What was on its console until now is of another boot.
    written_now(&run.node(node, &state.logs).agent_log)?;
    set_paused(run, &mut state, node, false)?;
    let limits = Limits::new(state.accel, timeout).waiting(state.reports_ready);
    boot::nodes(run, &mut state, &[(node, Way::Reset(said))], &limits, progress)?;
    link::restore(run, &mut state, node)
}

/// Stops a node's processors for now.
///
/// # Errors
/// When the node is not in the cluster, or does not run.
pub fn pause(run: &RunDir, node: NodeId) -> Result<()> {
    let (_lock, mut state) = taken(run)?;
    command(run, &state, node, "stop")?;
    set_paused(run, &mut state, node, true)
}

/// Lets a paused node go on.
///
/// # Errors
/// When the node is not in the cluster, or does not run.
pub fn resume(run: &RunDir, node: NodeId) -> Result<()> {
    let (_lock, mut state) = taken(run)?;
    command(run, &state, node, "cont")?;
    set_paused(run, &mut state, node, false)
}

/// Waits until all nodes are ready, or the given ones.
///
/// # Errors
/// When one is not in the cluster, has failed or died, when the time is up, or when the user
/// cancels.
pub fn wait(run: &RunDir, nodes: &[NodeId], timeout: Duration) -> Result<Status> {
    let deadline = Instant::now() + timeout;
    let directory = existing(run)?;
    let state = State::load(run)?.context("the cluster has gone")?;
    // A panic is on the console, and a node that waits is started by who owns the cluster.
    let watch = Watch::new(&[&directory, &state.logs])?;
    let owner = state.owner.hold()?;
    loop {
        let now = status(run)?;
        let unknown = |id: &&NodeId| !now.nodes.iter().any(|n| n.number == **id);
        if let Some(id) = nodes.iter().find(unknown) {
            bail!(not_in_cluster(*id, now.nodes.iter().map(|n| n.number)));
        }
        let wanted = |n: &&NodeStatus| nodes.is_empty() || nodes.contains(&n.number);
        let waited: Vec<_> = now.nodes.iter().filter(wanted).collect();
        let bad =
            |n: &&&NodeStatus| matches!(n.condition, NodeCondition::Dead | NodeCondition::Failed);
        if let Some(node) = waited.iter().find(bad) {
            let why = node.failure.as_deref().unwrap_or(DEAD);
            bail!("{} will not be ready: {why}", node.name);
        }
        let not_yet: Vec<_> =
            waited.iter().filter(|n| n.condition != NodeCondition::Ready).collect();
        if not_yet.is_empty() {
            return Ok(now);
        }
        if Instant::now() >= deadline {
            let names: Vec<_> = not_yet.iter().map(|n| n.name.as_str()).collect();
            bail!("{} not ready within {} s", names.join(", "), timeout.as_secs());
        }
        let pids = not_yet.iter().filter_map(|n| ProcessId::of(n.pid?));
        let held = pids.map(ProcessId::hold).collect::<Result<Vec<_>, _>>()?;
        if held.iter().any(Option::is_none) {
            // One has ended since we looked.
            continue;
        }
        let starts = owner.iter().filter(|owner| !owner.wait(Instant::now()));
        let all: Vec<_> = held.iter().flatten().chain(starts).collect();
        watch.wait(&all, deadline)?;
    }
}

/// The directory of a cluster that exists.
fn existing(run: &RunDir) -> Result<std::path::PathBuf> {
    if !run.state_file().exists() {
        bail!(run.name().not_running());
    }
    Ok(run.path())
}

/// A running cluster's state, and the right to change it, once others have done so: most changes
/// take but a moment.
pub(super) fn taken(run: &RunDir) -> Result<(ClusterLock, State)> {
    existing(run)?;
    let lock = run.lock()?;
    if let Err(gone) = existing(run) {
        lock.remove()?;
        return Err(gone);
    }
    match State::load(run)? {
        Some(mut state) if !state.is_from_another_boot()? => {
            state.owner = ProcessId::own().context("/proc does not show this process")?;
            state.save(run)?;
            Ok((lock, state))
        }
        _ => bail!(run.name().not_running()),
    }
}

pub(super) fn known(state: &State, nodes: &[NodeId]) -> Result<()> {
    match nodes.iter().find(|id| !state.nodes.contains_key(id)) {
        None => Ok(()),
        Some(id) => bail!(not_in_cluster(*id, state.nodes.keys().copied())),
    }
}

fn not_in_cluster(node: NodeId, there: impl Iterator<Item = NodeId>) -> String {
    let names: Vec<_> = there.map(|node| node.number().to_string()).collect();
    format!("{node} is not in the cluster; its nodes are {}", names.join(", "))
}

/// Ends nodes' qemus, recorded or not.
fn end(run: &RunDir, state: &State, nodes: &[NodeId]) -> Result<()> {
    let processes = nodes.iter().filter_map(|id| status::process(run, state, *id));
    match process::end(&processes.collect::<Vec<_>>()).first() {
        None => Ok(()),
        Some((process, reason)) => bail!("can't end process {}: {reason}", process.pid),
    }
}

/// Ends nodes and forgets them.
fn take_out(run: &RunDir, state: &mut State, nodes: &[NodeId]) -> Result<()> {
    end(run, state, nodes)?;
    let leaving = nodes.iter().filter_map(|id| Some((*id, state.nodes.get(id)?)));
    let interfaces = leaving
        .flat_map(|(id, n)| n.interfaces.iter().map(move |i| (id, i.network)))
        .collect::<Vec<_>>();
    state.network.unplug(&interfaces)?;
    for id in nodes {
        state.nodes.remove(id);
        let paths = run.node(*id, &state.logs);
        let lock = console::lock_of(&paths.console);
        for file in [paths.console, paths.qmp, paths.agent_log, lock] {
            remove_if_there(&file)?;
        }
    }
    state.save(run)
}

/// Nodes that start now get other images than those that run: images are made anew beside them.
fn tell_of_changes(state: &State, progress: &dyn Fn(Event)) {
    let changed = state.images.iter().filter(|image| image.has_changed());
    changed.for_each(|image| progress(Event::Changed(image.path.clone())));
}

/// Has a file be written to later than all others, by its time.
fn written_now(file: &Path) -> Result<()> {
    let file = fs_err::OpenOptions::new().append(true).open(file)?;
    file.file().set_modified(SystemTime::now()).context("can't set a file's time")
}

fn command(run: &RunDir, state: &State, node: NodeId, command: &str) -> Result<()> {
    known(state, &[node])?;
    if status::process(run, state, node).is_none() {
        let restart = run.name().command(format_args!("restart {}", node.number()));
        bail!("{node} does not run: {DEAD}; {restart} starts it");
    }
    let mut qmp = Qmp::connect(&run.node(node, &state.logs).qmp, QMP_LIMIT)?;
    qmp.execute(command, json!({}))?;
    Ok(())
}

fn set_paused(run: &RunDir, state: &mut State, node: NodeId, paused: bool) -> Result<()> {
    if let Some(node) = state.nodes.get_mut(&node) {
        node.paused = paused;
    }
    state.save(run)
}
