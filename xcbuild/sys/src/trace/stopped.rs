//! Reads a stopped call of the kernel: its number and arguments become a [`Call`].

use std::io;
use std::os::fd::RawFd;
use std::path::PathBuf;

use libc::c_int;

use super::call::{Call, OpenFlags};
use super::filter::NATIVE;
use super::task::Task;

/// How many arguments of a program are read.
const ARGUMENTS_MAX: u64 = 16;

/// A stopped call: its number, arguments and table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stopped {
    /// `AUDIT_ARCH_…`.
    pub architecture: u32,
    /// The number in the table.
    pub number: c_int,
    /// The arguments.
    pub arguments: [u64; 6],
}

impl Stopped {
    /// What the call asks; `None` if nothing of the file tree.
    ///
    /// # Errors
    /// When the task can't be looked into.
    pub(super) fn call(&self, task: &Task<'_>) -> io::Result<Option<Call>> {
        if self.architecture != NATIVE {
            return Ok(Some(Call::Unknown("a 32-bit program")));
        }
        let number = i64::from(self.number);
        if let Some(call) = self.reads(number, task)? {
            return Ok(call);
        }
        if let Some(call) = self.writes(number, task)? {
            return Ok(call);
        }
        Ok(Some(match number {
            libc::SYS_connect => return self.connect(task),
            libc::SYS_socket => Call::Network,
            libc::SYS_uname => Call::Uname,
            libc::SYS_chroot | libc::SYS_pivot_root => Call::Unknown("another root directory"),
            libc::SYS_mount | libc::SYS_move_mount => Call::Unknown("a mount"),
            libc::SYS_setns => Call::Unknown("another namespace"),
            libc::SYS_open_by_handle_at => Call::Unknown("a file opened by its handle"),
            _ => Call::Unknown("a call that is not known"),
        }))
    }

    fn reads(&self, number: i64, task: &Task<'_>) -> io::Result<Option<Option<Call>>> {
        const NOFOLLOW: u64 = libc::AT_SYMLINK_NOFOLLOW as u64;
        let a = &self.arguments;
        let stat = |at: usize, follow: bool| {
            Ok(Some(self.named(task, at)?.map(|path| Call::Stat { path, follow })))
        };
        match number {
            libc::SYS_openat => self.open(task, 1, a[2]),
            libc::SYS_open => self.open(task, 0, a[1]),
            libc::SYS_openat2 => {
                let flags = task.number(a[2])?;
                self.open(task, 1, flags)
            }
            libc::SYS_creat => {
                self.open(task, 0, (libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC) as u64)
            }
            libc::SYS_newfstatat => stat(1, a[3] & NOFOLLOW == 0),
            libc::SYS_statx => stat(1, a[2] & NOFOLLOW == 0),
            libc::SYS_faccessat2 => stat(1, a[3] & NOFOLLOW == 0),
            libc::SYS_faccessat => stat(1, true),
            libc::SYS_stat | libc::SYS_access | libc::SYS_chdir => stat(0, true),
            libc::SYS_lstat | libc::SYS_readlink => stat(0, false),
            libc::SYS_readlinkat => stat(1, false),
            libc::SYS_getdents | libc::SYS_getdents64 => {
                let directory = task.link(&format!("fd/{}", descriptor(a[0]))).ok();
                Ok(Some(directory.filter(|d| d.is_absolute()).map(Call::List)))
            }
            libc::SYS_execve => self.execute(task, 0, a[1]),
            libc::SYS_execveat => self.execute(task, 1, a[2]),
            _ => Ok(None),
        }
    }

    fn writes(&self, number: i64, task: &Task<'_>) -> io::Result<Option<Option<Call>>> {
        let make = |at: usize| Ok(Some(self.named(task, at)?.map(Call::Create)));
        let remove = |at: usize| Ok(Some(self.named(task, at)?.map(Call::Remove)));
        let both = |from: usize, to: usize| -> io::Result<Option<(PathBuf, PathBuf)>> {
            Ok(self.named(task, from)?.zip(self.named(task, to)?))
        };
        let link = |from, to| Ok(Some(both(from, to)?.map(|(from, to)| Call::Link { from, to })));
        let rename =
            |from, to| Ok(Some(both(from, to)?.map(|(from, to)| Call::Rename { from, to })));
        match number {
            libc::SYS_mkdir | libc::SYS_mknod => make(0),
            libc::SYS_mkdirat | libc::SYS_mknodat | libc::SYS_symlink => make(1),
            libc::SYS_symlinkat => make(2),
            libc::SYS_link => link(0, 1),
            libc::SYS_linkat => link(1, 3),
            libc::SYS_rename => rename(0, 1),
            libc::SYS_renameat | libc::SYS_renameat2 => rename(1, 3),
            libc::SYS_unlink | libc::SYS_rmdir => remove(0),
            libc::SYS_unlinkat => remove(1),
            libc::SYS_truncate => {
                let path = self.named(task, 0)?;
                Ok(Some(path.map(|p| {
                    Call::Open(p, OpenFlags { write: true, follow: true, ..OpenFlags::default() })
                })))
            }
            _ => Ok(None),
        }
    }

    /// The path in an argument. Calls that end in `at` have the directory in the argument before,
    /// which are those whose path is not the first one, but for the second path of link and rename.
    fn named(&self, task: &Task<'_>, at: usize) -> io::Result<Option<PathBuf>> {
        const PLAIN: &[i64] = &[libc::SYS_link, libc::SYS_rename, libc::SYS_symlink];
        let has_directory = at > 0 && !PLAIN.contains(&i64::from(self.number));
        let directory =
            if has_directory { descriptor(self.arguments[at - 1]) } else { libc::AT_FDCWD };
        task.path(directory, self.arguments[at])
    }

    fn open(&self, task: &Task<'_>, at: usize, flags: u64) -> io::Result<Option<Option<Call>>> {
        let has = |flag: c_int| flags & flag as u64 != 0;
        let access = flags & libc::O_ACCMODE as u64;
        let flags_of_open = OpenFlags {
            read: access != libc::O_WRONLY as u64,
            write: access != libc::O_RDONLY as u64,
            create: has(libc::O_CREAT),
            truncate: has(libc::O_TRUNC),
            path_only: has(libc::O_PATH),
            directory: has(libc::O_DIRECTORY),
            follow: !(has(libc::O_NOFOLLOW) || has(libc::O_CREAT) && has(libc::O_EXCL)),
        };
        Ok(Some(self.named(task, at)?.map(|path| Call::Open(path, flags_of_open))))
    }

    fn execute(&self, task: &Task<'_>, at: usize, list: u64) -> io::Result<Option<Option<Call>>> {
        let path = match self.named(task, at)? {
            Some(path) => path,
            // fexecve(3): an empty path and the descriptor of the program.
            None if at == 1 => match task.link(&format!("fd/{}", descriptor(self.arguments[0]))) {
                Ok(path) if path.is_absolute() && path.exists() => path,
                _ => return Ok(Some(Some(Call::Unknown("a program without a name")))),
            },
            None => return Ok(Some(None)),
        };
        let mut arguments = Vec::new();
        for at in (0..ARGUMENTS_MAX).filter(|_| list != 0) {
            let address = task.number(list + 8 * at)?;
            if address == 0 {
                break;
            }
            // A long argument is only not looked at.
            arguments.push(task.text(address).unwrap_or_default());
        }
        Ok(Some(Some(Call::Execute { path, arguments })))
    }

    /// Reads `struct sockaddr`: the family, and the path of `AF_UNIX`.
    fn connect(&self, task: &Task<'_>) -> io::Result<Option<Call>> {
        let length = usize::try_from(self.arguments[2]).unwrap_or(0).min(110);
        if length < 2 {
            return Ok(None);
        }
        let address = task.memory(self.arguments[1], length)?;
        let family = u16::from_le_bytes([address[0], address[1]]);
        if i32::from(family) != libc::AF_UNIX {
            return Ok(Some(Call::Network));
        }
        let path = address[2..].split(|b| *b == 0).next().unwrap_or_default();
        use std::os::unix::ffi::OsStrExt;
        let path = (!path.is_empty()).then(|| PathBuf::from(std::ffi::OsStr::from_bytes(path)));
        Ok(Some(Call::Connect(match path {
            Some(path) if path.is_relative() => Some(task.link("cwd")?.join(path)),
            other => other,
        })))
    }
}

/// Descriptors are 32 bits wide in the call's 64.
fn descriptor(argument: u64) -> RawFd {
    (argument as u32).cast_signed()
}
