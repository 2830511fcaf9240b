//! What is at a path.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The bits of a mode that chmod(1) sets.
const PERMISSIONS: u32 = 0o7777;

/// What a file is, but for its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    /// Permissions and set-id bits.
    pub mode: u32,
    /// User and group; those of this process count as root's, as in a layer.
    pub owner: (u32, u32),
    /// What changes when anything is written: inode, size, times of change in nanoseconds.
    pub stamp: Stamp,
}

/// What changes when a file is written; remembered so that its content need not be read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Stamp {
    /// Inode.
    pub inode: u64,
    /// Bytes.
    pub size: u64,
    /// Time of the content's change, nanoseconds since 1970.
    pub modified: i64,
    /// Time of any change, nanoseconds since 1970; it can't be set.
    pub changed: i64,
}

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Nothing, or nothing that we may see.
    Missing,
    /// A regular file.
    File(Meta),
    /// A directory.
    Directory(Meta),
    /// A symbolic link, with its text.
    Link(PathBuf),
    /// A device, pipe or socket.
    Other(Meta),
}

impl Found {
    /// What is at a path itself, without following a link there.
    pub fn at(path: &Path) -> Self {
        let Ok(meta) = std::fs::symlink_metadata(path) else { return Self::Missing };
        let kind = meta.file_type();
        if kind.is_symlink() {
            return std::fs::read_link(path).map_or(Self::Missing, Self::Link);
        }
        let found = Meta::of(&meta);
        if kind.is_file() {
            Self::File(found)
        } else if kind.is_dir() {
            Self::Directory(found)
        } else {
            Self::Other(found)
        }
    }

    /// Whether something is there.
    pub fn exists(&self) -> bool {
        *self != Self::Missing
    }
}

impl Meta {
    fn of(meta: &std::fs::Metadata) -> Self {
        let (uid, gid) = own_ids();
        let own = |id: u32, ours: u32| if id == ours { 0 } else { id };
        Self {
            mode: meta.mode() & PERMISSIONS,
            owner: (own(meta.uid(), uid), own(meta.gid(), gid)),
            stamp: Stamp {
                inode: meta.ino(),
                size: meta.len(),
                modified: nanoseconds(meta.mtime(), meta.mtime_nsec()),
                changed: nanoseconds(meta.ctime(), meta.ctime_nsec()),
            },
        }
    }
}

/// Our user and group. The kernel is asked once: a look at a file is made for every call of a script.
fn own_ids() -> (u32, u32) {
    static IDS: OnceLock<(u32, u32)> = OnceLock::new();
    *IDS.get_or_init(|| (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw()))
}

/// Times as file systems have them, in one number.
pub(super) fn nanoseconds(seconds: i64, nanoseconds: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}

/// The names in a directory with their kinds, in order: what a listing shows.
///
/// # Errors
/// When it can't be read.
pub(super) fn names(directory: &Path) -> io::Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let letter = if kind.is_dir() {
            b'd'
        } else if kind.is_symlink() {
            b'l'
        } else if kind.is_file() {
            b'f'
        } else {
            b'o'
        };
        let mut name = vec![letter];
        name.extend(entry.file_name().as_bytes());
        names.push(name);
    }
    names.sort();
    Ok(names)
}
