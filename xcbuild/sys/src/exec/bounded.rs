//! A program with a deadline, given up when something else ends: a command on a node that
//! may hang, or die with its node.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{PidfdFlags, Signal, kill_process, kill_process_group, pidfd_open};

use super::pipes::Drain;
use super::{Exec, ExecError, Output, child_pid};
use crate::wait::{CancelMode, Waiter, Woken};

/// How a program with a deadline ended.
#[derive(Debug)]
pub enum Bounded {
    /// By itself.
    Ended(ExitStatus, Output),
    /// Its time was up; what it wrote until then.
    TimedOut(Output),
    /// `stop` became readable first; what it wrote until then.
    Stopped(Output),
}

impl Exec {
    /// Runs it, at most until the deadline if there is one, and no longer than `stop` is not readable. Its input is
    /// empty; it is ended as a group.
    ///
    /// # Errors
    /// [`ExecError`] when it can't be started, or the user cancels.
    pub fn bounded(
        mut self,
        deadline: impl Into<Option<Instant>>,
        stop: BorrowedFd<'_>,
    ) -> Result<Bounded, ExecError> {
        use std::os::unix::process::CommandExt;
        self.command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        self.command.process_group(0);
        let program = self.program();
        let failed = |source| ExecError::Io { program: program.clone(), source };
        let mut child = self.start()?;
        let group = child_pid(&child);
        let drains = (Drain::new(child.stdout.take()), Drain::new(child.stderr.take()));
        let waited = pidfd_open(group, PidfdFlags::empty())
            .map_err(Into::into)
            .and_then(|end| first_end(&end, stop, deadline.into()));
        // However it ended, nothing of its group is left, and it is reaped.
        if !matches!(waited, Ok(FirstEnd::Program)) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let status = child.wait().map_err(failed)?;
        let _ = kill_process_group(group, Signal::KILL);
        let (stdout, stderr) =
            (drains.0.finish().map_err(failed)?, drains.1.finish().map_err(failed)?);
        let output = Output { stdout, stderr };
        match waited.map_err(failed)? {
            FirstEnd::Program => Ok(Bounded::Ended(status, output)),
            FirstEnd::Stop => Ok(Bounded::Stopped(output)),
            FirstEnd::Time => Ok(Bounded::TimedOut(output)),
            FirstEnd::Cancel => Err(ExecError::Cancelled { program }),
        }
    }
}

/// How long a program has to leave our terminal as it was.
const LEAVE: Duration = Duration::from_secs(2);

impl Exec {
    /// Runs it with our own terminal, input and output, no longer than `stop` is not readable;
    /// `None` if that ended it. It is asked to end when the user cancels as well.
    ///
    /// # Errors
    /// [`ExecError`] when it can't be started.
    pub fn status_until(mut self, stop: BorrowedFd<'_>) -> Result<Option<ExitStatus>, ExecError> {
        let program = self.program();
        let failed = |source| ExecError::Io { program: program.clone(), source };
        let mut child = self.start()?;
        let id = child_pid(&child);
        let held = pidfd_open(id, PidfdFlags::empty()).map_err(|e| failed(e.into()));
        let waited = held.and_then(|end| {
            let waited = first_end(&end, stop, None).map_err(failed)?;
            if waited != FirstEnd::Program {
                let _ = kill_process(id, Signal::TERM);
                let until = Instant::now() + LEAVE;
                let _ = Waiter::new(CancelMode::Ignore).readable(&end).until(until).wait();
            }
            Ok(waited)
        });
        if !matches!(waited, Ok(FirstEnd::Program)) {
            let _ = kill_process(id, Signal::KILL);
        }
        let status = child.wait().map_err(failed)?;
        Ok((waited? != FirstEnd::Stop).then_some(status))
    }
}

/// What came to its end first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FirstEnd {
    Program,
    Stop,
    Time,
    Cancel,
}

fn first_end(
    program: &impl AsFd,
    stop: BorrowedFd<'_>,
    deadline: Option<Instant>,
) -> io::Result<FirstEnd> {
    let waiter = Waiter::new(CancelMode::Honour).readable(program).readable(&stop);
    Ok(match waiter.until(deadline).wait()? {
        Woken::Ready(ready) if ready.has(0) => FirstEnd::Program,
        Woken::Ready(_) => FirstEnd::Stop,
        Woken::TimedOut => FirstEnd::Time,
        Woken::Cancelled => FirstEnd::Cancel,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;
    use std::time::{Duration, Instant};

    use super::{Bounded, Exec};

    #[test]
    fn a_program_ends_by_itself_by_time_or_with_another() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let late = Instant::now() + Duration::from_secs(600);
        let run = |script: &str, deadline| {
            Exec::new("sh").args(["-c", script]).bounded(deadline, ours.as_fd()).unwrap()
        };
        let ended = run("echo out; echo err >&2; exit 3", late);
        let Bounded::Ended(status, output) = ended else { panic!("{ended:?}") };
        assert_eq!(
            (status.code(), output.stdout, output.stderr),
            (Some(3), b"out\n".to_vec(), b"err\n".to_vec())
        );
        let hangs = "echo begun; sleep 600 & wait";
        assert!(matches!(run(hangs, Instant::now()), Bounded::TimedOut(_)));
        (&theirs).write_all(b"x").unwrap();
        assert!(matches!(run(hangs, late), Bounded::Stopped(_)));
    }
}
