//! A stopped task: its memory, its directories, its descriptors.
//!
//! What is read while a call is understood is checked once, at its end ([`super::listener`]); what
//! the watcher reads later is checked here.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::notification::Notification;

/// The kernel's limit for a path, with the terminating zero.
const PATH_MAX: usize = 4096;
const PAGE: u64 = 4096;
/// The names of the first three descriptors.
const STANDARD: [&str; 3] = ["/dev/stdin", "/dev/stdout", "/dev/stderr"];

/// A task that waits for us.
#[derive(Debug, Clone, Copy)]
pub struct Task<'l> {
    /// Its number, as we see it.
    pub id: u32,
    /// Where in its memory it made the call.
    pub instruction: u64,
    /// The call in which it waits.
    pub(super) notification: Notification<'l>,
}

impl Task<'_> {
    /// The program that it runs; `None` if we may not see it, or the task no longer waits.
    pub fn program(&self) -> Option<PathBuf> {
        self.link("exe").ok().filter(|_| self.notification.is_valid())
    }

    /// The text of its `/proc/PID/maps`; `None` as for [`Task::program`].
    pub fn maps(&self) -> Option<String> {
        let maps = std::fs::read_to_string(format!("/proc/{}/maps", self.id));
        maps.ok().filter(|_| self.notification.is_valid())
    }

    /// The text at an address, up to its zero.
    ///
    /// # Errors
    /// When its memory can't be read: the program is not ours to look into.
    pub(super) fn text(&self, address: u64) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        let mut at = address;
        while text.len() < PATH_MAX {
            // Up to the page's end: the next one may not be there.
            let length = usize::try_from(PAGE - at % PAGE).unwrap_or(1).min(if text.is_empty() {
                256
            } else {
                PATH_MAX
            });
            let part = self.memory(at, length)?;
            if let Some(end) = part.iter().position(|b| *b == 0) {
                text.extend(&part[..end]);
                return Ok(text);
            }
            at += part.len() as u64;
            text.extend(part);
        }
        Err(io::Error::from_raw_os_error(libc::ENAMETOOLONG))
    }

    /// Up to that many bytes at an address.
    ///
    /// # Errors
    /// As for [`Task::text`].
    #[allow(unsafe_code)]
    pub(super) fn memory(&self, address: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0_u8; length];
        let local = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: length };
        let remote = libc::iovec { iov_base: address as *mut _, iov_len: length };
        // SAFETY: the kernel writes at most `length` bytes to `local`, which is all of `bytes`; the
        // address in `remote` is only looked up in the other task.
        let got = unsafe {
            libc::process_vm_readv(
                self.id.cast_signed(),
                &raw const local,
                1,
                &raw const remote,
                1,
                0,
            )
        };
        if got <= 0 {
            return Err(io::Error::last_os_error());
        }
        bytes.truncate(usize::try_from(got).unwrap_or(0));
        Ok(bytes)
    }

    /// A number at an address.
    ///
    /// # Errors
    /// As for [`Task::text`].
    pub(super) fn number(&self, address: u64) -> io::Result<u64> {
        let bytes = self.memory(address, 8)?;
        let bytes = bytes.try_into().map_err(|_| io::Error::from_raw_os_error(libc::EFAULT))?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// What one of its links in `/proc` says: `cwd`, `exe`, `fd/3`.
    ///
    /// # Errors
    /// When the task is gone, or there is no such link.
    pub(super) fn link(&self, name: &str) -> io::Result<PathBuf> {
        std::fs::read_link(format!("/proc/{}/{name}", self.id))
    }

    /// A path that a call names, made absolute: from the task's directory, or from that of a
    /// descriptor. `None` if it is no place in the file tree, such as a pipe.
    ///
    /// # Errors
    /// When the task's memory or directory can't be read.
    pub(super) fn path(&self, directory: i32, address: u64) -> io::Result<Option<PathBuf>> {
        // Programs ask without a path to find out whether the kernel has the call.
        let text = if address < PAGE { Vec::new() } else { self.text(address)? };
        if text.is_empty() {
            return Ok(None);
        }
        let path = PathBuf::from(OsString::from_vec(text));
        if path.is_absolute() {
            return Ok(self.magic(path));
        }
        let base = if directory == libc::AT_FDCWD {
            self.link("cwd")?
        } else {
            // A number that is no descriptor: the call fails, and says nothing of any file.
            let Ok(base) = self.link(&format!("fd/{directory}")) else { return Ok(None) };
            base
        };
        Ok(base.is_absolute().then(|| base.join(path)))
    }

    /// Sees through the task's own links of `/proc` and `/dev`, which mean something else to us.
    fn magic(&self, path: PathBuf) -> Option<PathBuf> {
        let standard = STANDARD.iter().position(|name| path.as_os_str() == *name);
        let path = standard.map_or(path, |number| format!("/dev/fd/{number}").into());
        let rest =
            ["/proc/self", "/proc/thread-self"].iter().find_map(|p| path.strip_prefix(p).ok());
        let (name, rest) = match (rest, path.strip_prefix("/dev/fd")) {
            (Some(rest), _) => {
                let mut parts = rest.components();
                let name = parts.next()?.as_os_str().to_str()?.to_owned();
                match name.as_str() {
                    "fd" => {
                        (format!("fd/{}", parts.next()?.as_os_str().to_str()?), parts.as_path())
                    }
                    "cwd" | "root" | "exe" => (name, parts.as_path()),
                    _ => return Some(path),
                }
            }
            (None, Ok(rest)) => {
                let mut parts = rest.components();
                (format!("fd/{}", parts.next()?.as_os_str().to_str()?), parts.as_path())
            }
            (None, Err(_)) => return Some(path),
        };
        let to = self.link(&name).ok()?;
        let gone = to.as_os_str().to_string_lossy().ends_with(" (deleted)");
        (to.is_absolute() && !gone).then(|| if rest == Path::new("") { to } else { to.join(rest) })
    }
}
