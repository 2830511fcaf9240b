//! Finding damage.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fs_err as fs;
use rayon::prelude::*;

use super::contents::{Contents, StoredBlob};
use crate::key::Digest;
use crate::store::{Directory, StoreLayout};

/// Checks every blob against its digest, and every record and local fact against its own; what is damaged is moved
/// out of the way, so that the next build makes it again. Gives what was moved.
///
/// # Errors
/// When the store can't be read or written.
pub fn verify(root: &Path) -> Result<Vec<PathBuf>> {
    let contents = Contents::of(root)?;
    let records = contents.records.into_iter().filter(|r| r.action.is_none()).map(|r| r.path);
    let facts = contents.facts.into_iter().filter(|f| !f.is_sound).map(|f| f.path);
    let blobs: Vec<(String, StoredBlob)> = contents.blobs.into_iter().collect();
    let damaged = |(name, blob): (String, StoredBlob)| -> Result<Option<PathBuf>> {
        let (digest, _) = Digest::of_reader(fs::File::open(&blob.path)?)?;
        Ok((digest.to_string() != name).then_some(blob.path))
    };
    let blobs: Vec<Option<PathBuf>> = blobs.into_par_iter().map(damaged).collect::<Result<_>>()?;
    let quarantine = StoreLayout::new(root).directory(Directory::Quarantine);
    let mut moved = Vec::new();
    for path in records.chain(facts).chain(blobs.into_iter().flatten()) {
        let name = path.file_name().context("a file of the store has no name")?;
        let to = quarantine.join(name);
        fs::create_dir_all(&quarantine)?;
        fs::rename(&path, &to)?;
        moved.push(to);
    }
    Ok(moved)
}
