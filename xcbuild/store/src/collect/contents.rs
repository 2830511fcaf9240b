//! What is in a store.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Result;
use fs_err as fs;
use walkdir::WalkDir;

use crate::key::Digest;
use crate::store::{Action, Directory, Fact, StoreLayout, decode};

/// A record of the store.
#[derive(Debug, Clone)]
pub struct Record {
    /// Its file.
    pub path: PathBuf,
    /// When it gave a hit or was made.
    pub used: SystemTime,
    /// What it says; `None` if it is damaged.
    pub action: Option<Action>,
}

/// A blob of the store.
#[derive(Debug, Clone)]
pub struct StoredBlob {
    /// Its file.
    pub path: PathBuf,
    /// When it was made, or got another name.
    pub made: SystemTime,
    /// Its length in bytes.
    pub size: u64,
}

/// A fact of this machine.
#[derive(Debug, Clone)]
pub struct StoredFact {
    /// Its file, named by a key.
    pub path: PathBuf,
    /// Its kind.
    pub fact: Fact,
    /// When it was used or written.
    pub used: SystemTime,
    /// Whether it can be read.
    pub is_sound: bool,
}

/// What is in a store.
#[derive(Debug, Default)]
pub struct Contents {
    /// The records.
    pub records: Vec<Record>,
    /// The blobs, by digest.
    pub blobs: BTreeMap<String, StoredBlob>,
    /// The facts of this machine.
    pub facts: Vec<StoredFact>,
}

impl Contents {
    /// Looks at a store.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn of(root: &Path) -> Result<Self> {
        let layout = StoreLayout::new(root);
        let mut contents = Self::default();
        for (path, metadata) in files(&layout.directory(Directory::Records), 2)? {
            let action = decode(&fs::read(&path)?);
            contents.records.push(Record { path, used: metadata.modified()?, action });
        }
        for (path, metadata) in files(&layout.directory(Directory::Blobs), 2)? {
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned());
            let (made, size) = (changed(&metadata), metadata.len());
            contents.blobs.insert(name.unwrap_or_default(), StoredBlob { path, made, size });
        }
        for fact in Fact::ALL {
            for (path, metadata) in files(&layout.directory(fact.directory()), 1)? {
                let is_sound = decode::<serde_json::Value>(&fs::read(&path)?).is_some();
                let used = metadata.modified()?;
                contents.facts.push(StoredFact { path, fact, used, is_sound });
            }
        }
        Ok(contents)
    }

    /// Bytes of all blobs.
    pub fn size(&self) -> u64 {
        self.blobs.values().map(|b| b.size).sum()
    }
}

/// The files at a depth below a directory that are named by a digest.
fn files(directory: &Path, depth: usize) -> Result<Vec<(PathBuf, std::fs::Metadata)>> {
    let mut found = Vec::new();
    if !directory.is_dir() {
        return Ok(found);
    }
    for entry in WalkDir::new(directory).min_depth(depth).sort_by_file_name() {
        let entry = entry.map_err(std::io::Error::from)?;
        if entry.file_type().is_file() && is_named_by_digest(entry.path()) {
            let metadata = entry.metadata().map_err(std::io::Error::from)?;
            found.push((entry.into_path(), metadata));
        }
    }
    Ok(found)
}

/// What has another name is on its way to get one, or was left there by a crash.
fn is_named_by_digest(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.parse::<Digest>().is_ok())
}

/// When a blob got its name in the store or another one: its time of modification is the store's
/// mark that it was not written to.
fn changed(metadata: &std::fs::Metadata) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(metadata.ctime().try_into().unwrap_or(0))
}
