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
}

impl Source {
    /// The size of the content in bytes.
    pub(crate) fn len(&self) -> io::Result<u64> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.len() as u64),
            Self::Sized { len, .. } | Self::Range { len, .. } => Ok(*len),
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
            Self::Bytes(_) | Self::Range { .. } => Path::new(""),
        }
    }
}
