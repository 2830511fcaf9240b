//! A program that is read while it runs.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::error::tail;
use super::{Exec, ExecError, child_pid};
use crate::wait::{CancelMode, Waiter};

impl Exec {
    /// Starts it in its own process group, to be read while it runs.
    ///
    /// # Errors
    /// [`ExecError`] when it can't be started.
    pub fn running(mut self) -> Result<Running, ExecError> {
        self.command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        self.command.process_group(0);
        Ok(Running { child: self.start()? })
    }
}

/// A program that runs and is read; it is ended when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
}

impl Running {
    /// What it writes to stdout; the first call has it.
    pub fn stdout(&mut self) -> Option<File> {
        self.child.stdout.take().map(|pipe| OwnedFd::from(pipe).into())
    }

    /// Asks it to end, and returns when it has or the time is over; then it is killed.
    pub fn end(self, within: Duration) {
        let id = child_pid(&self.child);
        let _ = kill_process_group(id, Signal::TERM);
        if let Ok(process) = pidfd_open(id, PidfdFlags::empty()) {
            // After a cancel it has its time as well. What is left then is ended as it is dropped.
            let until = Instant::now() + within;
            let _ = Waiter::new(CancelMode::Ignore).readable(&process).until(until).wait();
        }
    }

    /// The end of what it wrote to stderr, once it has ended by itself.
    pub fn stderr_tail(&mut self) -> String {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = self.child.stderr.take() {
            // What came before an error is all that there is.
            let _ = pipe.read_to_end(&mut bytes);
        }
        tail(&bytes)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = kill_process_group(child_pid(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read};
    use std::time::Duration;

    use crate::cancel::fixture::after_a_cancel;
    use crate::exec::Exec;

    /// Starts a script that says `ready`, has it ended, and gives what it says after that.
    fn ended(on_term: &str, within: Duration) -> String {
        // A signal that comes before a sleep has begun is looked at when that ends: it is short.
        let script = format!("trap '{on_term}' TERM; echo ready; while :; do sleep 0.1; done");
        let mut running = Exec::new("sh").args(["-c", &script]).running().unwrap();
        let mut said = BufReader::new(running.stdout().unwrap());
        said.read_line(&mut String::new()).unwrap();
        running.end(within);
        let mut rest = String::new();
        said.read_to_string(&mut rest).unwrap();
        rest
    }

    #[test]
    fn a_program_that_is_asked_to_end_has_time_for_it() {
        assert_eq!(ended("echo last; exit", Duration::from_secs(600)), "last\n");
        after_a_cancel(
            "exec::running::tests::a_program_that_is_asked_to_end_has_time_for_it",
            || {
                assert_eq!(ended("sleep 0.2; echo last; exit", Duration::from_secs(600)), "last\n");
            },
        );
        assert_eq!(ended(":", Duration::ZERO), "", "who does not listen is ended all the same");
    }
}
