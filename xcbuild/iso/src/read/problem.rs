//! What can be wrong with an image.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::error::ImagePath;

/// Something that is wrong with one entry, or with the structure around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The entry; the root for what concerns the image.
    pub path: ImagePath,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.what)
    }
}

/// Why an image, or something of it, could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The bytes could not be had.
    #[error("reading the image")]
    Input(#[from] io::Error),
    /// There is no ISO 9660 volume.
    #[error("not an ISO 9660 image: {0}")]
    NotIso(&'static str),
    /// The view that was asked for is not in the image.
    #[error("the image has no {0} names")]
    NoSuchNames(&'static str),
    /// The content of a file lies outside of the image.
    #[error("{path}: its content lies beyond the end of the image, which is cut off")]
    Truncated {
        /// The file.
        path: ImagePath,
    },
    /// The content of a file is compressed.
    #[error("{path}: compressed by zisofs, which is not supported")]
    Compressed {
        /// The file.
        path: ImagePath,
    },
    /// Something could not be made on the host.
    #[error("{path}: making {}", host.display())]
    Host {
        /// The entry of the image.
        path: ImagePath,
        /// The path on the host.
        host: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Extracting would make more bytes than it may.
    #[error("its files have more than {most} bytes together, as those of a bomb do")]
    TooLarge {
        /// The most bytes that were allowed.
        most: u64,
    },
    /// An entry can't be extracted.
    #[error("{path}: {reason}")]
    NotExtracted {
        /// The entry.
        path: ImagePath,
        /// Why not.
        reason: &'static str,
    },
}
