//! A vigil over a node that somebody talks to: it ends when the node can't answer any more.
//!
//! A connection to a node whose qemu is killed need not end: where a bridge carries it, nobody is left
//! to say so, and a kernel that has panicked keeps silent in any case. So whoever waits for a node's
//! answer holds a vigil beside it, and gives up when that ends.

use std::io::{PipeReader, PipeWriter, pipe};
use std::os::fd::{AsFd, BorrowedFd};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::state::State;
use super::status::{DEAD, process};
use super::watch::{Watch, end_of, last_words};
use super::{RunDir, console};
use crate::sys::wait::{DAY, First, first};
use crate::topology::address::NodeId;

/// How many lines of a console are looked at.
const LINES: usize = 200;

/// A node that died while somebody waited for its answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{node} has died: {reason}; `xcbuild logs {}` shows its console", .node.number())]
pub struct NodeDied {
    /// The node.
    pub node: NodeId,
    /// What happened.
    pub reason: String,
}

/// Polls readable when the node has died.
#[derive(Debug)]
pub struct Vigil {
    node: NodeId,
    news: PipeReader,
    /// Closed to end the vigil.
    stop: Option<PipeWriter>,
    thread: Option<JoinHandle<Result<Option<String>>>>,
}

impl Vigil {
    /// Begins it.
    ///
    /// # Errors
    /// When the node is not in the cluster, or the kernel refuses.
    pub fn over(run: &RunDir, node: NodeId) -> Result<Self> {
        let failed = "can't watch the node";
        let ((news, tell), (stopped, stop)) = (pipe().context(failed)?, pipe().context(failed)?);
        let run = run.clone();
        // The writing end is the thread's own: it is closed as the thread ends.
        let thread = std::thread::spawn(move || {
            let _tell = tell;
            watch(&run, node, &stopped)
        });
        Ok(Self { node, news, stop: Some(stop), thread: Some(thread) })
    }

    /// Whether the node dies before a moment: connections may end a little before their node does.
    pub fn ends_within(&self, time: Duration) -> bool {
        matches!(first(&[self.as_fd()], Instant::now() + time), Ok(First::Ready(_)))
    }

    /// What happened, after it polled readable.
    pub fn why(mut self) -> NodeDied {
        let said = self.thread.take().and_then(|thread| thread.join().ok());
        let reason = said.and_then(Result::ok).flatten().unwrap_or_else(|| DEAD.into());
        NodeDied { node: self.node, reason }
    }
}

impl AsFd for Vigil {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.news.as_fd()
    }
}

impl Drop for Vigil {
    fn drop(&mut self) {
        drop(self.stop.take());
        // It ends at once; what it has seen is of no interest any more.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Watches until the node has died, and gives the reason, or until nobody wants to know.
fn watch(run: &RunDir, node: NodeId, stopped: &PipeReader) -> Result<Option<String>> {
    let log = console::log(run, node)?;
    let watch = Watch::new(&[log.parent().context("a log in no directory")?])?;
    let state = State::load(run)?.context("the cluster has gone")?;
    let Some(held) = process(run, &state, node).map(|p| p.hold()).transpose()?.flatten() else {
        return Ok(Some(DEAD.into()));
    };
    loop {
        if held.wait(Instant::now()) {
            return Ok(Some(DEAD.into()));
        }
        if let Some(panic) = last_words(&end_of(&log, LINES)) {
            return Ok(Some(panic.to_owned()));
        }
        let readable = watch.wait_with(&[&held], &[stopped.as_fd()], Instant::now() + DAY)?;
        if readable.first() == Some(&true) {
            return Ok(None);
        }
    }
}
