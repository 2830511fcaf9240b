//! A monitor of a node's liveness, for who waits for its answer: it tells when none can come.
//!
//! A connection to a node whose qemu is killed need not end: where a bridge carries it, nothing is left
//! to close it, and a kernel that has panicked closes nothing in any case. So whoever waits for a
//! node's answer waits for its monitor as well.

use std::io::{PipeReader, PipeWriter, pipe};
use std::os::fd::{AsFd, BorrowedFd};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::console_log::panicked;
use super::host::{NodeHost, Watch};
use super::status::DEAD;
use super::{Cluster, ClusterName, RunDir};
use xc_sys::wait::{CancelMode, Waiter, Woken};
use xc_topology::address::NodeId;
use xc_vm::command::Paths;
use xc_vm::process::Held;

/// A node that died while its answer was waited for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{node} has died: {reason}; {logs} shows its console",
    logs = .cluster.command(format_args!("logs {}", .node.number()))
)]
pub struct NodeDied {
    /// The cluster that it was in.
    pub cluster: ClusterName,
    /// The node.
    pub node: NodeId,
    /// What happened.
    pub reason: String,
}

/// Polls readable when the node has died.
#[derive(Debug)]
pub struct LivenessMonitor {
    cluster: ClusterName,
    node: NodeId,
    /// At its end once the node has died.
    died: PipeReader,
    /// Closed to end the monitor.
    stop: Option<PipeWriter>,
    thread: Option<JoinHandle<Option<String>>>,
}

impl LivenessMonitor {
    /// Begins to watch a node. Where its console can't be watched, since the logs were removed or the user has too
    /// many watches (inotify(7)), panics go unnoticed, and the end of its qemu still is noticed.
    ///
    /// # Errors
    /// When there is no such node, or the kernel refuses.
    pub fn over(run: &RunDir, node: NodeId) -> Result<Self> {
        let failed = "can't watch the node";
        let ((died, tell), (stopped, stop)) = (pipe().context(failed)?, pipe().context(failed)?);
        let cluster = Cluster::open(run)?;
        let host = cluster.host().clone();
        let paths = cluster.files(node);
        let watch = host.watch(&[&cluster.state().logs]).or_else(|_| host.watch(&[])).ok();
        let held = cluster.hold(node).context(failed)?;
        let thread = std::thread::spawn(move || {
            let Some(held) = held else { return Some(DEAD.into()) };
            let reason = watched(&*host, &held, watch.as_ref(), &paths, &stopped);
            // Closed, its writing end tells that the node has died.
            drop(tell);
            reason
        });
        Ok(Self { cluster: run.name().clone(), node, died, stop: Some(stop), thread: Some(thread) })
    }

    /// Whether the node dies before a moment: connections may end a little before their node does.
    pub fn ends_within(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        let mut waiter = Waiter::new(CancelMode::Honour).readable(self).until(until);
        matches!(waiter.wait(), Ok(Woken::Ready(_)))
    }

    /// What happened, after it polled readable.
    pub fn why(mut self) -> NodeDied {
        let said = self.thread.take().and_then(|thread| thread.join().ok()).flatten();
        let cluster = std::mem::take(&mut self.cluster);
        NodeDied { cluster, node: self.node, reason: said.unwrap_or_else(|| DEAD.into()) }
    }
}

impl AsFd for LivenessMonitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.died.as_fd()
    }
}

impl Drop for LivenessMonitor {
    fn drop(&mut self) {
        drop(self.stop.take());
        // It ends at once; what it has seen is of no interest any more.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Watches until the node has died, and gives the reason, or until the monitor is dropped.
fn watched(
    host: &dyn NodeHost,
    held: &Held,
    watch: Option<&Watch>,
    paths: &Paths,
    stopped: &PipeReader,
) -> Option<String> {
    loop {
        if held.wait(Instant::now()) {
            return Some(DEAD.into());
        }
        if let Some(panic) = panicked(host, paths) {
            return Some(panic);
        }
        let ended = match watch {
            Some(watch) => {
                let readable = watch.wait_with(&[held], &[stopped.as_fd()], None);
                // That the user wants to stop is seen by who has the monitor as well.
                readable.is_err() || readable.is_ok_and(|r| r.first() == Some(&true))
            }
            None => {
                let mut waiter = Waiter::new(CancelMode::Honour).readable(stopped).readable(held);
                !matches!(waiter.wait(), Ok(Woken::Ready(ready)) if !ready.has(0))
            }
        };
        if ended {
            return None;
        }
    }
}
