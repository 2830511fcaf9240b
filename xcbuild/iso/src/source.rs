//! Where the content of a file comes from. Contents are opened when the image is written, never
//! earlier, so that a tree of any number of files needs no open descriptors.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The content of a file.
#[derive(Clone, Debug)]
pub enum Source {
    /// Bytes in memory.
    Bytes(Vec<u8>),
    /// A file on the host. Its size is asked for when it is added.
    Path(PathBuf),
    /// A file on the host whose size the caller has just asked for: saves a `stat` per file.
    Sized {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        len: u64,
    },
    /// A part of an open file, such as a member of a tar archive.
    Range {
        /// The open file; it is read at positions, its cursor is not moved.
        file: Arc<File>,
        /// Where the content starts, in bytes.
        offset: u64,
        /// How many bytes it has.
        len: u64,
    },
    /// Parts of an open file with holes between them, such as a sparse member of a tar archive.
    Sparse {
        /// The open file; it is read at positions, its cursor is not moved.
        file: Arc<File>,
        /// The parts that are not holes, in the order of the content.
        extents: Arc<[Extent]>,
        /// How many bytes the content has, with its holes.
        len: u64,
    },
}

/// A part of a content that is not a hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Where it starts in the content, in bytes.
    pub at: u64,
    /// Where it starts in the file that has it, in bytes.
    pub from: u64,
    /// How many bytes it has.
    pub len: u64,
}

impl Extent {
    /// What of extents in order is between two places of the content.
    pub(crate) fn between(extents: &[Self], start: u64, end: u64) -> impl Iterator<Item = Self> {
        let first = extents.partition_point(|extent| extent.at.saturating_add(extent.len) <= start);
        let found = extents[first..].iter().take_while(move |extent| extent.at < end);
        found.filter_map(move |extent| extent.within(start, end))
    }

    fn within(self, start: u64, end: u64) -> Option<Self> {
        let (from, to) = (self.at.max(start), self.at.checked_add(self.len)?.min(end));
        (from < to).then(|| Self { at: from, from: self.from + (from - self.at), len: to - from })
    }
}

impl Source {
    /// The size of the content in bytes.
    pub(crate) fn len(&self) -> io::Result<u64> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.len() as u64),
            Self::Sized { len, .. } | Self::Range { len, .. } | Self::Sparse { len, .. } => {
                Ok(*len)
            }
            Self::Path(path) => {
                let found = std::fs::metadata(path)?;
                if !found.is_file() {
                    return Err(io::Error::other("not a regular file"));
                }
                Ok(found.len())
            }
        }
    }

    /// The host's path, for messages.
    pub(crate) fn host_path(&self) -> &Path {
        match self {
            Self::Path(path) | Self::Sized { path, .. } => path,
            Self::Bytes(_) | Self::Range { .. } | Self::Sparse { .. } => Path::new(""),
        }
    }
}
