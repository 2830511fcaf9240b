//! What the last look at a directory found, on disk: a local fact of the store, by the digest of the
//! directory's path. It is in a format of its own, as it is read at each build and may be long.
//!
//! | part | bytes |
//! |---|---|
//! | magic | `xcbuild-stat 1\n` and NUL |
//! | checksum | SHA-256 of all that follows |
//! | digest | of the listing, 32 |
//! | count | of the records, u64 |
//! | record | length of the path u16, the path, kind u8, settled u8, mode u32, size u64, both times i64, inode u64, device u64, digest 32 |
//!
//! Numbers are little-endian. It is replaced by one rename; one that is damaged counts as none.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

use anyhow::Result;
use fs_err as fs;

use super::walk::{Found, FoundKind, Stat};
use crate::key::Digest;
use crate::store::Store;
use xc_sys::files::parent;

const MAGIC: &[u8; 16] = b"xcbuild-stat 1\n\0";
const DIGEST: usize = 32;
/// Where the records begin, in the checked part.
const RECORDS: usize = DIGEST + 8;
/// A record without its path.
const FIXED: usize = 2 + 1 + 1 + 4 + 5 * 8 + DIGEST;

/// What is known of one name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record {
    /// What it was.
    pub kind: FoundKind,
    /// Its stat before it was read.
    pub stat: Stat,
    /// Whether the same stat means the same content.
    pub settled: bool,
    /// Of its content or text.
    pub digest: Digest,
}

/// Where the checked part begins.
const BODY: usize = MAGIC.len() + DIGEST;

impl Record {
    /// Whether what was found is what this record is of, and can be believed to be. Of a directory
    /// only the name counts.
    pub(super) fn still_is(&self, found: &Found) -> bool {
        let same = self.settled && self.stat == found.stat;
        self.kind == found.kind && (same || found.kind == FoundKind::Directory)
    }
}

/// What the last look found.
pub(super) struct Index {
    bytes: Vec<u8>,
}

impl Index {
    /// Reads an index; `None` if there is none, or it is damaged.
    pub(super) fn read(path: &Path) -> Option<Self> {
        let bytes = fs::read(path).ok()?;
        let (magic, rest) = bytes.split_at_checked(MAGIC.len())?;
        let (checksum, body) = rest.split_at_checked(DIGEST)?;
        let sound = magic == MAGIC && Digest::of(body).bytes() == checksum;
        sound.then_some(Self { bytes })
    }

    fn body(&self) -> &[u8] {
        self.bytes.get(BODY..).unwrap_or_default()
    }

    /// The digests of the listing and of all in it, if all names are what they were and that can be
    /// believed.
    pub(super) fn unchanged(&self, found: &[Found]) -> Option<(Digest, Vec<Digest>)> {
        let count = self.body().get(DIGEST..RECORDS)?;
        if u64::from_le_bytes(count.try_into().ok()?) != found.len() as u64 {
            return None;
        }
        let mut rows = self.rows();
        let same = |found: &Found| {
            let (path, record) = rows.next()?;
            (path == found.path && record.still_is(found)).then_some(record.digest)
        };
        let digest = self.body().get(..DIGEST)?.try_into().ok()?;
        Some((Digest::from_bytes(digest), found.iter().map(same).collect::<Option<_>>()?))
    }

    /// What is known of each path.
    pub(super) fn by_path(&self) -> HashMap<&[u8], Record> {
        self.rows().collect()
    }

    /// What is known, in the order of the paths.
    #[cfg(test)]
    pub(super) fn records(&self) -> impl Iterator<Item = Record> {
        self.rows().map(|(_, record)| record)
    }

    fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        let mut rest = self.body().get(RECORDS..).unwrap_or_default();
        std::iter::from_fn(move || {
            let (row, after) = row(rest)?;
            rest = after;
            Some(row)
        })
    }
}

/// A path and what is known of it.
type Row<'a> = (&'a [u8], Record);

/// The first record of those bytes, and what follows.
fn row(bytes: &[u8]) -> Option<(Row<'_>, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    let (path, rest) = rest.split_at_checked(u16::from_le_bytes(*length).into())?;
    let (kind, rest) = rest.split_first()?;
    let (settled, rest) = rest.split_first()?;
    let (mode, rest) = rest.split_first_chunk::<4>()?;
    let (numbers, rest) = rest.split_first_chunk::<40>()?;
    let (digest, rest) = rest.split_first_chunk::<DIGEST>()?;
    let number = |at: usize| numbers[8 * at..].first_chunk().map_or(0, |b| u64::from_le_bytes(*b));
    let stat = Stat {
        mode: u32::from_le_bytes(*mode),
        size: number(0),
        modified: number(1).cast_signed(),
        changed: number(2).cast_signed(),
        inode: number(3),
        device: number(4),
    };
    let kind = *FoundKind::ALL.get(usize::from(*kind))?;
    let digest = Digest::from_bytes(*digest);
    Some(((path, Record { kind, stat, settled: *settled == 1, digest }), rest))
}

/// Writes an index; it is not synced, since one that a crash damages counts as none.
///
/// # Errors
/// When the store can't be written.
pub(super) fn write(
    path: &Path,
    store: &Store,
    found: &[Found],
    records: &[Record],
    digest: &Digest,
) -> Result<()> {
    let mut body = Vec::with_capacity(RECORDS + found.len() * (FIXED + 64));
    body.extend(digest.bytes());
    body.extend((found.len() as u64).to_le_bytes());
    for (found, record) in found.iter().zip(records) {
        body.extend(u16::try_from(found.path.len())?.to_le_bytes());
        body.extend(&found.path);
        body.extend([record.kind as u8, u8::from(record.settled)]);
        body.extend(record.stat.mode.to_le_bytes());
        let Stat { size, modified, changed, inode, device, .. } = record.stat;
        for number in [size, modified.cast_unsigned(), changed.cast_unsigned(), inode, device] {
            body.extend(number.to_le_bytes());
        }
        body.extend(record.digest.bytes());
    }
    let mut file = store.temporary()?;
    file.write_all(MAGIC)?;
    file.write_all(Digest::of(&body).bytes())?;
    file.write_all(&body)?;
    fs::create_dir_all(parent(path))?;
    file.persist(path)?;
    Ok(())
}
