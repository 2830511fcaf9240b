//! Stdout for a long stream of bytes, whose reader may be slow.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use xc_sys::wait::{CancelMode, Waiter, Woken};

/// Stdout for a long stream of bytes. Where its reader is slow, a write waits for it, but no longer
/// than the user does: after a cancel, a reader that takes nothing counts as gone (`BrokenPipe`).
#[derive(Debug)]
pub(crate) struct Stream(());

/// How many bytes a pipe takes at least when it polls writable (pipe(7)).
const PIPE_BUF: usize = 4096;
/// How long a reader has after a cancel.
const CANCEL_GRACE: Duration = Duration::from_secs(1);

impl Stream {
    /// The stream; not to a terminal, which bytes would upset.
    pub(crate) fn new() -> Option<Self> {
        (!io::stdout().is_terminal()).then_some(Self(()))
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let out = io::stdout().lock();
        let wait = |mode| Waiter::new(mode).writable(&out);
        if let Woken::Cancelled = wait(CancelMode::Honour).wait()? {
            let until = Instant::now() + CANCEL_GRACE;
            if let Woken::TimedOut = wait(CancelMode::Ignore).until(until).wait()? {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
        }
        Ok(rustix::io::write(&out, &bytes[..bytes.len().min(PIPE_BUF)])?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
