//! `file:///DIRECTORY`: a directory that several machines see, as on NFS or in a bind mount.
//!
//! ```text
//! ac/ab/abcd…     records, in the format of the store
//! cas/ab/abcd…    blobs
//! ```
//!
//! Everything is published by temporary file and rename, so that whoever reads while another writes
//! sees all of it or nothing. There is no lock: network file systems may have none.

use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use fs_err as fs;

use super::{RECORD_MAX, Remote, RemoteError, UrlError};
use crate::key::Key;
use crate::store::{Action, BlobRef, StoreLayout, decode, encode};
use xc_sys::files::{parent, publish};

/// Files are for all who may see the directory, and are never written in place.
const MODE: u32 = 0o444;

/// A directory as a remote.
#[derive(Debug)]
pub struct DirectoryRemote {
    layout: StoreLayout,
}

impl DirectoryRemote {
    /// The remote at a path.
    pub fn new(path: &Path) -> Self {
        Self { layout: StoreLayout::new(path) }
    }

    /// The remote of `file://` and a path.
    ///
    /// # Errors
    /// [`UrlError::Path`] when the path does not begin at the root.
    pub(super) fn from_url(url: &str, path: &str) -> Result<Self, UrlError> {
        let path = Path::new(path);
        if !path.is_absolute() {
            return Err(UrlError::Path(url.to_owned()));
        }
        Ok(Self::new(path))
    }

    /// A file to read; `None` if it is not there, though the directory is.
    fn open(&self, path: &Path) -> Result<Option<fs::File>, RemoteError> {
        match fs::File::open(path) {
            Ok(file) => Ok(Some(file)),
            // A directory that is not mounted has nothing either, and is no mere miss.
            Err(e) if e.kind() == io::ErrorKind::NotFound && self.layout.root().is_dir() => {
                Ok(None)
            }
            Err(e) => Err(e.into()),
        }
    }

    fn publish(
        &self,
        path: &Path,
        write: impl FnOnce(&mut tempfile::NamedTempFile) -> io::Result<()>,
    ) -> Result<(), RemoteError> {
        let directory = parent(path);
        fs::create_dir_all(directory)?;
        let mut file = tempfile::Builder::new().prefix(".tmp-").tempfile_in(directory)?;
        write(&mut file)?;
        fs::set_permissions(file.path(), PermissionsExt::from_mode(MODE))?;
        Ok(publish(file, path)?)
    }
}

impl Remote for DirectoryRemote {
    fn name(&self) -> String {
        format!("file://{}", self.layout)
    }

    fn get_record(&self, key: &Key) -> Result<Option<Action>, RemoteError> {
        let path = self.layout.record(key);
        let Some(file) = self.open(&path)? else { return Ok(None) };
        let mut bytes = Vec::new();
        file.take(RECORD_MAX).read_to_end(&mut bytes)?;
        let damaged =
            || RemoteError::Damaged(format!("the record `{}` is damaged", path.display()));
        decode(&bytes).ok_or_else(damaged).map(Some)
    }

    fn put_record(&self, key: &Key, action: &Action) -> Result<(), RemoteError> {
        let bytes = encode(action).map_err(|e| RemoteError::Unavailable(e.to_string()))?;
        self.publish(&self.layout.record(key), |file| file.write_all(&bytes))
    }

    fn has_blob(&self, blob: &BlobRef) -> Result<bool, RemoteError> {
        let Some(file) = self.open(&self.layout.blob(&blob.digest))? else { return Ok(false) };
        Ok(file.metadata()?.len() == blob.size)
    }

    fn get_blob(&self, blob: &BlobRef, to: &mut dyn Write) -> Result<bool, RemoteError> {
        let Some(mut file) = self.open(&self.layout.blob(&blob.digest))? else { return Ok(false) };
        io::copy(&mut file, to)?;
        Ok(true)
    }

    fn put_blob(&self, blob: &BlobRef, from: &mut dyn Read) -> Result<(), RemoteError> {
        self.publish(&self.layout.blob(&blob.digest), |file| io::copy(from, file).map(drop))
    }
}
