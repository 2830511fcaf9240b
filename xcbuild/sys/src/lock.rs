//! Locks on files, between processes: flock(2), waited for in a way that Ctrl-C ends.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fs_err as fs;
use rustix::fs::FlockOperation;

use super::cancel::Cancelled;
use super::files::parent;
use super::wait::{CancelMode, Waiter, Woken};
use xc_report::{Reporter, timeline};

/// How long after a try a held lock is tried again.
const RETRY: Duration = Duration::from_millis(50);

/// A lock on a file, kept until dropped, or until the process ends in whatever way.
#[derive(Debug)]
pub struct Lock {
    file: fs::File,
}

impl Lock {
    /// Waits for a lock that others may share.
    ///
    /// # Errors
    /// When the file can't be opened or the file system has no locks.
    pub fn shared(path: &Path, reporter: &Reporter) -> io::Result<Self> {
        Self::acquire(path, FlockOperation::LockShared, Some(reporter))
    }

    /// Waits for an exclusive lock.
    ///
    /// # Errors
    /// As for [`Lock::shared`].
    pub fn exclusive(path: &Path, reporter: &Reporter) -> io::Result<Self> {
        Self::acquire(path, FlockOperation::LockExclusive, Some(reporter))
    }

    /// Takes an exclusive lock, or `None` if the lock is held.
    ///
    /// # Errors
    /// As for [`Lock::shared`].
    pub fn try_exclusive(path: &Path) -> io::Result<Option<Self>> {
        match Self::acquire(path, FlockOperation::NonBlockingLockExclusive, None) {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(None),
            other => other.map(Some),
        }
    }

    /// Makes an exclusive lock a shared one, without releasing it between.
    ///
    /// # Errors
    /// As for [`Lock::shared`].
    pub fn share(&self) -> io::Result<()> {
        Ok(rustix::fs::flock(&self.file, FlockOperation::LockShared)?)
    }

    fn acquire(path: &Path, how: FlockOperation, reporter: Option<&Reporter>) -> io::Result<Self> {
        let file = lock_file(path)?;
        let (non_blocking, waits) = match how {
            FlockOperation::LockShared => (FlockOperation::NonBlockingLockShared, true),
            FlockOperation::LockExclusive => (FlockOperation::NonBlockingLockExclusive, true),
            other => (other, false),
        };
        let mut waiting_since = None;
        loop {
            match rustix::fs::flock(&file, non_blocking) {
                Err(rustix::io::Errno::WOULDBLOCK) if waits => {
                    waiting_since.get_or_insert_with(|| waiting(path, reporter));
                    pause()?;
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(e.into()),
                Ok(()) => return Ok(Self { file }),
            }
        }
    }

    /// Whether the locked file is still the one that has its name: who locks a file that others may
    /// remove asks this, since a lock on a removed file excludes no one.
    ///
    /// # Errors
    /// When the file's name or the file can't be looked at.
    pub fn is_current(&self) -> io::Result<bool> {
        use std::os::unix::fs::MetadataExt;
        let held = self.file.metadata()?;
        match fs::metadata(self.file.path()) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            now => now.map(|now| (now.dev(), now.ino()) == (held.dev(), held.ino())),
        }
    }

    /// The file that is locked.
    pub fn path(&self) -> PathBuf {
        self.file.path().to_path_buf()
    }
}

/// Reports that another process is waited for, and begins a span for it.
fn waiting(path: &Path, reporter: Option<&Reporter>) -> timeline::Span {
    if let Some(reporter) = reporter {
        reporter.status(
            "Waiting",
            format_args!("for another xcbuild, which holds `{}`", path.display()),
        );
    }
    timeline::span("wait", path.display())
}

/// Whether taking a lock failed because the file system has none (some of NFS), and not because
/// another process has it or the file can't be opened.
pub fn has_no_locks(e: &io::Error) -> bool {
    use rustix::io::Errno;
    let no_locks = [Errno::NOLCK, Errno::NOSYS, Errno::OPNOTSUPP, Errno::INVAL];
    let error = e.raw_os_error().map(Errno::from_raw_os_error);
    error.is_some_and(|e| no_locks.contains(&e))
}

/// Opens a lock's file. One that is there and can't be written is as good for a lock.
fn lock_file(path: &Path) -> io::Result<fs::File> {
    let made = fs::create_dir_all(parent(path)).and_then(|()| {
        fs::OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)
    });
    let refused = [io::ErrorKind::ReadOnlyFilesystem, io::ErrorKind::PermissionDenied];
    match made {
        Err(e) if refused.contains(&e.kind()) => fs::File::open(path).map_err(|_| e),
        other => other,
    }
}

/// A short wait that the user's Ctrl-C ends: a lock has no event to wait for together with that.
fn pause() -> io::Result<()> {
    let until = Instant::now() + RETRY;
    match Waiter::new(CancelMode::Honour).until(until).wait()? {
        Woken::Cancelled => Err(io::Error::other(Cancelled)),
        Woken::Ready(_) | Woken::TimedOut => Ok(()),
    }
}

impl Drop for Lock {
    /// Unlocks by itself: closing is not enough while a program that another thread is starting
    /// still shares the descriptor, between its fork and its exec.
    fn drop(&mut self) {
        let _ = rustix::fs::flock(&self.file, FlockOperation::Unlock);
    }
}

#[cfg(test)]
mod tests {
    use xc_report::Reporter;

    use super::Lock;

    #[test]
    fn exclusive_lock_is_held_until_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = Lock::shared(&path, &Reporter::silent()).unwrap();
        assert!(Lock::try_exclusive(&path).unwrap().is_none());
        drop(held);
        assert!(Lock::try_exclusive(&path).unwrap().is_some());
    }
}
