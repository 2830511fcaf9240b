//! Waiting for what nodes do, without polling for it in intervals: one `poll` over
//!
//! - a descriptor of the host's (inotify) for the run directory and the logs, for what nodes say on their agent
//!   port and write to their consoles,
//! - a pidfd for each process, for one that dies,
//! - the descriptor that tells of the user's wish to stop.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

use xc_sys::cancel::Cancelled;
use xc_sys::wait::{self, CancelMode, Waiter};
use xc_vm::process::Held;

/// Why a wait came to its end.
#[derive(Debug, PartialEq, Eq)]
pub enum Woken {
    /// Files have grown, or processes have ended.
    Changed,
    /// The time is up.
    TimedOut,
}

/// The files and processes that are waited for.
#[derive(Debug)]
pub struct Watch {
    /// Polls readable, and has something to read, once a file has changed.
    changes: OwnedFd,
}

impl Watch {
    /// Watches the files in these directories of this machine from now on.
    ///
    /// # Errors
    /// When a directory isn't there, or the user has too many watches (inotify(7)).
    pub fn new(directories: &[&Path]) -> Result<Self> {
        let flags = CreateFlags::CLOEXEC | CreateFlags::NONBLOCK;
        let inotify = inotify::init(flags).context("can't watch files (inotify)")?;
        for directory in directories {
            // The last tells of boot slots whose holder has gone.
            let events = WatchFlags::MODIFY
                | WatchFlags::CREATE
                | WatchFlags::MOVED_TO
                | WatchFlags::CLOSE_WRITE;
            inotify::add_watch(&inotify, *directory, events)
                .with_context(|| format!("can't watch `{}`", directory.display()))?;
        }
        Ok(Self { changes: inotify })
    }

    /// Waits until a file has grown or one of the processes has ended.
    ///
    /// # Errors
    /// [`Cancelled`] when the user wants to stop.
    pub fn wait(&self, processes: &[&Held], deadline: impl Into<Option<Instant>>) -> Result<Woken> {
        let fds: Vec<_> = processes.iter().map(|p| p.as_fd()).collect();
        match self.poll(&fds, deadline.into())? {
            Some(_) => Ok(Woken::Changed),
            None => Ok(Woken::TimedOut),
        }
    }

    /// The same, and until there is something to read from one of the inputs; tells from which.
    ///
    /// # Errors
    /// [`Cancelled`] when the user wants to stop.
    pub fn wait_with(
        &self,
        processes: &[&Held],
        inputs: &[BorrowedFd<'_>],
        deadline: impl Into<Option<Instant>>,
    ) -> Result<Vec<bool>> {
        let processes = processes.iter().map(|p| p.as_fd());
        let fds: Vec<_> = inputs.iter().copied().chain(processes).collect();
        let mut readable = self.poll(&fds, deadline.into())?.unwrap_or_default();
        readable.truncate(inputs.len());
        Ok(readable)
    }

    /// Waits for a file that has grown or a descriptor that is readable, and tells which are;
    /// `None` if the time is up.
    fn poll(
        &self,
        others: &[BorrowedFd<'_>],
        deadline: Option<Instant>,
    ) -> Result<Option<Vec<bool>>> {
        let waiter = Waiter::new(CancelMode::Honour).readable(&self.changes);
        let mut waiter = waiter.all_readable(others.iter().copied()).until(deadline);
        match waiter.wait().context("can't wait for the nodes")? {
            wait::Woken::TimedOut => Ok(None),
            wait::Woken::Cancelled => bail!(Cancelled),
            wait::Woken::Ready(ready) => {
                self.drain();
                Ok(Some((1..=others.len()).map(|place| ready.has(place)).collect()))
            }
        }
    }

    /// Empties the descriptor: that files have changed is enough, their tails tell what.
    fn drain(&self) {
        let mut buffer = [0_u8; 4096];
        while rustix::io::read(&self.changes, &mut buffer).is_ok_and(|bytes| bytes > 0) {}
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Watch, Woken};

    #[test]
    fn wait_ends_on_a_write_and_not_before() {
        let dir = tempfile::tempdir().unwrap();
        let watch = Watch::new(&[dir.path()]).unwrap();
        assert_eq!(watch.wait(&[], Instant::now()).unwrap(), Woken::TimedOut);
        std::fs::write(dir.path().join("x"), "y").unwrap();
        let late = Instant::now() + Duration::from_secs(60);
        assert_eq!(watch.wait(&[], late).unwrap(), Woken::Changed);
        assert_eq!(watch.wait(&[], Instant::now()).unwrap(), Woken::TimedOut);
    }
}
