//! Running a program under watch, or only under the reaper.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::call::Call;
use super::line::{self, Message};
use super::task::Task;
use super::{Flow, Watched, filter, listener, reaper};
use crate::exec::{Exec, ExecError, Output};

/// How a program is run.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// When it is ended, if it hasn't by itself.
    pub timeout: Duration,
    /// Whether it is watched.
    pub watched: bool,
}

/// How a program ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code or signal.
    pub status: ExitStatus,
    /// What it wrote.
    pub output: Output,
    /// Whether its time was up.
    pub timed_out: bool,
    /// Whether it was watched.
    pub watched: Watched,
}

/// Runs a program and all that it starts to the end; what it leaves running is ended with it. Its
/// files are made with the umask 022, whatever the user's is.
///
/// # Errors
/// [`ExecError`] when it can't be started, or the user cancels. A program that fails or whose time
/// is up is no error here.
#[allow(unsafe_code)]
pub fn run(
    mut exec: Exec,
    options: Options,
    watch: &mut (dyn FnMut(&Task<'_>, Call) -> Flow + Send),
) -> Result<Ended, ExecError> {
    let program = exec.program();
    let failed = |source| ExecError::Io { program: program.clone(), source };
    let (ours, theirs) = line::pair().map_err(failed)?;
    let filter = options.watched.then(filter::program);
    let end = theirs.as_raw_fd();
    let become_program = move || {
        // SAFETY: this runs in the fork alone, which has a copy of the descriptor: `theirs` is
        // dropped after it, and the copy is not closed before the program begins.
        let line = unsafe { BorrowedFd::borrow_raw(end) };
        become_program(line, options.timeout, filter.as_deref())
    };
    // SAFETY: all that it does between fork and exec are calls of the kernel: it allocates nothing
    // and takes no locks. The filter's program was made before.
    unsafe { exec.command.pre_exec(become_program) };
    std::thread::scope(|scope| {
        let report = scope.spawn(|| follow(ours, watch));
        let done = exec.reaped();
        // The listening end ends when all senders are gone.
        drop(theirs);
        let report = report.join().unwrap_or_else(|_| Err(io::Error::other("the watcher failed")));
        let (status, output) = done?;
        let report = report.map_err(failed)?;
        let status = report.status.map_or(status, ExitStatus::from_raw);
        Ok(Ended { status, output, timed_out: report.timed_out, watched: report.watched })
    })
}

/// Between fork and exec: splits off the reaper and puts the filter on.
#[allow(unsafe_code)]
fn become_program(
    line: BorrowedFd<'_>,
    timeout: Duration,
    filter: Option<&[libc::sock_filter]>,
) -> io::Result<()> {
    reaper::split(line, timeout)?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let Some(filter) = filter else { return Ok(()) };
    match filter::install(filter) {
        Ok(listener) => {
            // SAFETY: the kernel just gave us the descriptor, and nothing else knows of it.
            let listener = unsafe { OwnedFd::from_raw_fd(listener) };
            let reaper = rustix::process::getppid().map_or(0, Pid::as_raw_pid);
            line::listening(line, reaper, listener.as_fd())
        }
        Err(e) => line::refused(line, e.raw_os_error().unwrap_or(0)),
    }
}

/// What was received over the line.
struct Report {
    status: Option<i32>,
    timed_out: bool,
    watched: Watched,
}

fn follow(line: OwnedFd, watch: &mut dyn FnMut(&Task<'_>, Call) -> Flow) -> io::Result<Report> {
    let mut report =
        Report { status: None, timed_out: false, watched: Watched::Not("tracing is off".into()) };
    while let Some(message) = line::receive(&line)? {
        match message {
            Message::Listening { reaper, listener } => {
                report.watched = Watched::Fully;
                let end = || {
                    let _ = Pid::from_raw(reaper).map(|pid| kill_process(pid, Signal::TERM));
                };
                if let Err(e) = listener::serve(&listener, watch, end) {
                    report.watched = Watched::Not(format!("the kernel's watch failed: {e}"));
                }
            }
            Message::Refused { errno } => {
                let e = io::Error::from_raw_os_error(errno);
                report.watched = Watched::Not(format!("this kernel or container refuses: {e}"));
            }
            Message::Ended { status, timed_out } => {
                report.status = Some(status);
                report.timed_out = timed_out;
            }
        }
    }
    Ok(report)
}

impl Exec {
    /// Runs it under a reaper, which gets the user's Ctrl-C.
    fn reaped(self) -> Result<(ExitStatus, Output), ExecError> {
        self.complete_with(|reaper| {
            let _ = kill_process(reaper, Signal::TERM);
        })
    }
}
