//! Waiting for what nodes do, without polling for it in intervals: one `poll` over
//!
//! - an inotify descriptor on the run directory and the logs, for what nodes say on their agent
//!   port and write to their consoles,
//! - a pidfd for each process, for one that dies,
//! - the descriptor that tells of the user's wish to stop.
//!
//! What is read from the files is judged by two pure parts: [`Agent`] for the node's own words,
//! [`panic_line`] for a kernel that can't speak any more.

use std::io::{Read, Seek, SeekFrom};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use fs_err as fs;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;

use super::queries::Queries;
use crate::sys::cancel;
use crate::vm::process::Held;

/// What a node has said so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Agent {
    /// Nothing, or only that it has begun to boot.
    #[default]
    Silent,
    /// That it is ready.
    Ready,
    /// That something failed.
    Failed(String),
}

impl Agent {
    /// Takes the node's next line; one that is not known is of a later kind of node and no matter.
    pub(super) fn hear(&mut self, line: &str) {
        let (word, rest) = line.trim_end().split_once(' ').unwrap_or((line.trim_end(), ""));
        match word {
            "hello" => *self = Self::Silent,
            // The later scripts are run even so: what failed stays the news until the next boot.
            "ready" if matches!(self, Self::Failed(_)) => {}
            "ready" => *self = Self::Ready,
            "failed" => *self = Self::Failed(rest.into()),
            _ => {}
        }
    }

    /// Whether a line tells that only services are left to start, which may wait for other nodes.
    pub(super) fn starts_services(line: &str) -> bool {
        line.trim_end() == "services"
    }

    /// What a line tells that went wrong in a node which comes up all the same.
    pub(super) fn warning(line: &str) -> Option<&str> {
        line.trim_end().strip_prefix("warning ")
    }

    /// What a node has said in all, by its agent file; one that is not there says nothing.
    pub(super) fn read(path: &Path) -> Self {
        let text = fs::read(path).unwrap_or_default();
        let mut agent = Self::default();
        String::from_utf8_lossy(&text).lines().for_each(|line| agent.hear(line));
        agent
    }
}

/// The line on a console by which a kernel says that it has come to its end.
pub(super) fn panic_line(line: &str) -> Option<&str> {
    line.find("Kernel panic - not syncing").map(|at| line[at..].trim_end())
}

/// The line by which a kernel came to its end, if a console ends with that: after it nothing but
/// the kernel's own messages, which have a time stamp before them. What a node writes that was reset
/// since has none.
pub(super) fn last_words(console: &str) -> Option<&str> {
    let lines: Vec<_> = console.lines().filter(|line| !line.trim().is_empty()).collect();
    let at =
        lines.iter().rposition(|line| panic_line(line).is_some_and(|l| !l.ends_with("]---")))?;
    let of_kernel = |line: &&str| line.trim_start().starts_with('[');
    lines[at + 1..].iter().all(of_kernel).then(|| panic_line(lines[at])).flatten()
}

/// A file that another process writes to, read line by line as it grows.
#[derive(Debug)]
pub(super) struct Tail {
    path: PathBuf,
    offset: u64,
    partial: Vec<u8>,
}

impl Tail {
    /// The file at that path from its start; it need not be there yet.
    pub(super) fn new(path: &Path) -> Self {
        Self::from(path, 0)
    }

    /// The file at that path from a position on.
    pub(super) fn from(path: &Path, offset: u64) -> Self {
        Self { path: path.into(), offset, partial: Vec::new() }
    }

    /// What will be added to the file at that path.
    pub(super) fn from_end(path: &Path) -> Self {
        Self::from(path, length(path))
    }

    /// The whole lines that were added since the last call.
    pub(super) fn lines(&mut self) -> Vec<String> {
        let added = self.bytes();
        self.partial.extend(added);
        let Some(end) = self.partial.iter().rposition(|b| *b == b'\n') else { return Vec::new() };
        let rest = self.partial.split_off(end + 1);
        let whole = std::mem::replace(&mut self.partial, rest);
        String::from_utf8_lossy(&whole).lines().map(str::to_owned).collect()
    }

    /// All that was added since the last call.
    pub(super) fn bytes(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if length(&self.path) < self.offset {
            // Begun anew by another writer.
            (self.offset, self.partial) = (0, Vec::new());
        }
        if let Ok(mut file) = fs::File::open(&self.path)
            && file.seek(SeekFrom::Start(self.offset)).is_ok()
        {
            // What was read before an error is taken, and the rest comes with the next call.
            let _ = file.read_to_end(&mut bytes);
        }
        self.offset += bytes.len() as u64;
        bytes
    }
}

/// The length of a file; 0 if it is not there.
pub(super) fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |m| m.len())
}

/// Why a wait came to its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Woken {
    /// Files have grown, or processes have ended.
    Changed,
    /// The time is up.
    TimedOut,
}

/// The files and processes that are waited for.
#[derive(Debug)]
pub(super) struct Watch {
    inotify: OwnedFd,
}

impl Watch {
    /// Watches the files in these directories from now on.
    pub(super) fn new(directories: &[&Path]) -> Result<Self> {
        let flags = CreateFlags::CLOEXEC | CreateFlags::NONBLOCK;
        let inotify = inotify::init(flags).context("can't watch files (inotify)")?;
        for directory in directories {
            // The last tells of boot slots whose holder has gone.
            let events = WatchFlags::MODIFY
                | WatchFlags::CREATE
                | WatchFlags::MOVED_TO
                | WatchFlags::CLOSE_WRITE;
            inotify::add_watch(&inotify, *directory, events)
                .with_context(|| format!("can't watch `{}`", directory.display()))?;
        }
        Ok(Self { inotify })
    }

    /// Waits until a file has grown or one of the processes has ended.
    ///
    /// # Errors
    /// [`cancel::Cancelled`] when the user wants to stop.
    pub(super) fn wait(&self, processes: &[&Held], deadline: Instant) -> Result<Woken> {
        let fds: Vec<_> = processes.iter().map(|p| p.as_fd()).collect();
        match self.poll(&fds, deadline)? {
            Some(_) => Ok(Woken::Changed),
            None => Ok(Woken::TimedOut),
        }
    }

    /// The same, and until there is something to read from one of the inputs; tells from which.
    pub(super) fn wait_with(
        &self,
        processes: &[&Held],
        inputs: &[BorrowedFd<'_>],
        deadline: Instant,
    ) -> Result<Vec<bool>> {
        let processes = processes.iter().map(|p| p.as_fd());
        let fds: Vec<_> = inputs.iter().copied().chain(processes).collect();
        let mut readable = self.poll(&fds, deadline)?.unwrap_or_default();
        readable.truncate(inputs.len());
        Ok(readable)
    }

    /// Waits for a file that has grown or a descriptor that is readable, and tells which are;
    /// `None` if the time is up.
    fn poll(&self, others: &[BorrowedFd<'_>], deadline: Instant) -> Result<Option<Vec<bool>>> {
        let cancelled = cancel::fd().context("can't wait for signals")?;
        loop {
            cancel::check()?;
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = Timespec::try_from(left).ok();
            let fds = [self.inotify.as_fd(), cancelled].into_iter().chain(others.iter().copied());
            let poll_fd = |fd| PollFd::from_borrowed_fd(fd, PollFlags::IN);
            let mut fds: Vec<_> = fds.map(poll_fd).collect();
            match poll(&mut fds, timeout.as_ref()) {
                Ok(0) => return Ok(None),
                Ok(_) if fds[1].revents().is_empty() => {
                    self.drain();
                    return Ok(Some(fds[2..].iter().map(|fd| !fd.revents().is_empty()).collect()));
                }
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error).context("can't wait for the nodes"),
            }
        }
    }

    /// Empties the descriptor: that files have changed is enough, their tails tell what.
    fn drain(&self) {
        let mut buffer = [0_u8; 4096];
        while rustix::io::read(&self.inotify, &mut buffer).is_ok_and(|bytes| bytes > 0) {}
    }
}

/// The last lines of a file, for a person who wants to know how it ended.
pub(super) fn end_of(path: &Path, lines: usize) -> String {
    const ENOUGH: u64 = 16 * 1024;
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = fs::File::open(path)?;
        let size = file.metadata()?.len();
        file.seek(SeekFrom::Start(size.saturating_sub(ENOUGH)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = Queries::default().remove(&read().unwrap_or_default());
    let text = String::from_utf8_lossy(&bytes).replace('\r', "");
    let all: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::time::{Duration, Instant};

    use super::{Agent, Tail, Watch, Woken, end_of, last_words, panic_line};

    #[test]
    fn agent_is_what_the_last_boot_said() {
        let rows = [
            ("", Agent::Silent),
            ("hello\n", Agent::Silent),
            ("hello\nready vm-001\n", Agent::Ready),
            ("hello\r\nready vm-001\r\n", Agent::Ready),
            ("hello\nready vm-001\nhello\n", Agent::Silent),
            ("hello\nfailed 10net.rc: no eth0\n", Agent::Failed("10net.rc: no eth0".into())),
            ("hello\nfailed x\nready vm-001\n", Agent::Failed("x".into())),
            ("failed x\nhello\nready vm-001\n", Agent::Ready),
            ("hello\nload 3\nreadily\n", Agent::Silent),
            ("hello\nservices\n", Agent::Silent),
            ("hello\nwarning 50x.rc ended with status 1\nready vm-001\n", Agent::Ready),
        ];
        for (text, expected) in rows {
            let mut agent = Agent::default();
            text.lines().for_each(|line| agent.hear(line));
            assert_eq!(agent, expected, "{text:?}");
        }
    }

    #[test]
    fn panics_are_found_behind_time_stamps() {
        let line = "[    0.51] Kernel panic - not syncing: VFS: Unable to mount root fs\r";
        assert_eq!(
            panic_line(line),
            Some("Kernel panic - not syncing: VFS: Unable to mount root fs")
        );
        assert_eq!(panic_line("login:"), None);
    }

    #[test]
    fn console_that_ends_with_a_panic_is_told_from_one_that_went_on() {
        let panic = "[ 2.1] Kernel panic - not syncing: sysrq triggered crash\r\n";
        let after = "[ 2.1] CPU: 0 PID: 7\n[ 2.2] ---[ end Kernel panic - not syncing: x ]---\n\n";
        let rows = [
            (String::new(), None),
            (
                format!("vm-001 / > {panic}"),
                Some("Kernel panic - not syncing: sysrq triggered crash"),
            ),
            (format!("{panic}{after}"), Some("Kernel panic - not syncing: sysrq triggered crash")),
            (format!("{panic}{after}ready on 0.0.0.0:53\n"), None),
            (
                format!("{panic}{after}up\n[ 1.0] Kernel panic - not syncing: y"),
                Some("Kernel panic - not syncing: y"),
            ),
        ];
        for (console, expected) in rows {
            assert_eq!(last_words(&console), expected, "{console:?}");
        }
    }

    #[test]
    fn tail_gives_whole_lines_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut tail = Tail::new(&path);
        assert!(tail.lines().is_empty());
        let mut file = std::fs::File::create(&path).unwrap();
        let rows: [(&[u8], &[&str]); 3] =
            [(b"a\nb", &["a"]), (b"", &[]), (b"c\r\n\xff\n", &["bc", "\u{fffd}"])];
        for (written, expected) in rows {
            file.write_all(written).unwrap();
            assert_eq!(tail.lines(), expected);
        }
        std::fs::write(&path, "anew\n").unwrap();
        assert_eq!(tail.lines(), ["anew"]);
        std::fs::write(&path, b"bc\n\n\xff\n").unwrap();
        assert_eq!(end_of(&path, 2), "bc\n\u{fffd}");
        assert_eq!(end_of(&dir.path().join("none"), 2), "");
    }

    #[test]
    fn wait_ends_on_a_write_and_not_before() {
        let dir = tempfile::tempdir().unwrap();
        let watch = Watch::new(&[dir.path()]).unwrap();
        assert_eq!(watch.wait(&[], Instant::now()).unwrap(), Woken::TimedOut);
        std::fs::write(dir.path().join("x"), "y").unwrap();
        let late = Instant::now() + Duration::from_secs(60);
        assert_eq!(watch.wait(&[], late).unwrap(), Woken::Changed);
        assert_eq!(watch.wait(&[], Instant::now()).unwrap(), Woken::TimedOut);
    }
}
