//! Commands on nodes whose output is handed on as it comes: on one with our own terminal, or on many.
//!
//! Where nobody reads the output any more, the command ends, here and on the node, whose sshd ends what
//! it started when the connection does.

use std::io::{self, PipeWriter, pipe};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::ExitStatus;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::{LAST_BREATH, Target, lost};
use crate::liveness::{LivenessMonitor, NodeDied};
use xc_sys::exec::{Source, Streamed};
use xc_sys::jobs;
use xc_topology::address::NodeId;

/// How a command on a node, or on several, ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandEnd<T> {
    /// By itself.
    Exited(T),
    /// It was ended since nobody reads its output any more.
    ReaderGone,
}

/// What takes the output of commands on several nodes. `BrokenPipe` says that nobody reads it any more.
pub(super) type Take<'t> = &'t (dyn Fn(NodeId, Source, &[u8]) -> io::Result<()> + Sync);

impl Target {
    /// Runs a command with our own terminal; without a command, a shell. What it writes to `outputs` goes
    /// to `take`, the rest to our own. ssh itself ends with 255 when the node can't be reached.
    ///
    /// # Errors
    /// [`NodeDied`], or when ssh can't be started.
    pub fn run(
        &self,
        command: &[String],
        outputs: &[Source],
        take: &mut dyn FnMut(Source, &[u8]) -> io::Result<()>,
    ) -> Result<CommandEnd<ExitStatus>> {
        let monitor = LivenessMonitor::over(&self.run, self.node)?;
        let ended = self.ssh(false).args(command).relayed(outputs, &[monitor.as_fd()], take)?;
        judged(ended, monitor)
    }

    /// Runs a command without input, no longer than `stop` is not readable.
    fn stream(
        &self,
        command: &[String],
        stop: BorrowedFd<'_>,
        take: Take<'_>,
    ) -> Result<CommandEnd<ExitStatus>> {
        let monitor = LivenessMonitor::over(&self.run, self.node)?;
        let take = &mut |source, bytes: &[u8]| take(self.node, source, bytes);
        let ended = self.ssh(true).args(command).streamed(&[monitor.as_fd(), stop], take)?;
        judged(ended, monitor)
    }
}

/// How it ended, where its ssh ended so.
fn judged(ended: Streamed, monitor: LivenessMonitor) -> Result<CommandEnd<ExitStatus>> {
    match ended {
        Streamed::Ended(status) if lost(status) && monitor.ends_within(LAST_BREATH) => {
            bail!(monitor.why())
        }
        Streamed::Ended(status) => Ok(CommandEnd::Exited(status)),
        Streamed::Stopped if monitor.ends_within(Duration::ZERO) => bail!(monitor.why()),
        Streamed::Stopped | Streamed::ReaderGone => Ok(CommandEnd::ReaderGone),
    }
}

/// Runs a command on several nodes at once. `take` gets what they write as it comes; `done` is told of
/// each as it ends, in that order.
///
/// # Errors
/// When ssh can't be started on one of them, the output can't be written, or the user cancels.
pub fn on_all(
    targets: &[Target],
    command: &[String],
    take: Take<'_>,
    done: &(dyn Fn(NodeId, Result<ExitStatus, NodeDied>) + Sync),
) -> Result<CommandEnd<()>> {
    // Closed by the first that finds its reader gone: then the others end, too.
    let (gone, reader) = pipe().context("can't make a pipe")?;
    let reader: Mutex<Option<PipeWriter>> = Mutex::new(Some(reader));
    let one = |target: &Target| -> Result<CommandEnd<()>> {
        let ended = match target.stream(command, gone.as_fd(), take) {
            Ok(CommandEnd::Exited(status)) => Ok(status),
            Ok(CommandEnd::ReaderGone) => {
                drop(reader.lock().unwrap_or_else(PoisonError::into_inner).take());
                return Ok(CommandEnd::ReaderGone);
            }
            Err(error) => Err(error.downcast::<NodeDied>()?),
        };
        done(target.node, ended);
        Ok(CommandEnd::Exited(()))
    };
    let failed = |_| bail!("the thread that served a node has panicked");
    let ended = jobs::map(targets, targets.len(), one);
    let ended = ended.into_iter().map(|result| result.unwrap_or_else(failed));
    let ended = ended.collect::<Result<Vec<_>>>()?;
    let gone = ended.contains(&CommandEnd::ReaderGone);
    Ok(if gone { CommandEnd::ReaderGone } else { CommandEnd::Exited(()) })
}
