//! Keeping the store small and sound: what is in it, what can go, what is damaged.
//!
//! What can go is decided by last use: a record is touched when it gives a hit (once a day is
//! enough), and with it all its blobs. Blobs that no record names, such as fetched packages, stand
//! for themselves. Facts of this machine stay while they are used. Nothing that was used within [`KEPT`] goes, as a cluster that runs may have been
//! started from it; blobs that also have a name outside (the ISO at `$__cdrom`) lose nothing by it.
//!
//! Collecting and clearing need the store for themselves: whoever uses it shares its lock.

mod contents;
#[cfg(test)]
mod tests;
mod verify;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use fs_err as fs;

pub use self::contents::{Contents, Record, StoredBlob, StoredFact};
pub use self::verify::verify;
use crate::store::{Directory, Fact, StoreLayout};
use xc_sys::lock::Lock;

/// What was used within that time stays, whatever the size.
pub const KEPT: Duration = Duration::from_secs(60 * 60);

/// What a collection did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Collected {
    /// Records that went.
    pub records: usize,
    /// Blobs that went.
    pub blobs: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// What may stay.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of blobs.
    pub size: Option<u64>,
    /// Time since the last use.
    pub age: Option<Duration>,
}

/// Removes what was not used for longest, until the limits hold.
///
/// # Errors
/// When another process uses the store, or it can't be written.
pub fn collect(root: &Path, limits: Limits, now: SystemTime) -> Result<Collected> {
    let layout = StoreLayout::new(root);
    let _alone = alone(&layout)?;
    let contents = Contents::of(root)?;
    let kept = kept(&contents, limits, now);
    let mut collected = Collected::default();
    for record in contents.records.iter().filter(|r| !kept.records.contains(&r.path)) {
        fs::remove_file(&record.path)?;
        collected.records += 1;
    }
    for (_, blob) in contents.blobs.iter().filter(|(name, _)| !kept.blobs.contains(*name)) {
        fs::remove_file(&blob.path)?;
        collected.blobs += 1;
        collected.bytes += blob.size;
    }
    let records: BTreeSet<&OsStr> = kept.records.iter().filter_map(|p| p.file_name()).collect();
    for fact in contents.facts.iter().filter(|f| !is_kept(f, &records, limits, now)) {
        fs::remove_file(&fact.path)?;
    }
    // This is the only user, so whatever is half-made is left over from a crash. Listings are cheap
    // to make again, and may be of directories that are gone.
    for directory in [Directory::Work, Directory::Locks, Directory::Listings] {
        empty(&layout.directory(directory))?;
    }
    layout.obsolete().iter().try_for_each(|directory| empty(directory))?;
    remove_half_made(&layout)?;
    Ok(collected)
}

#[derive(Debug, Default)]
struct Kept {
    records: BTreeSet<PathBuf>,
    blobs: BTreeSet<String>,
}

/// What stays: from the latest used on, as long as the limits hold.
fn kept(contents: &Contents, limits: Limits, now: SystemTime) -> Kept {
    let named = |r: &Record| -> Vec<String> {
        let blobs = r.action.iter().flat_map(|a| a.blobs.values());
        blobs.map(|b| b.digest.to_string()).collect()
    };
    let records = contents.records.iter().filter(|r| r.action.is_some());
    let mut items: Vec<(SystemTime, Option<&Path>, Vec<String>)> =
        records.map(|r| (r.used, Some(r.path.as_path()), named(r))).collect();
    let in_records: BTreeSet<String> = items.iter().flat_map(|(_, _, b)| b.clone()).collect();
    let alone = contents.blobs.iter().filter(|(name, _)| !in_records.contains(*name));
    items.extend(alone.map(|(name, blob)| (blob.made, None, vec![name.clone()])));
    items.sort_by_key(|(used, ..)| std::cmp::Reverse(*used));
    let mut kept = Kept::default();
    let mut size = 0;
    for (used, record, blobs) in items {
        let age = now.duration_since(used).unwrap_or_default();
        let new = blobs.iter().filter(|b| !kept.blobs.contains(*b));
        let more: u64 = new.filter_map(|b| contents.blobs.get(b)).map(|b| b.size).sum();
        let fits = limits.size.is_none_or(|most| size + more <= most);
        if age < KEPT || (fits && limits.age.is_none_or(|most| age <= most)) {
            size += more;
            kept.records.extend(record.map(Path::to_path_buf));
            kept.blobs.extend(blobs);
        }
    }
    kept
}

/// Whether a local fact stays: the stamps of a trace with it, all else as long as it is used. Facts
/// are small, and their size does not count.
fn is_kept(fact: &StoredFact, records: &BTreeSet<&OsStr>, limits: Limits, now: SystemTime) -> bool {
    if fact.fact == Fact::Stamps {
        return fact.path.file_name().is_some_and(|name| records.contains(name));
    }
    let age = now.duration_since(fact.used).unwrap_or_default();
    age < KEPT || limits.age.is_none_or(|most| age <= most)
}

/// Removes everything.
///
/// # Errors
/// When another process uses the store, or it can't be written.
pub fn clear(root: &Path) -> Result<()> {
    let layout = StoreLayout::new(root);
    let _alone = alone(&layout)?;
    for directory in [
        Directory::Records,
        Directory::Blobs,
        Directory::Work,
        Directory::Locks,
        Directory::Local,
        Directory::Quarantine,
    ] {
        empty(&layout.directory(directory))?;
    }
    layout.obsolete().iter().try_for_each(|directory| empty(directory))?;
    Ok(())
}

/// Removes what a crash left of our own overlays and of the store's own files on their way.
fn remove_half_made(layout: &StoreLayout) -> Result<()> {
    for directory in [layout.root().to_path_buf(), layout.directory(Directory::Embedded)] {
        if !directory.is_dir() {
            continue;
        }
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            if entry.file_name().as_encoded_bytes().starts_with(b".tmp-") {
                remove(&entry.path())?;
            }
        }
    }
    Ok(())
}

fn remove(path: &Path) -> Result<()> {
    if path.is_dir() {
        fs::remove_dir_all(path)?
    } else {
        fs::remove_file(path)?
    }
    Ok(())
}

fn alone(layout: &StoreLayout) -> Result<Lock> {
    let asking = || {
        format!(
            "can't tell whether another xcbuild uses the store `{layout}`; if none does, remove the directory"
        )
    };
    match Lock::try_exclusive(&layout.lock()).with_context(asking)? {
        Some(lock) => Ok(lock),
        None => bail!("another xcbuild uses the store `{layout}`; try again when it is done"),
    }
}

fn empty(directory: &Path) -> Result<()> {
    if !directory.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(directory)? {
        remove(&entry?.path())?;
    }
    Ok(())
}
