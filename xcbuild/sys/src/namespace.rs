//! Network namespaces by name, as `ip netns` has them: a file in `/run/netns` that keeps one alive.
//!
//! A namespace is entered by its own thread, which ends in it: so nothing else of this process
//! is ever in another namespace than before.
//!
//! Reference: network_namespaces(7), setns(2), ip-netns(8).

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::mount::{MountPropagationFlags, UnmountFlags, mount_bind, mount_change, unmount};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe};

/// Where named namespaces are.
const DIRECTORY: &str = "/run/netns";

/// The calling thread's own namespace.
const OWN: &str = "/proc/thread-self/ns/net";

/// The file of a named namespace, there or not.
pub fn path(name: &str) -> PathBuf {
    Path::new(DIRECTORY).join(name)
}

/// What distinguishes two namespaces: device and inode of a namespace's file.
///
/// # Errors
/// When there is no such file.
pub fn identity(file: &Path) -> io::Result<(u64, u64)> {
    let found = fs_err::metadata(file)?;
    Ok((found.dev(), found.ino()))
}

/// The identity of the namespace that this thread is in.
///
/// # Errors
/// When `/proc` is not there.
pub fn own() -> io::Result<(u64, u64)> {
    identity(Path::new(OWN))
}

/// The name in `/run/netns` of the namespace that this thread is in, if it has one.
pub fn own_name() -> Option<String> {
    let own = own().ok()?;
    let entries = fs_err::read_dir(DIRECTORY).ok()?;
    let mut same = entries.flatten().filter(|e| identity(&e.path()).is_ok_and(|id| id == own));
    same.next()?.file_name().into_string().ok()
}

/// Makes a namespace with that name; nothing is up in it.
///
/// # Errors
/// `AlreadyExists` if the name is taken; `PermissionDenied` without root's rights.
pub fn create(name: &str) -> io::Result<()> {
    shared_directory()?;
    let path = path(name);
    OpenOptions::new().write(true).create_new(true).mode(0o0).open(&path)?;
    let target = path.clone();
    let made = in_thread(move || {
        unshare_network()?;
        Ok(mount_bind(OWN, &target)?)
    });
    if made.is_err() {
        fs_err::remove_file(&path)?;
    }
    made
}

/// Takes a name away; the namespace goes when no process is in it any more.
///
/// # Errors
/// When it can't be deleted; a missing one is no error.
pub fn delete(name: &str) -> io::Result<()> {
    let path = path(name);
    match unmount(&path, UnmountFlags::DETACH) {
        // Not mounted: left by an interrupted creation.
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::INVAL) | Ok(()) => {}
        Err(error) => return Err(error.into()),
    }
    match fs_err::remove_file(&path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Runs something within a namespace.
///
/// # Errors
/// When the namespace can't be entered, and what the work itself gives.
pub fn within<T: Send, E: From<io::Error> + Send>(
    file: &Path,
    work: impl FnOnce() -> Result<T, E> + Send,
) -> Result<T, E> {
    let namespace: File = fs_err::File::open(file).map_err(E::from)?.into();
    in_thread(move || {
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
            .map_err(|e| E::from(e.into()))?;
        work()
    })
}

/// The processes that are in a namespace and that we may look at.
pub fn processes(file: &Path) -> Vec<i32> {
    let Ok(wanted) = identity(file) else { return Vec::new() };
    let Ok(entries) = fs_err::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok());
    pids.filter(|pid| identity(Path::new(&format!("/proc/{pid}/ns/net"))).ok() == Some(wanted))
        .collect()
}

/// As `ip netns add` has it: a mount point whose mounts are seen in every mount namespace.
fn shared_directory() -> io::Result<()> {
    fs_err::create_dir_all(DIRECTORY)?;
    let shared = MountPropagationFlags::SHARED | MountPropagationFlags::REC;
    if mount_change(DIRECTORY, shared) == Err(rustix::io::Errno::INVAL) {
        mount_bind(DIRECTORY, DIRECTORY)?;
        mount_change(DIRECTORY, shared)?;
    }
    Ok(())
}

#[allow(unsafe_code)]
fn unshare_network() -> io::Result<()> {
    // SAFETY: the call is unsafe for UnshareFlags::FILES alone, which is not given.
    Ok(unsafe { unshare_unsafe(UnshareFlags::NEWNET) }?)
}

fn in_thread<T: Send, E: From<io::Error> + Send>(
    work: impl FnOnce() -> Result<T, E> + Send,
) -> Result<T, E> {
    std::thread::scope(|scope| {
        let ended = scope.spawn(work).join();
        ended.unwrap_or_else(|_| Err(io::Error::other("a thread in a namespace panicked").into()))
    })
}
