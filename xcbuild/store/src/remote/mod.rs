//! Remotes: places where records and blobs are also kept, so that what one machine built another
//! need not build.
//!
//! ```text
//! miss in the store ── record of the key ── its blobs, checked ── record ──> as if it were built here
//!                       │ none, damaged, or the remote fails
//!                       └──> the next remote, else build ── blobs, then the record ──> remotes
//! ```
//!
//! A kind of remote is a file with an implementation of [`Remote`], and a line in [`open`]. It moves
//! bytes and knows nothing of trust: the store checks every byte against its digest before it takes
//! it, so that a remote can be slow, damaged or gone, and no result gets wrong by it. What digests
//! don't prove is that a record belongs to its key: whoever can write to a remote that is read
//! decides what comes of a key.
//!
//! A script's key alone does not name its result. Its record lists *candidates* in place of blobs:
//! the keys of its traces, newest first and bounded. Whoever looks compares a trace with its own
//! machine before it takes the layer. Two machines that add a candidate at once may lose one of the
//! two, which is a miss later and no more.
//!
//! Facts of one machine ([`crate::store::Local`]) are never here.

mod connection;
mod directory;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, Read, Write};

pub use self::connection::{Candidate, Remotes};
pub use self::directory::DirectoryRemote;
use crate::key::Key;
use crate::store::{Action, BlobRef};

/// How long a record may be, in bytes: more is taken for damage.
const RECORD_MAX: u64 = 4 << 20;
/// How many candidates a record lists.
const CANDIDATES_MAX: usize = 8;

/// A place where records and blobs are also kept. Used by many threads at once.
pub trait Remote: fmt::Debug + Send + Sync {
    /// What messages call it: its URL, without secrets.
    fn name(&self) -> String;

    /// The record of a key, if it is there.
    ///
    /// # Errors
    /// [`RemoteError`].
    fn get_record(&self, key: &Key) -> Result<Option<Action>, RemoteError>;

    /// Keeps a record, in place of an earlier one. Its blobs are there already.
    ///
    /// # Errors
    /// [`RemoteError::Unavailable`].
    fn put_record(&self, key: &Key, action: &Action) -> Result<(), RemoteError>;

    /// Whether a blob is there, as far as that is known without reading it.
    ///
    /// # Errors
    /// [`RemoteError::Unavailable`].
    fn has_blob(&self, blob: &BlobRef) -> Result<bool, RemoteError>;

    /// Writes a blob's bytes; gives whether it is there. The caller checks what was written.
    ///
    /// # Errors
    /// [`RemoteError`]; those of the writer as [`RemoteError::Unavailable`].
    fn get_blob(&self, blob: &BlobRef, to: &mut dyn Write) -> Result<bool, RemoteError>;

    /// Keeps a blob, in place of an earlier one of the same digest; there as a whole or not at all.
    ///
    /// # Errors
    /// [`RemoteError::Unavailable`].
    fn put_blob(&self, blob: &BlobRef, from: &mut dyn Read) -> Result<(), RemoteError>;
}

/// Why a remote did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// What is there is not what it should be; the rest may be sound.
    #[error("{0}")]
    Damaged(String),
    /// Nothing more is to be expected of it in this run.
    #[error("{0}")]
    Unavailable(String),
}

impl From<io::Error> for RemoteError {
    fn from(e: io::Error) -> Self {
        Self::Unavailable(e.to_string())
    }
}

/// A URL that names no remote.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// There is no such kind.
    #[error("`{0}` is not the URL of a remote cache: expected file:///DIRECTORY")]
    Kind(String),
    /// A directory that is not given from the root on.
    #[error("`{0}` does not name a directory of this machine: expected file:///DIRECTORY")]
    Path(String),
}

/// The remote of a URL: the only place that knows which kinds there are. Nothing is looked at yet.
///
/// # Errors
/// [`UrlError`].
pub fn open(url: &str) -> Result<Box<dyn Remote>, UrlError> {
    let (scheme, rest) = url.split_once("://").ok_or_else(|| UrlError::Kind(url.to_owned()))?;
    match scheme {
        "file" => Ok(Box::new(DirectoryRemote::from_url(url, rest)?)),
        _ => Err(UrlError::Kind(url.to_owned())),
    }
}
