//! The files that nodes boot from.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::{Deserialize, Serialize};

/// A file that nodes boot from, and what changes with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// The file.
    pub path: PathBuf,
    /// Its device, inode, and time in nanoseconds: a file that is made again has others.
    stamp: (u64, u64, i64, i64),
}

impl Image {
    /// The file as it is now; `None` if it is not there.
    pub fn of(path: &Path) -> Option<Self> {
        let m = fs::metadata(path).ok()?;
        Some(Self { path: path.into(), stamp: (m.dev(), m.ino(), m.mtime(), m.mtime_nsec()) })
    }

    /// Whether the file is another by now.
    pub fn has_changed(&self) -> bool {
        Self::of(&self.path).as_ref() != Some(self)
    }
}
