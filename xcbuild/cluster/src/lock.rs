//! The locks on a cluster: who may change it, and who starts single nodes of it.
//!
//! The files lie next to the cluster's directory, so that they can be held while the directory comes
//! and goes; `stop` removes them while holding them, and who then gets the lock on a file that has no
//! name any more tries again with the new one.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fs_err as fs;

use super::RunDir;
use super::rundir::private_directory;
use xc_sys::lock::Lock;

/// The right to change a cluster, until dropped.
#[derive(Debug)]
pub struct ClusterLock {
    run: RunDir,
    lock: Named,
}

impl ClusterLock {
    /// The run directory of the cluster.
    pub fn run(&self) -> &RunDir {
        &self.run
    }

    /// Removes the lock file, once there is no cluster any more.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn remove(self) -> Result<()> {
        self.lock.remove()
    }
}

/// The right to start single nodes of a cluster, until dropped.
#[derive(Debug)]
pub struct BootQueueLock {
    _lock: Named,
}

impl RunDir {
    /// Takes the cluster for a change, if nobody else has.
    ///
    /// # Errors
    /// When the lock file can't be made.
    pub fn try_lock(&self) -> Result<Option<ClusterLock>> {
        private_directory(self.root())?;
        let lock = Named::take(&self.lock_file(), Lock::try_exclusive)?;
        Ok(lock.map(|lock| ClusterLock { run: self.clone(), lock }))
    }

    /// Takes the cluster for a change, waiting for whoever has it.
    ///
    /// # Errors
    /// When the lock file can't be made.
    pub fn lock(&self) -> Result<ClusterLock> {
        Ok(ClusterLock { run: self.clone(), lock: self.wait_for(&self.lock_file())? })
    }

    /// Waits until nobody else starts single nodes of the cluster.
    ///
    /// # Errors
    /// When the lock file can't be made.
    pub fn lock_boot_queue(&self) -> Result<BootQueueLock> {
        Ok(BootQueueLock { _lock: self.wait_for(&self.boot_queue_file())? })
    }

    /// Removes the lock file of the boot queue, unless it is held. Who waits for the removed file's
    /// lock takes the next one's.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn remove_boot_queue(&self) -> Result<()> {
        let path = self.boot_queue_file();
        if !path.exists() {
            return Ok(());
        }
        Named::take(&path, Lock::try_exclusive)?.map_or(Ok(()), Named::remove)
    }

    fn wait_for(&self, file: &Path) -> Result<Named> {
        private_directory(self.root())?;
        let wait = |path: &Path| Lock::exclusive(path, self.reporter()).map(Some);
        Named::take(file, wait)?.context("a lock that was waited for was not given")
    }

    fn lock_file(&self) -> PathBuf {
        self.root().join(format!("{}.lock", self.name()))
    }

    fn boot_queue_file(&self) -> PathBuf {
        self.root().join(format!("{}.turn.lock", self.name()))
    }
}

/// A lock on the file that has the name.
#[derive(Debug)]
struct Named(Lock);

impl Named {
    /// Takes it: a lock on a file that was removed while we waited for it keeps nobody out.
    fn take(path: &Path, how: impl Fn(&Path) -> io::Result<Option<Lock>>) -> Result<Option<Self>> {
        loop {
            let Some(lock) = how(path)? else { return Ok(None) };
            if lock.is_current()? {
                return Ok(Some(Self(lock)));
            }
        }
    }

    fn remove(self) -> Result<()> {
        Ok(fs::remove_file(self.0.path())?)
    }
}

#[cfg(test)]
mod tests {
    use xc_report::Reporter;

    use super::RunDir;

    #[test]
    fn one_has_the_lock_also_after_its_file_was_removed() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::new(dir.path(), &"c".parse().unwrap(), &Reporter::silent()).unwrap();
        let first = run.try_lock().unwrap().unwrap();
        assert!(run.try_lock().unwrap().is_none());
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| run.lock().unwrap());
            first.remove().unwrap();
            let second = waiter.join().unwrap();
            assert!(run.try_lock().unwrap().is_none());
            drop(second);
        });
        assert!(run.try_lock().unwrap().is_some());
    }

    #[test]
    fn one_has_the_boot_queue_also_after_its_file_was_removed() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::new(dir.path(), &"c".parse().unwrap(), &Reporter::silent()).unwrap();
        let file = dir.path().join("c.turn.lock");
        run.remove_boot_queue().unwrap();
        assert!(!file.exists());
        let first = run.lock_boot_queue().unwrap();
        run.remove_boot_queue().unwrap();
        assert!(file.exists(), "it is held");
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| run.lock_boot_queue().unwrap());
            // As a `stop` does it that comes between two of them.
            first._lock.remove().unwrap();
            let second = waiter.join().unwrap();
            assert!(second._lock.0.is_current().unwrap());
            drop(second);
        });
        run.remove_boot_queue().unwrap();
        assert!(!file.exists());
    }
}
