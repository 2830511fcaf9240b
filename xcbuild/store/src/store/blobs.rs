//! Blobs: found by digest, checked where they may have been changed, and put into the store.

use std::io::{self, BufWriter, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use fs_err as fs;
use tempfile::NamedTempFile;

use super::{BlobRef, Directory, Store, StoreLayout};
use crate::key::{Digest, Hasher};
use crate::tree::TIMESTAMP;
use xc_report::timeline::span;
use xc_sys::files;

/// Blobs are shared by all builds and never written to in place.
const BLOB_MODE: u32 = 0o444;

impl Store {
    /// The file of a blob, if it is in the store.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn blob(&self, digest: &Digest) -> Result<Option<PathBuf>> {
        let path = self.layout.blob(digest);
        Ok(path.try_exists().with_context(|| path.display().to_string())?.then_some(path))
    }

    /// Whether a blob is in the store, and is what its digest says.
    pub(crate) fn has(&self, blob: &BlobRef) -> Result<bool> {
        let path = self.layout.blob(&blob.digest);
        match fs::metadata(&path) {
            Ok(found) if found.len() == blob.size && is_untouched(&found) => Ok(true),
            Ok(_) => self.restored(&path, blob),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(e.into()),
        }
    }

    /// Whether a blob whose file was touched still is what it was; one that isn't is removed, and
    /// built again.
    fn restored(&self, path: &Path, blob: &BlobRef) -> Result<bool> {
        let (digest, _) = Digest::of_reader(fs::File::open(path)?)?;
        if digest == blob.digest {
            // Of another user's blob we can't set the time: then it is read each time.
            let _ = mark_untouched(path);
            return Ok(true);
        }
        self.reporter.warn(format_args!(
            "the blob `{}` was changed after it was stored; it is built again",
            path.display()
        ));
        if self.read_only.is_none() {
            fs::remove_file(path)?;
        }
        Ok(false)
    }

    /// A blob in the making.
    ///
    /// # Errors
    /// When the store can't be written.
    pub fn writer(&self) -> Result<BlobWriter> {
        Ok(BlobWriter {
            file: BufWriter::with_capacity(1 << 18, self.temporary()?),
            hasher: Hasher::default(),
            size: 0,
            layout: self.layout.clone(),
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
        let directory = self.directory(Directory::Work);
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
        publish(file, &self.layout, &digest)?;
        Ok(BlobRef { digest, size })
    }
}

/// Bytes on their way into the store; nothing stays of them unless they are committed.
#[derive(Debug)]
pub struct BlobWriter {
    file: BufWriter<NamedTempFile>,
    hasher: Hasher,
    size: u64,
    layout: StoreLayout,
}

impl BlobWriter {
    /// Publishes the bytes under their digest.
    ///
    /// # Errors
    /// When the store can't be written.
    pub fn commit(self) -> Result<BlobRef> {
        let digest = self.hasher.clone().finish();
        self.publish(digest)
    }

    /// Publishes the bytes if they are those of a digest; otherwise nothing stays of them.
    ///
    /// # Errors
    /// When the store can't be written.
    pub(crate) fn commit_as(self, wanted: &Digest) -> Result<Option<BlobRef>> {
        let digest = self.hasher.clone().finish();
        (digest == *wanted).then(|| self.publish(digest)).transpose()
    }

    fn publish(self, digest: Digest) -> Result<BlobRef> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        publish(file, &self.layout, &digest)?;
        Ok(BlobRef { digest, size: self.size })
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

fn publish(file: NamedTempFile, layout: &StoreLayout, digest: &Digest) -> Result<()> {
    let path = layout.blob(digest);
    fs::create_dir_all(files::parent(&path))?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(BLOB_MODE);
    fs::set_permissions(file.path(), mode)?;
    mark_untouched(file.path())?;
    Ok(files::publish(file, &path)?)
}

/// A blob has other names outside the store, and root writes to read-only files. Whoever does so
/// sets its time of change to now; that of an untouched blob is the one time of all our files.
fn is_untouched(found: &std::fs::Metadata) -> bool {
    u64::try_from(found.mtime()) == Ok(TIMESTAMP)
}

fn mark_untouched(path: &Path) -> io::Result<()> {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(TIMESTAMP);
    fs::File::open(path)?.file().set_modified(time)
}
