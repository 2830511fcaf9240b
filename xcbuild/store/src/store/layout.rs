//! The directories of a store, by name.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::key::{Digest, Key};

/// A directory of a store. What is in each, see [`crate::store`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Directory {
    /// Records by key.
    Records,
    /// Blobs by digest.
    Blobs,
    /// A lock for each key that is or was built.
    Locks,
    /// All that is true of this machine only.
    Local,
    /// What layers were made of when they were built last.
    LastBuilds,
    /// The traces of scripts.
    Histories,
    /// The stamps of traces' inputs.
    Stamps,
    /// What the last look at each directory found.
    Listings,
    /// Half-made files and working directories.
    Work,
    /// Damaged files, for whoever wants to know what happened.
    Quarantine,
    /// apt's state.
    Apt,
    /// The program's own overlays and templates, written out.
    Embedded,
}

impl Directory {
    fn name(self) -> &'static str {
        match self {
            Self::Records => "ac",
            Self::Blobs => "cas",
            Self::Locks => "locks",
            Self::Local => "local",
            Self::LastBuilds => "local/last-builds",
            Self::Histories => "local/histories",
            Self::Stamps => "local/stamps",
            Self::Listings => "local/listings",
            Self::Work => "tmp",
            Self::Quarantine => "quarantine",
            Self::Apt => "apt",
            Self::Embedded => "embedded",
        }
    }
}

/// Where the parts of a store are. It says nothing of whether they are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreLayout {
    root: PathBuf,
}

impl StoreLayout {
    /// The layout of a store at a path.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_path_buf() }
    }

    /// The store itself, with all its directories below.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// One of its directories.
    pub fn directory(&self, directory: Directory) -> PathBuf {
        self.root.join(directory.name())
    }

    /// Directories of earlier versions that nothing reads any more.
    pub(crate) fn obsolete(&self) -> Vec<PathBuf> {
        vec![self.root.join("stat")]
    }

    /// The file that says which format the store has.
    pub(crate) fn format(&self) -> PathBuf {
        self.root.join("format")
    }

    /// The lock of the whole store.
    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// The file of a record.
    pub(crate) fn record(&self, key: &Key) -> PathBuf {
        sharded(&self.directory(Directory::Records), key.digest())
    }

    /// The file of a blob.
    pub(crate) fn blob(&self, digest: &Digest) -> PathBuf {
        sharded(&self.directory(Directory::Blobs), digest)
    }

    /// The lock of a key that is built.
    pub(crate) fn key_lock(&self, key: &Key) -> PathBuf {
        self.directory(Directory::Locks).join(key.to_string())
    }
}

impl fmt::Display for StoreLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.display().fmt(f)
    }
}

/// 256 directories, so that none grows long.
fn sharded(directory: &Path, digest: &Digest) -> PathBuf {
    let name = digest.to_string();
    directory.join(&name[..2]).join(name)
}
