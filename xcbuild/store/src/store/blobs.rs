//! Bytes on their way into the store.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};
use fs_err as fs;
use tempfile::NamedTempFile;

use super::{BlobRef, Store, mark_untouched, sharded};
use crate::key::{Digest, Hasher};
use xc_report::timeline::span;
use xc_sys::files;

/// Blobs are shared by all builds and never written to in place.
const BLOB_MODE: u32 = 0o444;

impl Store {
    /// A blob in the making.
    ///
    /// # Errors
    /// When the store can't be written.
    pub fn writer(&self) -> Result<BlobWriter> {
        Ok(BlobWriter {
            file: BufWriter::with_capacity(1 << 18, self.temporary()?),
            hasher: Hasher::default(),
            size: 0,
            cas: self.root.join("cas"),
        })
    }

    /// Puts bytes into the store.
    ///
    /// # Errors
    /// When the store can't be written.
    pub fn put(&self, bytes: &[u8]) -> Result<BlobRef> {
        let mut writer = self.writer()?;
        writer.write_all(bytes)?;
        writer.commit()
    }

    /// A directory for work in the store's file system; removed when dropped.
    ///
    /// # Errors
    /// When the store can't be written.
    pub fn work_directory(&self) -> Result<tempfile::TempDir> {
        self.in_work(|directory| tempfile::tempdir_in(directory))
    }

    /// A temporary file in the store's file system, to be given to [`Store::adopt`].
    ///
    /// # Errors
    /// When the store can't be written.
    pub fn temporary(&self) -> Result<NamedTempFile> {
        self.in_work(|directory| NamedTempFile::new_in(directory))
    }

    fn in_work<T>(&self, make: impl FnOnce(&Path) -> io::Result<T>) -> Result<T> {
        self.check_writable()?;
        let directory = self.root.join("tmp");
        make(&directory)
            .with_context(|| format!("can't write to the store `{}`", directory.display()))
    }

    /// Takes a finished temporary file (made in [`Store::work_directory`] or by
    /// [`Store::temporary`]) into the store; its bytes are read once more for their digest.
    ///
    /// # Errors
    /// When it can't be read, or the store can't be written.
    pub fn adopt(&self, file: NamedTempFile) -> Result<BlobRef> {
        let _span = span("store", "digest and publish");
        let (digest, size) = Digest::of_reader(fs::File::open(file.path())?)?;
        publish(file, &self.root.join("cas"), &digest)?;
        Ok(BlobRef { digest, size })
    }
}

/// Bytes on their way into the store; nothing stays of them unless they are committed.
#[derive(Debug)]
pub struct BlobWriter {
    file: BufWriter<NamedTempFile>,
    hasher: Hasher,
    size: u64,
    cas: std::path::PathBuf,
}

impl BlobWriter {
    /// Publishes the bytes under their digest.
    ///
    /// # Errors
    /// When the store can't be written.
    pub fn commit(self) -> Result<BlobRef> {
        let Self { file, hasher, size, cas } = self;
        let digest = hasher.finish();
        publish(file.into_inner().map_err(io::IntoInnerError::into_error)?, &cas, &digest)?;
        Ok(BlobRef { digest, size })
    }
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.write_all(&bytes[..written])?;
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn publish(file: NamedTempFile, cas: &Path, digest: &Digest) -> Result<()> {
    let path = sharded(cas, digest);
    fs::create_dir_all(files::parent(&path))?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(BLOB_MODE);
    fs::set_permissions(file.path(), mode)?;
    mark_untouched(file.path())?;
    Ok(files::publish(file, &path)?)
}
