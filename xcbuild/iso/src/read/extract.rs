//! Writing the tree of an image to a directory of the host.
//!
//! Every name is made in an open directory, which was reached from the target without following a
//! link (`openat2`, `RESOLVE_BENEATH`), and nothing that is there already is written through: a
//! file must be new. So neither the image nor what was in the target leads outside.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, Uid, chmodat,
    chownat, fchmod, fchown, futimens, linkat, makedev, mkdirat, mknodat, openat, openat2,
    symlinkat, utimensat,
};
use rustix::io::Errno;

use super::input::Input;
use super::problem::ReadError;
use super::tree::{Entry, Kind, Piece, Reader};
use crate::error::ImagePath;
use crate::tree::DeviceKind;

/// What to extract beside names and contents, modes and times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extract {
    /// Give entries to their owners: only root can.
    pub owners: bool,
    /// Make devices: only root can. Otherwise they are an error.
    pub devices: bool,
    /// Give the attributes of the image's root to the target itself.
    pub root: bool,
    /// The most bytes that all files may have together. Files may share their place in an image, so
    /// a small one can claim any number of bytes.
    pub bytes_max: Option<u64>,
}

/// Extracts all entries into `target`, which must be there.
///
/// # Errors
/// On the first entry that can't be made: also if something is in its place. For a device that was
/// not asked for, or too many bytes, before anything is made.
pub fn extract<I: Input>(
    reader: &Reader<I>,
    target: &Path,
    options: Extract,
) -> Result<(), ReadError> {
    let is_device = |entry: &&Entry| matches!(entry.kind, Kind::Device(..));
    if let Some(device) = reader.entries().iter().find(is_device).filter(|_| !options.devices) {
        let reason = "a device, which only root can make, and only if asked to (--devices)";
        return Err(ReadError::NotExtracted { path: reader.path(device), reason });
    }
    if let Some(most) = options.bytes_max.filter(|&most| claimed(reader) > most) {
        return Err(ReadError::TooLarge { most });
    }
    let root = openat(rustix::fs::CWD, target, DIRECTORY, Mode::empty());
    let root = root.map_err(|errno| host_error(target, b"", errno))?;
    let mut extraction = Extraction {
        reader,
        target,
        options,
        at: (Vec::new(), root.try_clone()?),
        root,
        links: HashMap::new(),
        directories: Vec::new(),
    };
    reader.walk(|path, entry| extraction.entry(path, entry))?;
    extraction.finish()
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// What makes two names one file: its inode number and its content.
type Identity<'r> = (u32, &'r [Piece]);

struct Extraction<'r, I> {
    reader: &'r Reader<I>,
    target: &'r Path,
    options: Extract,
    root: OwnedFd,
    /// The directory in which entries are made, and its path.
    at: (Vec<u8>, OwnedFd),
    /// What has several names: one of them, and what it is.
    links: HashMap<Identity<'r>, (Vec<u8>, &'r Kind)>,
    /// Directories get modes and times once all is in them.
    directories: Vec<(Vec<u8>, &'r Entry)>,
}

impl<'r, I: Input> Extraction<'r, I> {
    fn entry(&mut self, path: &[u8], entry: &'r Entry) -> Result<(), ReadError> {
        let (above, name) = split(path);
        if self.at.0 != above {
            let directory = self.open(above).map_err(|errno| self.host_error(path, errno))?;
            self.at = (above.to_vec(), directory);
        }
        if entry.kind == Kind::Directory {
            return self.directory(path, name, entry);
        }
        let identity = identity(entry);
        match identity.and_then(|identity| self.links.get(&identity)) {
            Some((first, kind)) if **kind == entry.kind => {
                return self.link(first, name).map_err(|errno| self.host_error(path, errno));
            }
            _ if entry.kind == Kind::File => self.file(path, name, entry)?,
            _ => self.special(name, entry).map_err(|errno| self.host_error(path, errno))?,
        }
        self.links.extend(identity.map(|identity| (identity, (path.to_vec(), &entry.kind))));
        Ok(())
    }

    /// Opens a directory of the target without following links.
    fn open(&self, path: &[u8]) -> rustix::io::Result<OwnedFd> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let path = if path.is_empty() { b"." } else { path };
        openat2(&self.root, OsStr::from_bytes(path), DIRECTORY, Mode::empty(), resolve)
    }

    /// Makes a directory, or uses one that is there.
    fn directory(&mut self, path: &[u8], name: &[u8], entry: &'r Entry) -> Result<(), ReadError> {
        match mkdirat(&self.at.1, name, Mode::RWXU) {
            Ok(()) => {}
            // What is there must be a directory and no link to one.
            Err(Errno::EXIST) => {
                self.open(path).map_err(|errno| self.host_error(path, errno))?;
            }
            Err(errno) => return Err(self.host_error(path, errno)),
        }
        self.directories.push((path.to_vec(), entry));
        Ok(())
    }

    /// Makes what has no content.
    fn special(&self, name: &[u8], entry: &Entry) -> rustix::io::Result<()> {
        let at = self.at.1.as_fd();
        let node = |kind, device| mknodat(at, name, kind, Mode::RUSR, device);
        match entry.kind {
            Kind::Fifo => node(FileType::Fifo, 0)?,
            Kind::Socket => node(FileType::Socket, 0)?,
            Kind::Device(DeviceKind::Block, major, minor) => {
                node(FileType::BlockDevice, makedev(major, minor))?;
            }
            Kind::Device(DeviceKind::Character, major, minor) => {
                node(FileType::CharacterDevice, makedev(major, minor))?;
            }
            Kind::Symlink(ref target) => symlinkat(OsStr::from_bytes(target), at, name)?,
            Kind::Directory | Kind::File => {}
        }
        if self.options.owners {
            let (uid, gid) = owner(entry);
            chownat(at, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
        }
        if !matches!(entry.kind, Kind::Symlink(_)) {
            chmodat(at, name, Mode::from_raw_mode(entry.meta.mode), AtFlags::empty())?;
        }
        utimensat(at, name, &times(entry), AtFlags::SYMLINK_NOFOLLOW)
    }

    /// Makes a new file.
    fn file(&self, path: &[u8], name: &[u8], entry: &Entry) -> Result<(), ReadError> {
        let failed = |errno| host_error(self.target, path, errno);
        let mut content = self.reader.content(entry)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let mode = Mode::RUSR | Mode::WUSR;
        let file = openat(&self.at.1, name, flags | OFlags::CLOEXEC, mode).map_err(failed)?;
        let mut file = File::from(file);
        io::copy(&mut content, &mut file).map_err(|source| ReadError::Host {
            path: ImagePath(path.to_vec()),
            host: self.target.join(OsStr::from_bytes(path)),
            source,
        })?;
        self.attributes(file.as_fd(), entry).map_err(failed)
    }

    /// Gives a file that has been made a second name, in the directory that is open.
    fn link(&self, first: &[u8], name: &[u8]) -> rustix::io::Result<()> {
        let (above, file) = split(first);
        linkat(self.open(above)?, file, &self.at.1, name, AtFlags::empty())
    }

    /// Owner, mode and time, in the order in which one does not undo the other.
    fn attributes(&self, file: BorrowedFd<'_>, entry: &Entry) -> rustix::io::Result<()> {
        if self.options.owners {
            let (uid, gid) = owner(entry);
            fchown(file, Some(uid), Some(gid))?;
        }
        fchmod(file, Mode::from_raw_mode(entry.meta.mode))?;
        futimens(file, &times(entry))
    }

    /// Gives directories their attributes, those below first.
    fn finish(self) -> Result<(), ReadError> {
        for (path, entry) in self.directories.iter().rev() {
            let directory = self.open(path);
            let given = directory.and_then(|file| self.attributes(file.as_fd(), entry));
            given.map_err(|errno| self.host_error(path, errno))?;
        }
        if let Some(root) = self.reader.entries().first().filter(|_| self.options.root) {
            let given = self.attributes(self.root.as_fd(), root);
            given.map_err(|errno| self.host_error(b"", errno))?;
        }
        Ok(())
    }

    fn host_error(&self, path: &[u8], errno: Errno) -> ReadError {
        host_error(self.target, path, errno)
    }
}

/// What makes several names one file; `None` for a file that says it has one name.
fn identity(entry: &Entry) -> Option<Identity<'_>> {
    let told = entry.links > 1 && (entry.serial != 0 || !entry.pieces.is_empty());
    told.then_some((entry.serial, &entry.pieces[..]))
}

/// The bytes that all files have together.
fn claimed<I: Input>(reader: &Reader<I>) -> u64 {
    let mut seen = HashSet::new();
    let mut sum: u64 = 0;
    for entry in reader.entries().iter().filter(|entry| entry.kind == Kind::File) {
        if identity(entry).is_none_or(|identity| seen.insert(identity)) {
            sum = sum.saturating_add(entry.size());
        }
    }
    sum
}

/// The directory of a path, and the name in it.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    let at = path.iter().rposition(|&b| b == b'/');
    at.map_or((b"", path), |at| (&path[..at], &path[at + 1..]))
}

fn owner(entry: &Entry) -> (Uid, Gid) {
    (Uid::from_raw(entry.meta.uid), Gid::from_raw(entry.meta.gid))
}

fn times(entry: &Entry) -> Timestamps {
    let time = Timespec { tv_sec: entry.meta.mtime, tv_nsec: 0 };
    Timestamps { last_access: time, last_modification: time }
}

fn host_error(target: &Path, path: &[u8], errno: Errno) -> ReadError {
    let host = target.join(OsStr::from_bytes(path));
    ReadError::Host { path: ImagePath(path.to_vec()), host, source: errno.into() }
}
