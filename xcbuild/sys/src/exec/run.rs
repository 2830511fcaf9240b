//! How a command is run: to its end, in our place, or detached from us.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use super::error::failure;
use super::pipes::communicate;
use super::{Exec, ExecError, child_pid};
use crate::cancel;
use xc_report::timeline;

/// How long a program has to end by itself when it is asked to.
const GRACE: Duration = Duration::from_secs(2);
/// How often, and after which pause, a program is retried that is open for writing.
const BUSY_RETRIES: (u32, Duration) = (200, Duration::from_millis(5));

/// What a program left when it succeeded.
#[derive(Debug, Clone)]
pub struct Output {
    /// All it wrote to stdout.
    pub stdout: Vec<u8>,
    /// All it wrote to stderr.
    pub stderr: Vec<u8>,
}

impl Exec {
    /// Runs it to its end and gives what it wrote to stdout.
    ///
    /// # Errors
    /// [`ExecError`] when it can't be started, fails, or the user cancels.
    pub fn output(self) -> Result<Vec<u8>, ExecError> {
        self.capture().map(|o| o.stdout)
    }

    /// Runs it to its end and gives what it wrote.
    ///
    /// # Errors
    /// [`ExecError`] when it can't be started, fails, or the user cancels.
    pub fn capture(self) -> Result<Output, ExecError> {
        let command = self.line();
        let (status, out) = self.complete()?;
        if status.success() {
            return Ok(out);
        }
        Err(failure(command, status, &out))
    }

    /// Runs it to its end and gives how it ended and what it wrote, whether it succeeded or not.
    ///
    /// # Errors
    /// [`ExecError`] when it can't be started, or the user cancels.
    pub fn complete(self) -> Result<(ExitStatus, Output), ExecError> {
        self.complete_with(end_group)
    }

    /// As [`Exec::complete`], with the way in which the program is ended when the user cancels.
    pub(crate) fn complete_with(
        mut self,
        end: impl FnOnce(Pid) + Send + 'static,
    ) -> Result<(ExitStatus, Output), ExecError> {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let program = self.program();
        let _span = timeline::span("run", self.line());
        let input = self.stdin.take();
        self.command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
        let mut child = self.start()?;
        let group = child_pid(&child);
        let watch = cancel::on_cancel(move || end(group));
        let done = communicate(&mut child, group, input);
        if watch.fired() {
            return Err(ExecError::Cancelled { program });
        }
        done.map_err(|source| ExecError::Io { program, source })
    }

    /// Runs it with our own terminal, input and output, and gives how it ended.
    ///
    /// # Errors
    /// [`ExecError`] when it can't be started.
    pub fn status(mut self) -> Result<ExitStatus, ExecError> {
        let program = self.program();
        self.start()?.wait().map_err(|source| ExecError::Io { program, source })
    }

    /// Becomes the program; returns only if that fails.
    pub fn replace(mut self) -> ExecError {
        tracing::debug!(command = %self.line(), "exec");
        let source = self.command.exec();
        self.error(source)
    }

    /// Starts it in its own session, to outlive us: no input, output to those files. What
    /// it makes, its sockets above all, is for our user alone.
    ///
    /// # Errors
    /// [`ExecError`] when it can't be started.
    #[allow(unsafe_code)]
    pub fn detached(mut self, stdout: File, stderr: File) -> Result<Child, ExecError> {
        self.command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
        let mask = self.umask;
        // SAFETY: umask and setsid are calls of the kernel: they allocate nothing and take no locks.
        unsafe {
            self.command.pre_exec(move || {
                rustix::process::umask(mask);
                rustix::process::setsid().map(drop).map_err(Into::into)
            });
        }
        self.start()
    }

    pub(super) fn start(&mut self) -> Result<Child, ExecError> {
        tracing::debug!(command = %self.line(), "run");
        retry_on_etxtbsy(|| self.command.spawn()).map_err(|source| self.error(source))
    }

    fn error(&self, source: io::Error) -> ExecError {
        let program = self.program();
        // A missing working directory is also ENOENT, and would be blamed on the program.
        let place_is_there = self.command.get_current_dir().is_none_or(Path::is_dir);
        if source.kind() == io::ErrorKind::NotFound && place_is_there {
            ExecError::Missing { program }
        } else {
            ExecError::Io { program, source }
        }
    }
}

/// Tries again while the program's file is open for writing (ETXTBSY). Whoever has just written it has
/// closed it; but a process that another of our threads was starting then has a copy of the
/// descriptor, until it becomes its own program.
fn retry_on_etxtbsy<T>(mut start: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let (tries, pause) = BUSY_RETRIES;
    for _ in 1..tries {
        match start() {
            Err(e) if e.kind() == io::ErrorKind::ExecutableFileBusy => std::thread::sleep(pause),
            done => return done,
        }
    }
    start()
}

/// Ends a group of processes: SIGTERM, then SIGKILL. It runs on the thread of the signals, which
/// must not wait.
fn end_group(group: Pid) {
    let _ = kill_process_group(group, Signal::TERM);
    std::thread::spawn(move || {
        std::thread::sleep(GRACE);
        let _ = kill_process_group(group, Signal::KILL);
    });
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use super::{BUSY_RETRIES, Exec, retry_on_etxtbsy};

    #[test]
    fn output_is_what_the_program_wrote() {
        let out = Exec::new("cat").stdin_bytes("a\nb\n").output().unwrap();
        assert_eq!(out, b"a\nb\n");
    }

    #[test]
    fn a_program_that_is_being_written_is_waited_for() {
        for (busy, expected) in
            [(0, Ok(1)), (2, Ok(3)), (BUSY_RETRIES.0, Err(ErrorKind::ExecutableFileBusy))]
        {
            let mut tries = 0;
            let done = retry_on_etxtbsy(|| {
                tries += 1;
                if tries > busy { Ok(tries) } else { Err(ErrorKind::ExecutableFileBusy.into()) }
            });
            assert_eq!(done.map_err(|e: Error| e.kind()), expected, "{busy}");
        }
        let missing = retry_on_etxtbsy(|| Err::<(), _>(ErrorKind::NotFound.into()));
        assert_eq!(missing.unwrap_err().kind(), ErrorKind::NotFound);
    }
}
