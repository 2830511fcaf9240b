//! The store: results by key, blobs by digest, and what is true of this machine only.
//!
//! On disk, below the store's root:
//!
//! ```text
//! format                what made it: `xcbuild-store 1`
//! lock                  shared by every process that uses the store, exclusive for collection
//! ac/ab/abcd…           action: what the recipe of that key gave (JSON, with its own checksum)
//! cas/ab/abcd…          blob: bytes by their SHA-256, read-only
//! local/                facts of this machine, as records are written:
//!   last-builds/abcd…     what the layer of that name was made of: `--explain` compares with it
//!   histories/abcd…       the traces of the script of that name, by their keys
//!   stamps/abcd…          of a trace's inputs: what spares reading their contents again
//!   listings/abcd…        what the last look at a directory found ([`super::listing`])
//! locks/abcd…           held by the process that builds that key
//! tmp/                  half-made blobs; what is left there by a crash is removed at collection
//! apt/, embedded/       state of apt; our own overlays and templates, written out
//! quarantine/           damaged files
//! ```
//!
//! `ac/` and `cas/` may be shared with any machine: what is there never changes, and says nothing of
//! where it was made. Stores of earlier versions have pointers among their records and listings in
//! `stat/`: these are no longer read, and go at collection.
//!
//! Everything is published by temporary file, sync and rename, so that a name is there with all of
//! its content or not at all, whoever is killed when. Two builds of one recipe race harmlessly: the
//! second rename puts the same bytes in place of the first. An action is used only if all its blobs
//! are there with the right size; bytes from elsewhere are checked against their digest first.

mod blobs;
mod building;
mod layout;
mod local;
mod locking;
mod record;

use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use fs_err as fs;

pub use self::blobs::BlobWriter;
pub use self::building::{Lookup, Outcome};
pub use self::layout::{Directory, StoreLayout};
pub use self::local::{Fact, Local};
use self::locking::Locking;
pub use self::record::{Action, BlobRef};
pub(crate) use self::record::{decode, encode};
use crate::key::Key;
use crate::remote::Remotes;
use xc_report::Reporter;
use xc_sys::files;
use xc_sys::lock::Lock;

const FORMAT: &str = "xcbuild-store 1\n";
const RECORD_MODE: u32 = 0o644;
/// A record's time of use is this exact.
const TOUCHED: Duration = Duration::from_secs(10 * 60);

/// A store that is open for use.
#[derive(Debug)]
pub struct Store {
    layout: StoreLayout,
    reporter: Reporter,
    remotes: Remotes,
    locking: Locking,
    /// What the kernel says if the store can be read only.
    read_only: Option<rustix::io::Errno>,
    _used: Option<Lock>,
}

impl Store {
    /// Opens the store at a path, and makes it there if need be.
    ///
    /// # Errors
    /// When it can't be made, or was made by another format.
    pub fn open(root: &Path, reporter: &Reporter) -> Result<Self> {
        let layout = StoreLayout::new(root);
        let opening = || format!("can't open the store `{layout}`; name another by XCBUILD_STORE");
        for directory in [Directory::Records, Directory::Blobs, Directory::Work] {
            fs::create_dir_all(layout.directory(directory)).with_context(opening)?;
        }
        let locking = Locking::new(reporter);
        let used = locking.shared(&layout.lock()).with_context(opening)?;
        check_format(&layout)?;
        let work = layout.directory(Directory::Work);
        let read_only = rustix::fs::access(work, rustix::fs::Access::WRITE_OK).err();
        let (reporter, remotes) = (reporter.clone(), Remotes::default());
        Ok(Self { layout, reporter, remotes, locking, read_only, _used: used })
    }

    /// Uses remotes: what the store lacks is looked for there, what is built is sent there.
    #[must_use]
    pub fn with_remotes(self, remotes: Remotes) -> Self {
        Self { remotes, ..self }
    }

    /// Whether it has remotes.
    pub fn has_remotes(&self) -> bool {
        !self.remotes.is_empty()
    }

    pub(crate) fn remotes(&self) -> &Remotes {
        &self.remotes
    }

    /// What is in a store that can't be written may be used; nothing can be built there.
    fn check_writable(&self) -> Result<()> {
        let Some(e) = self.read_only else { return Ok(()) };
        bail!(
            "the store `{}` can't be written ({e}), so nothing that it lacks can be built; name another by XCBUILD_STORE",
            self.layout
        )
    }

    /// What happens is reported to this.
    pub fn reporter(&self) -> &Reporter {
        &self.reporter
    }

    /// Where its parts are.
    pub fn layout(&self) -> &StoreLayout {
        &self.layout
    }

    /// One of its directories.
    pub fn directory(&self, directory: Directory) -> PathBuf {
        self.layout.directory(directory)
    }

    /// What the recipe of that key gave, if it was recorded and all its blobs are there.
    ///
    /// # Errors
    /// When the store can't be read. A damaged record is not an error: the recipe is run again.
    pub fn action(&self, key: &Key) -> Result<Option<Action>> {
        let path = self.layout.record(key);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e.into()),
        };
        let Some(action) = decode::<Action>(&bytes) else {
            self.reporter.warn(format_args!(
                "the record `{}` is damaged; it is built again",
                path.display()
            ));
            return Ok(None);
        };
        for blob in action.blobs.values() {
            if !self.has(blob)? {
                return Ok(None);
            }
        }
        touch(&path);
        Ok(Some(action))
    }

    /// Records what a recipe gave; its blobs have to be in the store.
    ///
    /// # Errors
    /// When the store can't be written.
    pub fn record(&self, key: &Key, action: &Action) -> Result<()> {
        self.check_writable()?;
        let bytes = encode(action)?;
        let path = self.layout.record(key);
        fs::create_dir_all(files::parent(&path))?;
        // Half-made ones are where collection looks for them.
        let mut file = self.temporary()?;
        fs::set_permissions(file.path(), std::fs::Permissions::from_mode(RECORD_MODE))?;
        file.write_all(&bytes).with_context(|| format!("can't write `{}`", path.display()))?;
        Ok(files::publish(file, &path)?)
    }
}

/// Refuses a store of another format; a new one gets ours.
fn check_format(layout: &StoreLayout) -> Result<()> {
    let format = layout.format();
    match fs::read_to_string(&format) {
        Ok(found) if found == FORMAT => Ok(()),
        Ok(found) => bail!(
            "the store `{layout}` has the format `{}`, this xcbuild has `{}`; remove it, or name another by XCBUILD_STORE",
            found.trim(),
            FORMAT.trim()
        ),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            files::write_atomic(&format, FORMAT.as_bytes())
                .with_context(|| format!("can't open the store `{layout}`"))
        }
        Err(e) => Err(e).with_context(|| format!("can't open the store `{layout}`")),
    }
}

/// Marks a record as used, which collection goes by; once in that time is enough. A store that
/// can't be written is used all the same.
fn touch(record: &Path) {
    let now = SystemTime::now();
    let old = |modified: SystemTime| now.duration_since(modified).is_ok_and(|age| age > TOUCHED);
    if fs::metadata(record).and_then(|m| m.modified()).is_ok_and(old) {
        let _ = fs::File::open(record).and_then(|file| file.file().set_modified(now));
    }
}

#[cfg(test)]
mod tests;
