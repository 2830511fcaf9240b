//! The way in: an image is built by calls, one for each entry, and then written.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use crate::boot::{Boot, BootEntry, Hybrid};
use crate::error::{Error, ImagePath};
use crate::joliet::{self, JolietName};
use crate::layout::Layout;
use crate::options::Options;
use crate::scan;
use crate::source::Source;
use crate::tree::{Body, DeviceKind, MAJOR_MAX, MINOR_MAX, Meta, TARGET_MAX, Tree};
use crate::write;

/// An image in the making. Paths are bytes, relative to the root and separated by `/`; the
/// directory of an entry is added before it. The root is there from the start.
///
/// ```
/// use xc_iso::{Image, Meta, Options, Source};
/// # fn main() -> Result<(), xc_iso::Error> {
/// let mut image = Image::new(Options { volume_id: "demo".into(), ..Options::default() });
/// image.dir("etc", Meta { mode: 0o755, ..Meta::default() })?;
/// image.file("etc/motd", Meta { mode: 0o644, ..Meta::default() }, Source::Bytes(b"hi\n".into()))?;
/// let mut bytes = Vec::new();
/// let summary = image.write(&mut bytes)?;
/// assert_eq!(summary.bytes, bytes.len() as u64);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Image {
    options: Options,
    tree: Tree,
    boot: Boot,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The size of the image.
    pub bytes: u64,
    /// Directories, the root included.
    pub directories: u64,
    /// Regular files, each counted once however many names it has.
    pub files: u64,
}

impl Image {
    /// An image with an empty root directory, mode 0755.
    pub fn new(options: Options) -> Self {
        let tree = Tree::new(options.timestamp);
        Self { options, tree, boot: Boot::default() }
    }

    /// Sets owner, mode and time of the root directory.
    pub fn root(&mut self, meta: Meta) {
        self.tree.set_root(meta);
    }

    /// Adds a directory, or gives one that is there these attributes.
    ///
    /// # Errors
    /// This and the other calls that add an entry fail on a path that is not a list of proper
    /// names, is there already, or has no directory above it.
    pub fn dir(&mut self, path: impl AsRef<[u8]>, meta: Meta) -> Result<(), Error> {
        self.tree.add_directory(path.as_ref(), meta)
    }

    /// Adds a regular file. The content is read when the image is written; its size is taken now.
    pub fn file(
        &mut self,
        path: impl AsRef<[u8]>,
        meta: Meta,
        source: Source,
    ) -> Result<(), Error> {
        let path = path.as_ref();
        let len = source.len().map_err(|error| Error::Source {
            path: ImagePath(path.to_vec()),
            source_path: source.host_path().to_owned(),
            source: error,
        })?;
        self.tree.add(path, meta, Body::File { source, len })
    }

    /// Adds a symbolic link. The target is kept byte for byte.
    ///
    /// # Errors
    /// Also for a target that is empty, longer than 4095 bytes or holds a NUL.
    pub fn symlink(
        &mut self,
        path: impl AsRef<[u8]>,
        meta: Meta,
        target: impl AsRef<[u8]>,
    ) -> Result<(), Error> {
        let (path, target) = (path.as_ref(), target.as_ref());
        let reason = match target {
            [] => Some("is empty"),
            _ if target.len() > TARGET_MAX => Some("is longer than 4095 bytes"),
            _ if target.contains(&0) => Some("holds a NUL byte"),
            _ => None,
        };
        if let Some(reason) = reason {
            return Err(Error::BadTarget { path: ImagePath(path.to_vec()), reason });
        }
        self.tree.add(path, meta, Body::Symlink(target.into()))
    }

    /// Adds a second name for what is at `existing`, of any type but directory.
    pub fn hardlink(
        &mut self,
        path: impl AsRef<[u8]>,
        existing: impl AsRef<[u8]>,
    ) -> Result<(), Error> {
        self.tree.add_link(path.as_ref(), existing.as_ref())
    }

    /// Adds a device.
    ///
    /// # Errors
    /// Also for numbers that Linux does not read back: a major over 4095, a minor over 1,048,575,
    /// and major 0 with a minor over 255.
    pub fn device(
        &mut self,
        path: impl AsRef<[u8]>,
        meta: Meta,
        kind: DeviceKind,
        major: u32,
        minor: u32,
    ) -> Result<(), Error> {
        let unreadable = major == 0 && minor > 255;
        if major > MAJOR_MAX || minor > MINOR_MAX || unreadable {
            let path = ImagePath(path.as_ref().to_vec());
            return Err(Error::BadDevice { path, major, minor });
        }
        self.tree.add(path.as_ref(), meta, Body::Device { kind, major, minor })
    }

    /// Adds a named pipe.
    pub fn fifo(&mut self, path: impl AsRef<[u8]>, meta: Meta) -> Result<(), Error> {
        self.tree.add(path.as_ref(), meta, Body::Fifo)
    }

    /// Adds a socket.
    pub fn socket(&mut self, path: impl AsRef<[u8]>, meta: Meta) -> Result<(), Error> {
        self.tree.add(path.as_ref(), meta, Body::Socket)
    }

    /// Adds the directory `host` with all that is in it as `path`; an empty path stands for the
    /// root, which then takes the attributes of `host`. Symbolic links in it are kept, hard links
    /// within it as well.
    ///
    /// # Errors
    /// Also when something in it can't be read.
    pub fn tree(&mut self, path: impl AsRef<[u8]>, host: impl AsRef<Path>) -> Result<(), Error> {
        scan::add(self, path.as_ref(), host.as_ref())
    }

    /// Gives everything that has been added to root, for all to read and nobody to write: mode 0555
    /// for directories and what somebody may execute, else 0444 (`-r` of genisoimage). The image is
    /// then the same whoever makes it.
    pub fn rationalize(&mut self) {
        self.tree.change_all(|meta, is_directory| Meta {
            mode: if is_directory || meta.mode & 0o111 != 0 { 0o555 } else { 0o444 },
            uid: 0,
            gid: 0,
            mtime: meta.mtime,
        });
    }

    /// Gives everything that has been added and is younger the time `latest`, as
    /// `SOURCE_DATE_EPOCH` is meant: what was there before keeps its time.
    pub fn clamp_times(&mut self, latest: i64) {
        self.tree.change_all(|meta, _| Meta { mtime: meta.mtime.min(latest), ..meta });
    }

    /// Gives everything that has been added the time `time`.
    pub fn set_times(&mut self, time: i64) {
        self.tree.change_all(|meta, _| Meta { mtime: time, ..meta });
    }

    /// Makes firmware boot a file of the image. The first entry is the default; the file may be
    /// added later. At most 32 entries.
    pub fn boot(&mut self, entry: BootEntry) {
        self.boot.entries.push(entry);
    }

    /// Makes the image bootable as a disk as well.
    pub fn hybrid(&mut self, hybrid: Hybrid) {
        self.boot.hybrid = Some(hybrid);
    }

    /// Whether something is at `path`.
    pub fn contains(&self, path: impl AsRef<[u8]>) -> bool {
        self.tree.find(path.as_ref()).is_some()
    }

    /// The names that readers of Joliet see cut or with other characters, by path; empty without
    /// Joliet. Readers of Rock Ridge see all names as they are.
    pub fn joliet_changes(&self) -> Vec<JolietName> {
        joliet::changed(&self.tree, self.options.joliet)
    }

    /// Writes the image front to back.
    ///
    /// # Errors
    /// What the format can't hold is found before the first byte is written. After that only
    /// reading contents and writing can fail; what has been written then is no image.
    pub fn write(&self, out: &mut impl Write) -> Result<Summary, Error> {
        let layout = Layout::new(&self.tree, &self.options, &self.boot)?;
        write::stream(&layout, out)?;
        Ok(layout.summary())
    }

    /// Writes the image to a file, replacing what is in it. Much faster than [`Self::write`] for
    /// regular files: threads write side by side, the kernel copies large contents itself, blocks
    /// are shared where the file system can (see [`Options::alignment`]), holes stay holes.
    /// Anything else, such as a pipe or a device, is written front to back.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn write_to_file(&self, out: &File) -> Result<Summary, Error> {
        if !out.metadata()?.is_file() {
            return self.write(&mut &*out);
        }
        let layout = Layout::new(&self.tree, &self.options, &self.boot)?;
        write::file(&layout, out)?;
        Ok(layout.summary())
    }
}
