//! All names below a directory with their stat, by several threads.

use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rayon::prelude::*;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};

/// File systems of this machine, whose times are its own clock's (`f_type` of statfs(2)).
const LOCAL: &[u32] = &[
    0xef53,      // ext2, ext3, ext4
    0x5846_5342, // XFS
    0x9123_683e, // Btrfs
    0x0102_1994, // tmpfs
    0x794c_7630, // overlayfs
    0xf2f5_2010, // F2FS
    0x2fc1_2fc1, // ZFS
    0xca45_1a4e, // bcachefs
];

/// What the kernel says of a file: equal as long as it is unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Stat {
    /// Kind and permissions.
    pub mode: u32,
    /// Bytes; the number of a device.
    pub size: u64,
    /// Time of modification, nanoseconds since 1970.
    pub modified: i64,
    /// Time of change, nanoseconds since 1970.
    pub changed: i64,
    /// Inode.
    pub inode: u64,
    /// The device that it is on.
    pub device: u64,
}

impl Stat {
    /// That of an open file.
    pub(super) fn of_file(file: impl AsFd) -> io::Result<Self> {
        Ok(Self::new(&rustix::fs::fstat(file)?))
    }

    #[allow(clippy::useless_conversion, clippy::unnecessary_cast)] // types differ by architecture
    fn new(stat: &rustix::fs::Stat) -> Self {
        let time = |seconds: i64, nanoseconds: u64| {
            seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds as i64)
        };
        let kind = FileType::from_raw_mode(stat.st_mode);
        let device = kind.is_block_device() || kind.is_char_device();
        Self {
            mode: stat.st_mode,
            size: if device { stat.st_rdev } else { stat.st_size as u64 },
            modified: time(stat.st_mtime, stat.st_mtime_nsec as u64),
            changed: time(stat.st_ctime, stat.st_ctime_nsec as u64),
            inode: stat.st_ino,
            device: stat.st_dev,
        }
    }
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum FoundKind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A symbolic link.
    Symlink,
    /// A named pipe.
    Fifo,
    /// A block device.
    Block,
    /// A character device.
    Character,
}

impl FoundKind {
    /// All of them, by their numbers.
    pub const ALL: [Self; 6] =
        [Self::Directory, Self::File, Self::Symlink, Self::Fifo, Self::Block, Self::Character];

    fn of(kind: FileType) -> Option<Self> {
        Some(match kind {
            FileType::Directory => Self::Directory,
            FileType::RegularFile => Self::File,
            FileType::Symlink => Self::Symlink,
            FileType::Fifo => Self::Fifo,
            FileType::BlockDevice => Self::Block,
            FileType::CharacterDevice => Self::Character,
            _ => return None,
        })
    }
}

/// A name below the directory.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// Its path below the directory.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: FoundKind,
    /// What the kernel says of it.
    pub stat: Stat,
    /// Whether its times are those of this machine's clock.
    pub local: bool,
}

impl Found {
    /// Its mode as a checkout keeps it.
    pub(super) fn mode(&self) -> u32 {
        match self.kind {
            FoundKind::Symlink => 0o777,
            FoundKind::Directory => 0o755,
            _ if self.stat.mode & 0o100 != 0 => 0o755,
            _ => 0o644,
        }
    }

    /// Its path as the system's.
    pub(super) fn os_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.path))
    }
}

/// All names below a directory, sorted part by part, a directory before what is in it.
///
/// # Errors
/// When a directory can't be read, or there is a socket; the error names it.
pub(super) fn walk(root: &Path) -> io::Result<Vec<Found>> {
    let directory = open(rustix::fs::CWD, &CString::new(root.as_os_str().as_bytes())?)
        .map_err(|e| named(root, e))?;
    let device = is_local(&directory)?.then_some(Stat::of_file(&directory)?.device);
    Walk { root, device }.below(directory, &[])
}

/// A file by its path, or what its links lead to.
///
/// # Errors
/// When it is not there, or is not a file.
pub(super) fn look(path: &Path) -> io::Result<Found> {
    let look = || {
        let file = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
        let stat = rustix::fs::fstat(&file)?;
        if FoundKind::of(FileType::from_raw_mode(stat.st_mode)) != Some(FoundKind::File) {
            return Err(io::Error::other("it is not a file"));
        }
        Ok((Stat::new(&stat), is_local(&file)?))
    };
    let (stat, local) = look().map_err(|e| named(path, e))?;
    let path = path.as_os_str().as_bytes().to_vec();
    Ok(Found { path, kind: FoundKind::File, stat, local })
}

fn is_local(file: impl AsFd) -> io::Result<bool> {
    let system = rustix::fs::fstatfs(file)?.f_type;
    Ok(u32::try_from(system).is_ok_and(|system| LOCAL.contains(&system)))
}

fn open(at: impl AsFd, name: &CString) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(at, name, flags, Mode::empty())?)
}

fn named(path: &Path, e: io::Error) -> io::Error {
    io::Error::new(e.kind(), format!("{}: {e}", path.display()))
}

struct Walk<'a> {
    root: &'a Path,
    /// The device whose times are believed, if they are; what is mounted below has another.
    device: Option<u64>,
}

impl Walk<'_> {
    fn below(&self, directory: OwnedFd, prefix: &[u8]) -> io::Result<Vec<Found>> {
        let failed = |e: io::Error| named(&self.root.join(OsStr::from_bytes(prefix)), e);
        let names = names(&directory).map_err(failed)?;
        let at = directory.as_fd();
        let one = |name: &CString| self.one(at, prefix, name);
        // Small directories aren't worth the handing over.
        let parts: Vec<(Found, Vec<Found>)> =
            names.par_iter().with_min_len(32).map(one).collect::<io::Result<_>>()?;
        let mut all = Vec::with_capacity(parts.iter().map(|(_, below)| 1 + below.len()).sum());
        for (found, below) in parts {
            all.push(found);
            all.extend(below);
        }
        Ok(all)
    }

    /// A name, and all below it.
    fn one(
        &self,
        at: BorrowedFd<'_>,
        prefix: &[u8],
        name: &CString,
    ) -> io::Result<(Found, Vec<Found>)> {
        let path = match prefix {
            [] => name.to_bytes().to_vec(),
            _ => [prefix, name.to_bytes()].join(&b'/'),
        };
        let failed = |e: io::Error| named(&self.root.join(OsStr::from_bytes(&path)), e);
        let stat = rustix::fs::statat(at, name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|e| failed(e.into()))?;
        let Some(kind) = FoundKind::of(FileType::from_raw_mode(stat.st_mode)) else {
            let socket = "it is a socket, which no tar can hold, and layers are tars; remove it";
            return Err(failed(io::Error::other(socket)));
        };
        let stat = Stat::new(&stat);
        let below = match kind {
            FoundKind::Directory => self.below(open(at, name).map_err(failed)?, &path)?,
            _ => Vec::new(),
        };
        Ok((Found { path, kind, stat, local: self.device == Some(stat.device) }, below))
    }
}

fn names(directory: &OwnedFd) -> io::Result<Vec<CString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if !matches!(name.to_bytes(), b"." | b"..") {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}
