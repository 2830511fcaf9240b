//! A blob of the store under a name that people know.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, Result};
use fs_err as fs;

use crate::store::{BlobRef, Store};
use xc_sys::files::{Writing, parent};

/// Puts a blob of the store at a path, in place of what was there, in one step.
///
/// It is a second name of the blob where both are on one file system, else a copy. Blobs are
/// read-only, so that the store is not changed by it.
///
/// # Errors
/// When the blob is not in the store, or the path can't be written.
pub fn publish(store: &Store, blob: &BlobRef, to: &Path) -> Result<()> {
    link_or_copy(&store.blob(&blob.digest)?.context("the blob went missing from the store")?, to)
}

/// As [`publish`], for the file of a blob.
///
/// # Errors
/// When the path can't be written.
pub fn link_or_copy(from: &Path, to: &Path) -> Result<()> {
    if same(from, to) {
        return Ok(());
    }
    let directory = parent(to);
    fs::create_dir_all(directory)?;
    let writing = || Writing(to.to_path_buf());
    let mut temporary = tempfile::Builder::new();
    temporary.prefix(".tmp-");
    let made = match temporary.make_in(directory, |path| std::fs::hard_link(from, path)) {
        Ok(link) => link,
        // Another file system, one without links, or a blob of another user's.
        Err(_) if is_copy(from, to) => return Ok(()),
        Err(_) => temporary.make_in(directory, |path| copy(from, path)).with_context(writing)?,
    };
    made.persist(to).map_err(|e| e.error).with_context(writing)?;
    Ok(())
}

/// Whether both are one file, so that there is nothing to do.
fn same(a: &Path, b: &Path) -> bool {
    let id = |path: &Path| fs::symlink_metadata(path).map(|m| (m.dev(), m.ino())).ok();
    id(a).is_some() && id(a) == id(b)
}

/// Whether the path already is an unchanged copy, as on another file system than the
/// store's. Reading both is quicker than writing one.
fn is_copy(from: &Path, to: &Path) -> bool {
    let length =
        |path: &Path| fs::symlink_metadata(path).ok().filter(|m| m.is_file()).map(|m| m.len());
    let (Some(one), Some(other)) = (length(from), length(to)) else { return false };
    one == other && equal_bytes(from, to).unwrap_or(false)
}

fn equal_bytes(a: &Path, b: &Path) -> io::Result<bool> {
    let mut files = [fs::File::open(a)?, fs::File::open(b)?];
    let mut parts = [vec![0; 1 << 18], vec![0; 1 << 18]];
    loop {
        let got = read_full(&mut files[0], &mut parts[0])?;
        if got != read_full(&mut files[1], &mut parts[1])? || parts[0][..got] != parts[1][..got] {
            return Ok(false);
        }
        if got == 0 {
            return Ok(true);
        }
    }
}

fn read_full(from: &mut impl io::Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match from.read(&mut buffer[filled..])? {
            0 => break,
            got => filled += got,
        }
    }
    Ok(filled)
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut from = fs::File::open(from)?;
    let mut made = fs::OpenOptions::new().write(true).create_new(true).open(to)?;
    // The kernel copies, and shares the blocks where the file system can.
    let copied = io::copy(&mut from, &mut made).and_then(|_| made.sync_all());
    if copied.is_err() {
        // What is there of it is of no use, least of all on a full disk.
        drop(fs::remove_file(to));
    }
    copied
}

#[cfg(test)]
mod tests {
    use super::publish;
    use crate::store::Store;
    use xc_report::Reporter;

    #[test]
    fn replaced_in_one_step_and_left_alone_when_right() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store"), &Reporter::silent()).unwrap();
        let to = dir.path().join("new/cdrom.iso");
        for bytes in [&b"one"[..], b"two", b"two"] {
            let blob = store.put(bytes).unwrap();
            publish(&store, &blob, &to).unwrap();
            assert_eq!(std::fs::read(&to).unwrap(), bytes);
        }
        assert_eq!(std::fs::read_dir(dir.path().join("new")).unwrap().count(), 1);
    }

    #[test]
    fn other_file_systems_get_a_copy() {
        let shm = std::path::Path::new("/dev/shm");
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store"), &Reporter::silent()).unwrap();
        let blob = store.put(b"one").unwrap();
        let other = tempfile::tempdir_in(shm).unwrap();
        let to = other.path().join("cdrom.iso");
        publish(&store, &blob, &to).unwrap();
        assert_eq!(std::fs::read(&to).unwrap(), b"one");
    }
}
