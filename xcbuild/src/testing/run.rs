//! Running cases on the nodes of a cluster.

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::judge::judge;
use super::{Outcome, Verdict};
use xc_cluster::access::{LAST_BREATH, Reach, SSH_LOST, Target};
use xc_cluster::liveness::{LivenessMonitor, NodeDied};
use xc_cluster::{RunDir, console, status};
use xc_overlay::manifest::test::Case;
use xc_sys::cancel::Cancelled;
use xc_sys::exec::{Bounded, Output};
use xc_sys::jobs;
use xc_sys::wait::{CancelMode, Waiter, Woken};
use xc_topology::address::NodeId;
use xc_vm::process::{Held, ProcessId};

/// How long a `needs` command may take.
const NEEDS_LIMIT: Duration = Duration::from_secs(20);

/// A cluster on which cases run.
#[derive(Debug)]
pub(crate) struct CaseRunner {
    run: RunDir,
    nodes: BTreeMap<NodeId, Node>,
}

#[derive(Debug)]
struct Node {
    target: Target,
    qemu: Held,
}

impl CaseRunner {
    /// The cluster of a run directory, all of whose nodes run.
    ///
    /// # Errors
    /// When one does not, or there is no such cluster.
    pub(crate) fn new(run: &RunDir) -> Result<Self> {
        let processes = status(run)?.nodes.into_iter().map(|n| (n.number, n.pid));
        let processes: BTreeMap<NodeId, Option<i32>> = processes.collect();
        let hold = |target: Target| {
            let pid = processes.get(&target.node).copied().flatten();
            let held = pid.and_then(ProcessId::of).map(ProcessId::hold).transpose()?.flatten();
            let qemu = held.with_context(|| format!("{} has died", target.node))?;
            Ok((target.node, Node { target, qemu }))
        };
        let Reach { answering, unreachable } = Reach::of(run)?;
        // Left out, it would be skipped as a node that the cluster never had.
        if let Some((node, reason)) = unreachable.first() {
            bail!("{node} {reason}");
        }
        let nodes = answering.into_iter().map(hold).collect::<Result<BTreeMap<_, _>>>()?;
        Ok(Self { run: run.clone(), nodes })
    }

    /// Runs a case on all its nodes at once. `on_outcome` gets each outcome as it comes.
    ///
    /// # Errors
    /// When the user cancels, or ssh can't be started.
    pub(crate) fn case(
        &self,
        overlay: &str,
        case: &Case,
        on_outcome: &(dyn Fn(&Outcome) + Sync),
    ) -> Result<Vec<Outcome>> {
        let wanted = self.nodes.iter().filter(|(id, _)| case.nodes.iter().any(|w| w.is(**id)));
        let wanted: Vec<_> = wanted.collect();
        let done = jobs::map(&wanted, wanted.len(), |(id, node)| {
            self.run_on_node(overlay, case, **id, node, on_outcome)
        });
        let lost = |_| bail!("the thread that tested a node has panicked");
        let done = done.into_iter().map(|result| result.unwrap_or_else(lost));
        let mut outcomes = done.collect::<Result<Vec<_>>>()?;
        let absent = case.nodes.iter().filter(|w| !self.nodes.keys().any(|id| w.is(*id)));
        for place in absent {
            let verdict = Verdict::Skipped(format!("the cluster has no node `{place}`"));
            let outcome = Outcome::without_run(overlay, case.name.get_ref(), None, verdict);
            on_outcome(&outcome);
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    fn run_on_node(
        &self,
        overlay: &str,
        case: &Case,
        id: NodeId,
        node: &Node,
        on_outcome: &(dyn Fn(&Outcome) + Sync),
    ) -> Result<Outcome> {
        let began = Instant::now();
        let (verdict, output) = self.on_node(id, node, case, began)?;
        let (overlay, case) = (overlay.to_owned(), case.name.get_ref().clone());
        let took = began.elapsed();
        let outcome = Outcome { overlay, case, node: Some(id), verdict, took, output };
        on_outcome(&outcome);
        Ok(outcome)
    }

    fn on_node(
        &self,
        id: NodeId,
        node: &Node,
        case: &Case,
        began: Instant,
    ) -> Result<(Verdict, String)> {
        if node.qemu.wait(began) {
            return Ok((Verdict::Error(format!("{id} had died before")), String::new()));
        }
        let monitor = LivenessMonitor::over(&self.run, id)?;
        if let Some(command) = &case.needs {
            match node.run(command, began + NEEDS_LIMIT, &monitor)? {
                Bounded::Ended(status, _) if status.success() => {}
                Bounded::Stopped(_) => return Ok(self.died(monitor)),
                Bounded::Ended(..) | Bounded::TimedOut(_) => {
                    let reason = format!("it needs `{command}`, which does not succeed here");
                    return Ok((Verdict::Skipped(reason), String::new()));
                }
            }
        }
        self.tries(id, node, case, monitor)
    }

    /// Tries a case until it does not fail any more, or its time is up.
    fn tries(
        &self,
        id: NodeId,
        node: &Node,
        case: &Case,
        monitor: LivenessMonitor,
    ) -> Result<(Verdict, String)> {
        let deadline = Instant::now() + seconds(case.within.0);
        loop {
            let (verdict, output) = match node.run(&case.run, deadline, &monitor)? {
                Bounded::Ended(status, _)
                    if status.code() == Some(SSH_LOST.into())
                        && monitor.ends_within(LAST_BREATH) =>
                {
                    return Ok(self.died(monitor));
                }
                Bounded::Ended(status, output) => {
                    let output = joined(&output);
                    (judge(case, status.code(), &output), output)
                }
                Bounded::TimedOut(output) => {
                    let reason = format!("not done within {} s", case.within.0);
                    (Verdict::Failed(reason), joined(&output))
                }
                Bounded::Stopped(_) => return Ok(self.died(monitor)),
            };
            if let (Verdict::Failed(_), Some(panic)) = (&verdict, console::panic(&self.run, id)) {
                return Ok((Verdict::Error(format!("{id} has died: {panic}")), output));
            }
            let next = case.every.map(|every| Instant::now() + seconds(every.0));
            let Some(next) = next.filter(|at| *at < deadline) else { return Ok((verdict, output)) };
            if !matches!(verdict, Verdict::Failed(_)) {
                return Ok((verdict, output));
            }
            match Waiter::new(CancelMode::Honour).readable(&monitor).until(next).wait()? {
                Woken::TimedOut => {}
                Woken::Ready(_) => return Ok(self.died(monitor)),
                Woken::Cancelled => bail!(Cancelled),
            }
        }
    }

    fn died(&self, monitor: LivenessMonitor) -> (Verdict, String) {
        let NodeDied { node, reason, .. } = monitor.why();
        (Verdict::Error(format!("{node} has died: {reason}")), console::end(&self.run, node))
    }
}

impl Node {
    fn run(&self, command: &str, deadline: Instant, monitor: &LivenessMonitor) -> Result<Bounded> {
        self.target.bounded(&[command.to_owned()], deadline, monitor.as_fd())
    }
}

fn seconds(number: u32) -> Duration {
    Duration::from_secs(number.into())
}

/// What a command wrote, stderr after stdout.
fn joined(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}
