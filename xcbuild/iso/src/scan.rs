//! Adding a directory of the host with all that is in it.
//!
//! What costs is asking the kernel for each entry, so several threads do, a directory at a time, or
//! a share of one that is a crowd.
//! What they find is then added in the order of the paths. Links are not followed; names that are
//! hard links of each other become so in the image.

use std::collections::HashMap;
use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, major, minor};

use crate::contents::threads;
use crate::error::{Error, ImagePath};
use crate::image::Image;
use crate::source::Source;
use crate::tree::{DeviceKind, Meta};

/// How many entries of a directory one thread looks at alone.
const CROWD: usize = 4096;

/// A directory of the host, by its path from the one that is added, and what is in it.
struct Listed {
    path: Vec<u8>,
    entries: Vec<Found>,
}

struct Found {
    name: Vec<u8>,
    stat: Stat,
    /// The target of a symbolic link.
    target: Vec<u8>,
}

/// Adds what is in the directory `host` to the directory `inside`, which takes its attributes.
pub(crate) fn add(image: &mut Image, inside: &[u8], host: &Path) -> Result<(), Error> {
    let (own, mut listed) = scan(inside, host)?;
    if inside.is_empty() {
        image.root(meta(&own));
    } else {
        image.dir(inside, meta(&own))?;
    }
    listed.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    let mut links: HashMap<(u64, u64), Vec<u8>> = HashMap::new();
    for Listed { path, entries } in listed {
        let host = host.join(OsStr::from_bytes(&path));
        for found in entries {
            let target = join(inside, &join(&path, &found.name));
            let key = (found.stat.st_dev, found.stat.st_ino);
            let shared = found.stat.st_nlink > 1 && kind(&found.stat) != FileType::Directory;
            if let Some(first) = links.get(&key).filter(|_| shared) {
                image.hardlink(&target, first)?;
                continue;
            }
            add_entry(image, &target, &host, &found)?;
            if shared {
                links.insert(key, target);
            }
        }
    }
    Ok(())
}

fn add_entry(image: &mut Image, path: &[u8], host: &Path, found: &Found) -> Result<(), Error> {
    let meta = meta(&found.stat);
    let device = |kind| (kind, major(found.stat.st_rdev), minor(found.stat.st_rdev));
    let (device, major, minor) = match kind(&found.stat) {
        FileType::Directory => return image.dir(path, meta),
        FileType::Symlink => return image.symlink(path, meta, &found.target),
        FileType::Fifo => return image.fifo(path, meta),
        FileType::Socket => return image.socket(path, meta),
        FileType::CharacterDevice => device(DeviceKind::Character),
        FileType::BlockDevice => device(DeviceKind::Block),
        FileType::RegularFile | FileType::Unknown => {
            let len = u64::try_from(found.stat.st_size).unwrap_or(0);
            let source = Source::Sized { path: host.join(OsStr::from_bytes(&found.name)), len };
            return image.file(path, meta, source);
        }
    };
    image.device(path, meta, device, major, minor)
}

fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

fn meta(stat: &Stat) -> Meta {
    Meta { mode: stat.st_mode & 0o7777, uid: stat.st_uid, gid: stat.st_gid, mtime: stat.st_mtime }
}

fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    match directory {
        b"" => name.to_vec(),
        _ => [directory, b"/", name].concat(),
    }
}

/// The directories that are still to be read, shared by the threads.
#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<Vec<u8>>,
    /// How many are being read, and may yield more.
    busy: usize,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next directory; `None` once all have been read.
    fn next(&self) -> Option<Vec<u8>> {
        let mut state = self.lock();
        loop {
            if let Some(path) = state.waiting.pop() {
                state.busy += 1;
                return Some(path);
            }
            if state.busy == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A directory has been read and has these below it.
    fn done(&self, below: Vec<Vec<u8>>) {
        let mut state = self.lock();
        state.waiting.extend(below);
        state.busy -= 1;
        self.changed.notify_all();
    }
}

/// Reads a directory and all below it, in no particular order.
fn scan(inside: &[u8], host: &Path) -> Result<(Stat, Vec<Listed>), Error> {
    let failed = |(path, error): (Vec<u8>, io::Error)| Error::Source {
        source_path: host_path(host, &path),
        path: ImagePath(join(inside, &path)),
        source: error,
    };
    let own = rustix::fs::stat(host).map_err(|errno| failed((Vec::new(), errno.into())))?;
    let queue = Queue::default();
    queue.lock().waiting.push(Vec::new());
    let work = || {
        let mut listed = Vec::new();
        while let Some(path) = queue.next() {
            let entries = match read(host, &path) {
                Ok(entries) => entries,
                Err(error) => {
                    queue.done(Vec::new());
                    return Err((path, error));
                }
            };
            let directories = entries.iter().filter(|e| kind(&e.stat) == FileType::Directory);
            queue.done(directories.map(|found| join(&path, &found.name)).collect());
            listed.push(Listed { path, entries });
        }
        Ok(listed)
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (1..threads()).map(|_| scope.spawn(work)).collect();
        let mut all = work().map_err(failed)?;
        for thread in threads {
            let listed = thread.join().unwrap_or_else(|panic| resume_unwind(panic));
            all.extend(listed.map_err(failed)?);
        }
        Ok((own, all))
    })
}

fn host_path(host: &Path, path: &[u8]) -> PathBuf {
    if path.is_empty() { host.to_owned() } else { host.join(OsStr::from_bytes(path)) }
}

fn read(host: &Path, path: &[u8]) -> io::Result<Vec<Found>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    // The one that is added may be given by a link; those below are no links.
    let flags = if path.is_empty() { flags } else { flags | OFlags::NOFOLLOW };
    let directory: OwnedFd = rustix::fs::open(host_path(host, path), flags, Mode::empty())?;
    let mut names = Vec::new();
    for entry in Dir::read_from(&directory)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push(entry.file_name().to_owned());
        }
    }
    if names.len() <= CROWD {
        return look_at(&directory, &names);
    }
    let share = names.len().div_ceil(threads());
    let found = thread::scope(|scope| {
        let directory = &directory;
        let look = |names| scope.spawn(move || look_at(directory, names));
        let threads: Vec<_> = names.chunks(share).map(look).collect();
        let join = |thread: thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|panic| resume_unwind(panic))
        };
        threads.into_iter().map(join).collect::<io::Result<Vec<_>>>()
    })?;
    Ok(found.into_iter().flatten().collect())
}

fn look_at(directory: &OwnedFd, names: &[CString]) -> io::Result<Vec<Found>> {
    let look = |name: &CString| {
        let stat = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let target = match kind(&stat) {
            FileType::Symlink => rustix::fs::readlinkat(directory, name, Vec::new())?.into_bytes(),
            _ => Vec::new(),
        };
        Ok(Found { name: name.to_bytes().to_vec(), stat, target })
    };
    names.iter().map(look).collect()
}
