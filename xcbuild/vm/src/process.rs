//! A process that is known for certain, also by an xcbuild that did not start it.
//!
//! A number alone is not enough: once a process has ended, the kernel gives its number to another.
//! Number and start time together are unique until the machine boots again. To signal or wait, a
//! pidfd is opened first and the start time compared afterwards, so that what the pidfd holds is
//! the process that was meant.
//!
//! Reference: proc_pid_stat(5), pidfd_open(2).

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use fs_err as fs;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

use xc_sys::wait::{CancelMode, Waiter, Woken};

/// How long a process has after SIGTERM before SIGKILL.
const GRACE: Duration = Duration::from_secs(5);

/// How long the kernel has to end a killed process.
const KILL_WAIT: Duration = Duration::from_secs(10);

/// A process by its number and start time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProcessId {
    /// The process's number.
    pub pid: i32,
    /// When it started, in clock ticks since the machine's start.
    pub start: u64,
}

impl ProcessId {
    /// The process that has that number now; `None` if none has, or it has ended and only waits
    /// for its parent.
    pub fn of(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        parse_stat(&stat).map(|start| Self { pid, start })
    }

    /// This process.
    pub fn own() -> Option<Self> {
        Self::of(rustix::process::getpid().as_raw_nonzero().get())
    }

    /// Whether the process still runs.
    pub fn is_alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// Takes hold of the process; `None` if it has ended.
    ///
    /// # Errors
    /// When the kernel refuses, such as for too many open files.
    pub fn hold(self) -> Result<Option<Held>, Errno> {
        let Some(pid) = Pid::from_raw(self.pid) else { return Ok(None) };
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(fd) if self.is_alive() => Ok(Some(Held { id: self, fd })),
            Ok(_) | Err(Errno::SRCH) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// A process that can't be confused with another any more.
#[derive(Debug)]
pub struct Held {
    id: ProcessId,
    fd: OwnedFd,
}

impl Held {
    /// Which process it is.
    pub fn id(&self) -> ProcessId {
        self.id
    }

    /// Sends a signal; one to a process that has ended is no error.
    ///
    /// # Errors
    /// When the process belongs to another user.
    pub fn signal(&self, signal: Signal) -> Result<(), Errno> {
        match pidfd_send_signal(&self.fd, signal) {
            Err(Errno::SRCH) => Ok(()),
            result => result,
        }
    }

    /// Waits until the process has ended or the time is up, and tells whether it has ended.
    pub fn wait(&self, deadline: Instant) -> bool {
        let mut waiter = Waiter::new(CancelMode::Ignore).readable(&self.fd).until(deadline);
        matches!(waiter.wait(), Ok(Woken::Ready(_)))
    }
}

/// Polls readable once the process has ended.
impl AsFd for Held {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Ends processes: all are asked (SIGTERM, on which qemu closes its disks), those that have not
/// ended within some seconds are killed. Gives those that could not be ended, with the reason.
pub fn end(processes: &[ProcessId]) -> Vec<(ProcessId, String)> {
    end_within(processes, GRACE)
}

fn end_within(processes: &[ProcessId], grace: Duration) -> Vec<(ProcessId, String)> {
    let mut failed = Vec::new();
    let mut held = Vec::new();
    for &id in processes {
        match id.hold() {
            Ok(process) => held.extend(process),
            Err(error) => failed.push((id, error.to_string())),
        }
    }
    for (signal, wait) in [(Signal::TERM, grace), (Signal::KILL, KILL_WAIT)] {
        held.retain(|process| match process.signal(signal) {
            Ok(()) => true,
            Err(error) => {
                failed.push((process.id, error.to_string()));
                false
            }
        });
        let deadline = Instant::now() + wait;
        held.retain(|process| !process.wait(deadline));
    }
    failed.extend(held.iter().map(|p| (p.id, "does not end when killed".to_owned())));
    failed
}

/// Finds the processes of this user of which some word of the command line is recognised, with what
/// it was recognised as. For processes whose number could not be recorded.
pub fn find<T>(recognise: impl Fn(&[u8]) -> Option<T>) -> Vec<(ProcessId, T)> {
    let user = rustix::process::geteuid().as_raw();
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let own = |e: &fs::DirEntry| e.metadata().is_ok_and(|m| m.uid() == user);
    let pids = entries.flatten().filter(own).filter_map(|e| e.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let found = line.split(|b| *b == 0).find_map(&recognise)?;
        Some((ProcessId::of(pid)?, found))
    })
    .collect()
}

/// The start time in the text of `/proc/PID/stat`, unless the process has ended. The name in
/// parentheses may have blanks and parentheses itself.
fn parse_stat(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?;
    let start = fields.nth(18)?.parse().ok()?;
    (!matches!(state, "Z" | "X" | "x")).then_some(start)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;
    use std::os::unix::ffi::OsStrExt;
    use std::path::{Path, PathBuf};
    use std::process::Child;
    use std::time::Duration;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::{ProcessId, end, end_within, find, parse_stat};
    use xc_sys::exec::Exec;

    fn null() -> File {
        File::options().write(true).open("/dev/null").unwrap()
    }

    /// A process that waits for ever: `cat` of a FIFO that nobody writes to.
    fn waiting(directory: &Path) -> (Child, ProcessId, PathBuf) {
        let fifo = directory.join("fifo");
        mknodat(CWD, &fifo, FileType::Fifo, Mode::RWXU, 0).unwrap();
        let child = Exec::new("cat").arg(&fifo).detached(null(), null()).unwrap();
        let id = ProcessId::of(child.id() as i32).unwrap();
        (child, id, fifo)
    }

    #[test]
    fn start_time_is_the_22nd_field_whatever_the_name() {
        let fields: Vec<String> = (4..=52).map(|i| i.to_string()).collect();
        let stat = |state| format!("7 (a) S b) {state} {}", fields.join(" "));
        assert_eq!(parse_stat(&stat("S")), Some(22));
        assert_eq!(parse_stat(&stat("Z")), None);
        assert_eq!(parse_stat("7 (sh) S 1"), None);
    }

    #[test]
    fn another_process_of_the_same_number_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (mut child, id, _) = waiting(dir.path());
        let former = ProcessId { start: id.start - 1, ..id };
        assert!(!former.is_alive() && former.hold().unwrap().is_none());
        assert_eq!(end(&[former]), []);
        assert!(id.is_alive());
        assert_eq!(end(&[id]), []);
        assert!(!id.is_alive(), "a zombie is not alive");
        child.wait().unwrap();
    }

    #[test]
    fn deaf_process_is_killed() {
        let (mut ready, write) = std::io::pipe().unwrap();
        let script = "trap '' TERM; echo; exec tail -f /dev/null";
        let write = File::from(std::os::fd::OwnedFd::from(write));
        let mut child = Exec::new("sh").args(["-c", script]).detached(write, null()).unwrap();
        ready.read_exact(&mut [0]).unwrap();
        let id = ProcessId::of(child.id() as i32).unwrap();
        assert_eq!(end_within(&[id], Duration::from_millis(1)), []);
        assert!(!id.is_alive());
        child.wait().unwrap();
    }

    #[test]
    fn process_is_found_by_a_word_that_is_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let (mut child, id, fifo) = waiting(dir.path());
        let word = |w: &[u8]| (w == fifo.as_os_str().as_bytes()).then_some("fifo");
        assert_eq!(find(word), [(id, "fifo")]);
        end(&[id]);
        child.wait().unwrap();
        assert_eq!(find(word), []);
    }
}
