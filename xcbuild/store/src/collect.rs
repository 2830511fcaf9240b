//! Keeping the store small and sound: what is in it, what can go, what is damaged.
//!
//! What can go is decided by last use: a record is touched when it gives a hit (once a day is
//! enough), and with it all its blobs. Blobs that no record names, such as fetched packages, stand
//! for themselves. Nothing that was used within [`KEPT`] goes, as a cluster that runs may have been
//! started from it; blobs that also have a name outside (the ISO at `$__cdrom`) lose nothing by it.
//!
//! Collecting and clearing need the store for themselves: who uses it shares its lock.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use fs_err as fs;
use rayon::prelude::*;
use walkdir::WalkDir;

use super::key::Digest;
use super::store::{Action, decode};
use xc_sys::files::Lock;

/// What was used within that time stays, whatever the size.
pub const KEPT: Duration = Duration::from_secs(60 * 60);
/// Damaged files are moved here, for whoever wants to know what happened.
const QUARANTINE: &str = "quarantine";

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

/// What is in a store.
#[derive(Debug, Default)]
pub struct Contents {
    /// The records.
    pub records: Vec<Record>,
    /// The blobs, by digest.
    pub blobs: BTreeMap<String, StoredBlob>,
}

impl Contents {
    /// Looks at a store.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn of(root: &Path) -> Result<Self> {
        let mut contents = Self::default();
        for (path, metadata) in files(&root.join("ac"))? {
            let action = decode(&fs::read(&path)?);
            contents.records.push(Record { path, used: metadata.modified()?, action });
        }
        for (path, metadata) in files(&root.join("cas"))? {
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned());
            let (made, size) = (changed(&metadata), metadata.len());
            contents.blobs.insert(name.unwrap_or_default(), StoredBlob { path, made, size });
        }
        Ok(contents)
    }

    /// Bytes of all blobs.
    pub fn size(&self) -> u64 {
        self.blobs.values().map(|b| b.size).sum()
    }
}

fn files(directory: &Path) -> Result<Vec<(PathBuf, std::fs::Metadata)>> {
    let mut found = Vec::new();
    for entry in WalkDir::new(directory).min_depth(2).sort_by_file_name() {
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
/// When somebody uses the store, or it can't be written.
pub fn collect(root: &Path, limits: Limits, now: SystemTime) -> Result<Collected> {
    let _alone = alone(root)?;
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
    // Nobody else is here, so whatever is half-made is left over from a crash.
    empty(&root.join("tmp"))?;
    empty(&root.join("locks"))?;
    half_made(root)?;
    // Cheap to make anew, and of directories that may be gone.
    empty(&root.join("stat"))?;
    Ok(collected)
}

/// When a blob got its name in the store or another one: its time of modification is the store's
/// mark that nobody wrote to it.
fn changed(metadata: &std::fs::Metadata) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(metadata.ctime().try_into().unwrap_or(0))
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

/// Removes everything.
///
/// # Errors
/// When somebody uses the store, or it can't be written.
pub fn clear(root: &Path) -> Result<()> {
    let _alone = alone(root)?;
    for name in ["ac", "cas", "tmp", "locks", "stat", QUARANTINE] {
        empty(&root.join(name))?;
    }
    Ok(())
}

/// Checks every blob against its digest and every record against its own; what is damaged is moved
/// out of the way, so that the next build makes it anew. Gives what was moved.
///
/// # Errors
/// When the store can't be read or written.
pub fn verify(root: &Path) -> Result<Vec<PathBuf>> {
    let contents = Contents::of(root)?;
    let records = contents.records.into_iter().filter(|r| r.action.is_none()).map(|r| r.path);
    let blobs: Vec<(String, StoredBlob)> = contents.blobs.into_iter().collect();
    let damaged = |(name, blob): (String, StoredBlob)| -> Result<Option<PathBuf>> {
        let (digest, _) = Digest::of_reader(fs::File::open(&blob.path)?)?;
        Ok((digest.to_string() != name).then_some(blob.path))
    };
    let blobs: Vec<Option<PathBuf>> = blobs.into_par_iter().map(damaged).collect::<Result<_>>()?;
    let mut moved = Vec::new();
    for path in records.chain(blobs.into_iter().flatten()) {
        let name = path.file_name().context("a file of the store has no name")?;
        let to = root.join(QUARANTINE).join(name);
        fs::create_dir_all(root.join(QUARANTINE))?;
        fs::rename(&path, &to)?;
        moved.push(to);
    }
    Ok(moved)
}

/// Removes what a crash left of our own overlays and of the store's own files on their way.
fn half_made(root: &Path) -> Result<()> {
    for directory in [root.to_path_buf(), root.join("embedded")] {
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

fn alone(root: &Path) -> Result<Lock> {
    let asking = || {
        format!(
            "can't tell whether another xcbuild uses the store `{}`; if none does, remove the directory",
            root.display()
        )
    };
    match Lock::try_exclusive(&root.join("lock")).with_context(asking)? {
        Some(lock) => Ok(lock),
        None => {
            bail!("another xcbuild uses the store `{}`; try again when it is done", root.display())
        }
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

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::{Duration, SystemTime};
    use xc_report::Reporter;

    use super::{Collected, Contents, KEPT, Limits, clear, collect, verify};
    use crate::key::{Key, KeyBuilder};
    use crate::store::{Action, BlobRef, Store};

    fn key(name: &str) -> Key {
        KeyBuilder::new("test").text("name", name).finish()
    }

    /// A store with two records of 100 bytes each, the first one older, and a blob of no record.
    fn filled(root: &Path) -> (BlobRef, BlobRef) {
        let store = Store::open(root, &Reporter::silent()).unwrap();
        let record = |name: &str, fill: u8| {
            let blob = store.put(&[fill; 100]).unwrap();
            let action = Action { blobs: [("x".into(), blob)].into(), ..Action::default() };
            store.record(&key(name), &action).unwrap();
            blob
        };
        let (old, new) = (record("old", 1), record("new", 2));
        store.put(&[3; 50]).unwrap();
        for (name, days) in [("old", 9), ("new", 2)] {
            age(&Contents::of(root).unwrap(), &key(name), days);
        }
        (old, new)
    }

    fn age(contents: &Contents, key: &Key, days: u64) {
        let name = key.to_string();
        let record = contents.records.iter().find(|r| r.path.ends_with(&name)).unwrap();
        let then = SystemTime::now() - Duration::from_secs(days * 86_400);
        std::fs::File::open(&record.path).unwrap().set_modified(then).unwrap();
    }

    #[test]
    fn the_oldest_goes_first_and_what_was_just_used_stays() {
        let day = Duration::from_secs(86_400);
        let nothing = Collected::default();
        let old = Collected { records: 1, blobs: 1, bytes: 100 };
        let both = Collected { records: 2, blobs: 2, bytes: 200 };
        for (size, age, expected) in [
            (None, None, nothing),
            (Some(250), None, nothing),
            (Some(249), None, old),
            (Some(0), None, both),
            (None, Some(5 * day), old),
            (None, Some(day), both),
        ] {
            let dir = tempfile::tempdir().unwrap();
            filled(dir.path());
            let done = collect(dir.path(), Limits { size, age }, SystemTime::now()).unwrap();
            assert_eq!(done, expected, "{size:?} {age:?}");
            // The blob of no record is new.
            assert!(Contents::of(dir.path()).unwrap().size() >= 50);
        }
        assert!(KEPT < day);
    }

    #[test]
    fn a_store_in_use_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let _user = Store::open(dir.path(), &Reporter::silent()).unwrap();
        let e = clear(dir.path()).unwrap_err().to_string();
        assert!(e.contains("another xcbuild uses the store"), "{e}");
    }

    #[test]
    fn damaged_blobs_are_moved_and_no_longer_hit() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let (blob, _) = filled(dir.path());
        assert_eq!(verify(dir.path()).unwrap(), Vec::<std::path::PathBuf>::new());
        let store = Store::open(dir.path(), &Reporter::silent()).unwrap();
        let path = store.blob(&blob.digest).unwrap().unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let time = std::fs::metadata(&path).unwrap().modified().unwrap();
        std::fs::write(&path, [9; 100]).unwrap();
        // As a disk does that goes bad: nobody wrote to the file.
        std::fs::File::open(&path).unwrap().set_modified(time).unwrap();
        assert!(store.action(&key("old")).unwrap().is_some());
        assert_eq!(verify(dir.path()).unwrap().len(), 1);
        assert!(store.action(&key("old")).unwrap().is_none());
        assert!(store.action(&key("new")).unwrap().is_some());
    }
}
