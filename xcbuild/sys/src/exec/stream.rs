//! A program whose output is handed on as it comes, and that ends when nobody reads it any more.
//!
//! A program that writes to a pipe is ended by SIGPIPE when the pipe's reader has gone. One that writes
//! for another machine is not: ssh keeps the connection, and what runs there goes on for ever. So its
//! output passes through us, and when our own write fails, it is ended. As with SIGPIPE, a program that
//! writes nothing more is not.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{PidfdFlags, Signal, kill_process, kill_process_group, pidfd_open};

use super::{Exec, ExecError, child_pid};
use crate::wait::{CancelMode, Waiter, Woken};

/// How much is handed on at once, in bytes.
const CHUNK: usize = 1 << 16;
/// How long a pipe is read after the program's end, if another process still holds it.
const LINGER: Duration = Duration::from_secs(1);
/// How long a program has to end by itself when it is told to.
const LEAVE: Duration = Duration::from_secs(2);

/// An output of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Its results.
    Stdout,
    /// The rest.
    Stderr,
}

/// How a program ended whose output was handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Streamed {
    /// By itself, or because the user cancelled a program with our own input.
    Ended(ExitStatus),
    /// It was ended since what it wrote could not be handed on: nobody reads it any more.
    ReaderGone,
    /// It was ended since one of `stops` became readable.
    Stopped,
}

/// What takes the output. `BrokenPipe` says that nobody reads it any more.
pub(super) type Take<'t> = &'t mut dyn FnMut(Source, &[u8]) -> io::Result<()>;

impl Exec {
    /// Runs it with empty input and hands on all that it writes, no longer than one of `stops` is not
    /// readable. It is ended as a group.
    ///
    /// # Errors
    /// [`ExecError`] when it can't be started, its output can't be handed on, or the user cancels.
    pub fn streamed(
        mut self,
        stops: &[BorrowedFd<'_>],
        take: Take<'_>,
    ) -> Result<Streamed, ExecError> {
        self.command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        self.command.process_group(0);
        let program = self.program();
        match self.pumped(stops, take, &|child, signal| {
            let _ = kill_process_group(child_pid(child), signal);
        })? {
            (Pumped::Cancelled, _) => Err(ExecError::Cancelled { program }),
            (pumped, status) => Ok(pumped.streamed(status)),
        }
    }

    /// Runs it with our own input and terminal and hands on what it writes to `outputs`; what it writes
    /// to others is ours. It is asked to end when the user cancels as well.
    ///
    /// # Errors
    /// [`ExecError`] when it can't be started, or its output can't be handed on.
    pub fn relayed(
        mut self,
        outputs: &[Source],
        stops: &[BorrowedFd<'_>],
        take: Take<'_>,
    ) -> Result<Streamed, ExecError> {
        for output in outputs {
            match output {
                Source::Stdout => self.command.stdout(Stdio::piped()),
                Source::Stderr => self.command.stderr(Stdio::piped()),
            };
        }
        let (pumped, status) = self.pumped(stops, take, &|child, signal| {
            let _ = kill_process(child_pid(child), signal);
        })?;
        Ok(pumped.streamed(status))
    }

    fn pumped(
        mut self,
        stops: &[BorrowedFd<'_>],
        take: Take<'_>,
        signal: &dyn Fn(&Child, Signal),
    ) -> Result<(Pumped, ExitStatus), ExecError> {
        let program = self.program();
        let failed = |source| ExecError::Io { program: program.clone(), source };
        let mut child = self.start()?;
        let pipes = [
            child.stdout.take().map(|pipe| File::from(OwnedFd::from(pipe))),
            child.stderr.take().map(|pipe| File::from(OwnedFd::from(pipe))),
        ];
        let held = pidfd_open(child_pid(&child), PidfdFlags::empty()).map_err(io::Error::from);
        let pumped = held.and_then(|end| {
            let pumped = pump(pipes, &end, stops, take);
            if !matches!(pumped, Ok(Pumped::Program)) {
                signal(&child, Signal::TERM);
                let until = Instant::now() + LEAVE;
                let _ = Waiter::new(CancelMode::Ignore).readable(&end).until(until).wait();
            }
            pumped
        });
        signal(&child, Signal::KILL);
        let status = child.wait().map_err(failed)?;
        Ok((pumped.map_err(failed)?, status))
    }
}

/// What came first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pumped {
    Program,
    ReaderGone,
    Stopped,
    Cancelled,
}

impl Pumped {
    fn streamed(self, status: ExitStatus) -> Streamed {
        match self {
            Self::Program | Self::Cancelled => Streamed::Ended(status),
            Self::ReaderGone => Streamed::ReaderGone,
            Self::Stopped => Streamed::Stopped,
        }
    }
}

/// Hands on what comes out of the pipes until they and the program have ended.
fn pump(
    mut pipes: [Option<File>; 2],
    end: &OwnedFd,
    stops: &[BorrowedFd<'_>],
    take: Take<'_>,
) -> io::Result<Pumped> {
    let mut buffer = vec![0; CHUNK];
    let mut linger = None;
    loop {
        let open: Vec<usize> = (0..pipes.len()).filter(|i| pipes[*i].is_some()).collect();
        if linger.is_some() && open.is_empty() {
            return Ok(Pumped::Program);
        }
        let mut waiter = Waiter::new(CancelMode::Honour)
            .all_readable(stops.iter().copied())
            .all_readable(pipes.iter().flatten().map(AsFd::as_fd))
            .until(linger);
        if linger.is_none() {
            waiter = waiter.readable(end);
        }
        let (stopped, readable, ended) = match waiter.wait()? {
            Woken::Cancelled => return Ok(Pumped::Cancelled),
            Woken::TimedOut => return Ok(Pumped::Program),
            Woken::Ready(ready) => {
                let (first, after) = (stops.len(), stops.len() + open.len());
                let has = |places: std::ops::Range<usize>| places.clone().find(|i| ready.has(*i));
                (has(0..first), has(first..after).map(|i| open[i - first]), ready.has(after))
            }
        };
        if stopped.is_some() {
            return Ok(Pumped::Stopped);
        }
        match readable {
            Some(i) if !hand_on(i, &mut pipes[i], &mut buffer, take)? => {
                return Ok(Pumped::ReaderGone);
            }
            None if ended => linger = Some(Instant::now() + LINGER),
            _ => {}
        }
    }
}

/// Reads a pipe once and hands on what came; false if nobody reads that any more.
fn hand_on(
    place: usize,
    pipe: &mut Option<File>,
    buffer: &mut [u8],
    take: Take<'_>,
) -> io::Result<bool> {
    let source = if place == 0 { Source::Stdout } else { Source::Stderr };
    let got = match pipe.as_mut().map_or(Ok(0), |pipe| pipe.read(buffer)) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(true),
        got => got?,
    };
    if got == 0 {
        *pipe = None;
        return Ok(true);
    }
    match take(source, &buffer[..got]) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        taken => taken.map(|()| true),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::{Exec, Source, Streamed};

    /// Runs a script; `take` gets what it writes.
    fn run(script: &str, take: &mut dyn FnMut(Source, &[u8]) -> io::Result<()>) -> Streamed {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        Exec::new("sh").args(["-c", script]).streamed(&[ours.as_fd()], take).unwrap()
    }

    #[test]
    fn all_that_is_written_is_handed_on() {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let ended = run("seq 100000; echo last >&2; exit 3", &mut |source, bytes| {
            match source {
                Source::Stdout => out.extend_from_slice(bytes),
                Source::Stderr => err.extend_from_slice(bytes),
            }
            Ok(())
        });
        assert!(matches!(ended, Streamed::Ended(status) if status.code() == Some(3)), "{ended:?}");
        assert_eq!((out.len(), out.ends_with(b"\n100000\n")), (588_895, true));
        assert_eq!(err, b"last\n");
    }

    #[test]
    fn output_comes_while_the_program_runs() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut seen = Vec::new();
        // It would go on for ten minutes: it is stopped by what is seen of it.
        let ended = Exec::new("sh").args(["-c", "echo one; sleep 600"]).streamed(
            &[ours.as_fd()],
            &mut |_, bytes| {
                seen.extend_from_slice(bytes);
                (&theirs).write_all(b"x")
            },
        );
        assert_eq!((ended.unwrap(), seen), (Streamed::Stopped, b"one\n".to_vec()));
    }

    #[test]
    fn a_program_that_nobody_reads_is_ended() {
        let mut times = 0;
        let ended = run("yes & yes", &mut |_, _| {
            times += 1;
            if times < 3 { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
        });
        assert_eq!((ended, times), (Streamed::ReaderGone, 3));
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let relayed = Exec::new("yes").relayed(&[Source::Stdout], &[ours.as_fd()], &mut |_, _| {
            Err(io::ErrorKind::BrokenPipe.into())
        });
        assert_eq!(relayed.unwrap(), Streamed::ReaderGone);
    }

    #[test]
    fn what_can_not_be_written_is_an_error() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let mut full = |_: Source, _: &[u8]| Err(io::ErrorKind::StorageFull.into());
        assert!(Exec::new("yes").streamed(&[ours.as_fd()], &mut full).is_err());
    }

    #[test]
    fn a_pipe_that_another_process_holds_is_not_waited_for() {
        let began = std::time::Instant::now();
        let ended = run("setsid sleep 60 & echo done", &mut |_, _| Ok(()));
        assert!(matches!(ended, Streamed::Ended(_)), "{ended:?}");
        // Not a measurement: with waiting it would be a minute.
        assert!(began.elapsed() < std::time::Duration::from_secs(50));
    }
}
