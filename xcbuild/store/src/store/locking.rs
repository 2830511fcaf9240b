//! Locks of a store, and doing without.
//!
//! A store on a file system without locks is used all the same: results stay right, since everything
//! is published whole and equal keys give equal bytes. Only work may be done twice.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use xc_report::Reporter;
use xc_sys::files::parent;
use xc_sys::lock::{Lock, has_no_locks};

/// Takes a store's locks, and warns once where there are none.
#[derive(Debug)]
pub(super) struct Locking {
    reporter: Reporter,
    has_warned: AtomicBool,
}

impl Locking {
    pub(super) fn new(reporter: &Reporter) -> Self {
        Self { reporter: reporter.clone(), has_warned: AtomicBool::new(false) }
    }

    /// Waits for a lock that others may share.
    pub(super) fn shared(&self, path: &Path) -> io::Result<Option<Lock>> {
        self.optional(path, Lock::shared(path, &self.reporter))
    }

    /// Waits for a lock that no other process has.
    pub(super) fn exclusive(&self, path: &Path) -> io::Result<Option<Lock>> {
        self.optional(path, Lock::exclusive(path, &self.reporter))
    }

    fn optional(&self, path: &Path, taken: io::Result<Lock>) -> io::Result<Option<Lock>> {
        match taken {
            Err(e) if has_no_locks(&e) => {
                if !self.has_warned.swap(true, Ordering::Relaxed) {
                    self.reporter.warn(format_args!(
                        "the file system of `{}` has no locks ({e}); continuing without: two builds of one key may both do the work",
                        parent(path).display()
                    ));
                }
                Ok(None)
            }
            other => other.map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;

    use super::Locking;
    use xc_report::Recorder;

    #[test]
    fn without_locks_is_reported_once_and_other_errors_stay() {
        let recorder = Recorder::default();
        let locking = Locking::new(&recorder.reporter());
        let no_locks = || io::Error::from(rustix::io::Errno::NOLCK);
        for name in ["lock", "locks/a"] {
            let taken = locking.optional(&Path::new("/store").join(name), Err(no_locks()));
            assert!(taken.unwrap().is_none());
        }
        assert_eq!(
            recorder.warnings(),
            [
                "the file system of `/store` has no locks (No locks available (os error 37)); continuing without: two builds of one key may both do the work"
            ]
        );
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        assert!(locking.optional(Path::new("/store/lock"), Err(denied)).is_err());
        let dir = tempfile::tempdir().unwrap();
        assert!(locking.exclusive(&dir.path().join("lock")).unwrap().is_some());
        assert_eq!(recorder.warnings().len(), 1);
    }
}
