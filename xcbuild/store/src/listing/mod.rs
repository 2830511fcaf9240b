//! What is in a directory, by digest: asked of stat first, and of the contents where stat changed.
//!
//! A listing is the sorted names below a directory with kind, mode as a checkout keeps it (0755 or
//! 0644), and the digest of the content or of the link's text. Its own digest stands for all of it in
//! a key. To know that nothing changed, each name's stat is compared with that of the last time
//! ([`index`]); only what differs is read again.
//!
//! When is stat believed? Size, both times, inode, device and mode have to be what they were, and the
//! times have to be [`SETTLED`] older than the moment when the content was read: a file may change
//! twice within one tick of its file system's clock, and look the same both times (`git` calls such
//! entries racy). Only file systems of this machine are believed, since the clock of another may be
//! wrong, and only that of the directory itself, not what is mounted below. What is not believed is
//! read: that costs time and no more.
//!
//! What it can't see: a file that is written by way of a memory mapping that was dirty before it was
//! read, until the kernel writes it out; raw writes to the disk below a file system. It sees all that
//! `git` and `make` see, and `touch -d` does not deceive it, since no call sets a time of change.

mod index;
mod walk;

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use fs_err as fs;
use rayon::prelude::*;

use self::index::{Index, Record};
use self::walk::{Found, Stat, look, walk};
use super::key::{Digest, Hasher, KeyBuilder};
use super::store::{Directory, Store};
use xc_report::timeline::span;

pub use self::walk::FoundKind;

/// Times that are younger than that when a file is read may stay what they are when it changes.
/// Some file systems count whole, others even seconds.
const SETTLED: Duration = Duration::from_secs(3);

/// A directory's content, by digest; see the module.
#[derive(Debug)]
pub struct Listing {
    root: PathBuf,
    found: Vec<Found>,
    digests: Vec<Digest>,
    digest: Digest,
}

/// One name of a listing.
#[derive(Debug, Clone, Copy)]
pub struct Listed<'a> {
    /// Its path below the directory.
    pub path: &'a [u8],
    /// What it is.
    pub kind: FoundKind,
    /// Its mode as a checkout keeps it.
    pub mode: u32,
    /// The digest of a file's content or of a link's text; of nothing for the rest.
    pub digest: &'a Digest,
}

impl Listing {
    /// Looks at a directory, and remembers in the store what was read.
    ///
    /// # Errors
    /// When something in it can't be read, or is a socket, which no tar can hold.
    pub fn of(directory: &Path, store: &Store) -> Result<Self> {
        let _span = span("listing", directory.display());
        let root = std::path::absolute(directory)?;
        let began = SystemTime::now();
        let found = walk(&root)
            .with_context(|| format!("can't read the directory `{}`", directory.display()))?;
        let name = Digest::of(root.as_os_str().as_bytes());
        Self::read(root, found, &name, began, store)
    }

    /// Looks at those files, wherever they are; links are followed. `group` names the list among
    /// others in the store.
    ///
    /// # Errors
    /// When one can't be read.
    pub fn of_files(group: &str, files: &[PathBuf], store: &Store) -> Result<Self> {
        let began = SystemTime::now();
        let look = |path: &PathBuf| Ok(look(&std::path::absolute(path)?)?);
        let found = files.iter().map(look).collect::<Result<Vec<Found>>>()?;
        let name = Digest::of(format!("files of {group}").as_bytes());
        Self::read("/".into(), found, &name, began, store)
    }

    fn read(
        root: PathBuf,
        found: Vec<Found>,
        index: &Digest,
        began: SystemTime,
        store: &Store,
    ) -> Result<Self> {
        let index = store.directory(Directory::Listings).join(index.to_string());
        let old = Index::read(&index);
        if let Some((digest, digests)) = old.as_ref().and_then(|i| i.unchanged(&found)) {
            return Ok(Self { root, found, digests, digest });
        }
        let reading = Reading { root: &root, old: old.as_ref(), began };
        let records: Vec<Record> = reading.records(&found)?;
        let digests: Vec<Digest> = records.iter().map(|r| r.digest).collect();
        let digest = digest_of(&found, &digests);
        // A store that can't be written has the listing read again the next time.
        if let Err(e) = index::write(&index, store, &found, &records, &digest) {
            tracing::debug!(index = %index.display(), "not written: {e:#}");
        }
        Ok(Self { root, found, digests, digest })
    }

    /// What stands for all of it.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The names in it, in the order of a tree.
    pub fn iter(&self) -> impl Iterator<Item = Listed<'_>> {
        self.found.iter().zip(&self.digests).map(|(found, digest)| Listed {
            path: &found.path,
            kind: found.kind,
            mode: found.mode(),
            digest,
        })
    }

    /// The text of a link of the listing, as it is now.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn link_text(&self, link: &Listed<'_>) -> io::Result<Vec<u8>> {
        link_text(&self.root, link.path)
    }
}

fn link_text(root: &Path, path: &[u8]) -> io::Result<Vec<u8>> {
    let path = root.join(std::ffi::OsStr::from_bytes(path));
    Ok(fs::read_link(path)?.into_os_string().as_bytes().to_vec())
}

fn digest_of(found: &[Found], digests: &[Digest]) -> Digest {
    let mut key = KeyBuilder::new("listing");
    for (found, digest) in found.iter().zip(digests) {
        key = key.bytes("path", &found.path).number("mode", found.mode().into());
        key = match found.kind {
            FoundKind::Directory => key.text("kind", "directory"),
            FoundKind::File => key.digest("file", digest),
            FoundKind::Symlink => key.digest("link", digest),
            FoundKind::Fifo => key.text("kind", "fifo"),
            FoundKind::Block => key.number("block device", found.stat.size),
            FoundKind::Character => key.number("character device", found.stat.size),
        };
    }
    *key.finish().digest()
}

/// Reading what changed since the last time.
struct Reading<'a> {
    root: &'a Path,
    old: Option<&'a Index>,
    /// Before anything was looked at.
    began: SystemTime,
}

impl Reading<'_> {
    fn records(&self, found: &[Found]) -> Result<Vec<Record>> {
        let known = self.old.map(Index::by_path).unwrap_or_default();
        let one = |found: &Found| -> Result<Record> {
            match known.get(found.path.as_slice()) {
                Some(old) if old.still_is(found) => Ok(*old),
                _ => self.read(found),
            }
        };
        found.par_iter().with_min_len(64).map(one).collect()
    }

    fn read(&self, found: &Found) -> Result<Record> {
        let (kind, mut stat) = (found.kind, found.stat);
        let digest = match kind {
            FoundKind::File => {
                let (digest, read) = file_digest(&self.root.join(found.os_path()))?;
                // Another file by now, or one that is being written: not believed next time.
                if read != Some(stat) {
                    stat.changed = i64::MAX;
                }
                digest
            }
            FoundKind::Symlink => Digest::of(&link_text(self.root, &found.path)?),
            _ => Digest::of(b""),
        };
        let settled = found.local && self.is_settled(&stat);
        Ok(Record { kind, stat: found.stat, settled, digest })
    }

    fn is_settled(&self, stat: &Stat) -> bool {
        let since = self.began.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let latest = since.saturating_sub(SETTLED).as_nanos();
        let before = |time: i64| u128::try_from(time).is_ok_and(|time| time < latest);
        before(stat.modified) && before(stat.changed)
    }
}

/// The digest of a file, and its stat if that was the same before and after it was read.
fn file_digest(path: &Path) -> Result<(Digest, Option<Stat>)> {
    let mut file = fs::File::open(path)?;
    let before = Stat::of_file(file.file())?;
    let mut hasher = Hasher::default();
    io::copy(&mut file, &mut hasher)?;
    let after = Stat::of_file(file.file())?;
    Ok((hasher.finish(), (before == after).then_some(before)))
}

#[cfg(test)]
mod tests;
