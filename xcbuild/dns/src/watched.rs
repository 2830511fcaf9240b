//! A file that is read again when it changed.
//!
//! Looked at when a query needs it, not by inotify: resolv.conf is often a link whose target is
//! replaced by rename, or appears later, and a stat a second costs nothing.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The file and what it was when it was last read.
pub(crate) struct Watched {
    path: PathBuf,
    stamp: Option<Stamp>,
    next_look: Instant,
    interval: Duration,
}

/// What changes when a file does: inode, size, and times of data and inode.
type Stamp = (u64, u64, (i64, i64), (i64, i64));

impl Watched {
    /// Reads `path` for the first time. It is watched also if that fails.
    pub(crate) fn open(path: &Path, interval: Duration) -> (Self, io::Result<String>) {
        // The stamp first: a change in between is then seen as one the next time.
        let stamp = stamp(path);
        let text = read(path);
        let stamp = stamp.filter(|_| text.is_ok());
        let path = path.to_path_buf();
        (Self { path, stamp, next_look: Instant::now() + interval, interval }, text)
    }

    /// The file's path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The new text, if the file changed since it was last read. `None` also while it can't be
    /// read, as between the removal of the old and the creation of the new.
    pub(crate) fn changed(&mut self, now: Instant) -> Option<String> {
        if now < self.next_look {
            return None;
        }
        self.next_look = now + self.interval;
        let stamp = stamp(&self.path);
        if stamp.is_none() || stamp == self.stamp {
            return None;
        }
        let text = read(&self.path).ok()?;
        self.stamp = stamp;
        Some(text)
    }
}

/// The text; bytes that are no UTF-8 can only be in comments that matter.
fn read(path: &Path) -> io::Result<String> {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn stamp(path: &Path) -> Option<Stamp> {
    let meta = fs::metadata(path).ok()?;
    let modified = (meta.mtime(), meta.mtime_nsec());
    Some((meta.ino(), meta.len(), modified, (meta.ctime(), meta.ctime_nsec())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_change_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let (mut watched, text) = Watched::open(&path, Duration::from_secs(1));
        assert!(text.is_err(), "not there yet");
        fs::write(&path, "one").unwrap();
        let now = Instant::now();
        let later = |seconds| now + Duration::from_secs(seconds);
        watched.next_look = later(1);
        assert_eq!(watched.changed(now), None, "too early to look");
        assert_eq!(watched.changed(later(1)).as_deref(), Some("one"));
        fs::write(&path, "three").unwrap();
        assert_eq!(watched.changed(later(2)).as_deref(), Some("three"));
        assert_eq!(watched.changed(later(3)), None, "nothing new");
        fs::remove_file(&path).unwrap();
        assert_eq!(watched.changed(later(5)), None, "gone");
        fs::write(&path, "three").unwrap();
        assert_eq!(watched.changed(later(7)).as_deref(), Some("three"), "another file");
    }
}
