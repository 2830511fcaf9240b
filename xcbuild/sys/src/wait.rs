//! Waiting for the first of several things: a descriptor that becomes readable, a time, Ctrl-C.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::cancel;

/// A wait without an end: a hundred years, which `poll` takes and the clock can count.
pub const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// What came first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// The descriptor at that place in the list.
    Ready(usize),
    /// The time.
    TimedOut,
    /// The user's wish to stop.
    Cancelled,
}

/// Waits for the first of them. The user's wish comes before the descriptors, and those before each
/// other in their order.
///
/// # Errors
/// When the kernel refuses to wait.
pub fn first(fds: &[BorrowedFd<'_>], deadline: Instant) -> io::Result<First> {
    let cancelled = cancel::fd()?;
    loop {
        let timeout = Timespec::try_from(deadline.saturating_duration_since(Instant::now())).ok();
        let all = std::iter::once(cancelled).chain(fds.iter().map(AsFd::as_fd));
        let mut polled: Vec<_> =
            all.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
        match poll(&mut polled, timeout.as_ref()) {
            Ok(0) => return Ok(First::TimedOut),
            Ok(_) if !polled[0].revents().is_empty() => return Ok(First::Cancelled),
            Ok(_) => {
                let ready = polled[1..].iter().position(|fd| !fd.revents().is_empty());
                if let Some(place) = ready {
                    return Ok(First::Ready(place));
                }
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Waits until a descriptor is readable or the time is over, and tells which; whatever the user wishes,
/// for what is done after a cancel as well.
///
/// # Errors
/// When the kernel refuses to wait.
pub fn readable(fd: BorrowedFd<'_>, deadline: Instant) -> io::Result<bool> {
    loop {
        let timeout = Timespec::try_from(deadline.saturating_duration_since(Instant::now())).ok();
        match poll(&mut [PollFd::new(&fd, PollFlags::IN)], timeout.as_ref()) {
            Ok(count) => return Ok(count > 0),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsFd;
    use std::time::{Duration, Instant};

    use super::{First, first, readable};

    #[test]
    fn the_first_that_is_ready_is_told() {
        let pairs = [0, 1].map(|_| std::os::unix::net::UnixStream::pair().unwrap());
        let fds = [pairs[0].0.as_fd(), pairs[1].0.as_fd()];
        assert_eq!(first(&fds, Instant::now()).unwrap(), First::TimedOut);
        (&pairs[1].1).write_all(b"x").unwrap();
        let late = Instant::now() + Duration::from_secs(600);
        assert_eq!(first(&fds, late).unwrap(), First::Ready(1));
        assert!(readable(fds[1], late).unwrap());
        assert!(!readable(fds[0], Instant::now()).unwrap());
        (&pairs[0].1).write_all(b"x").unwrap();
        assert_eq!(first(&fds, late).unwrap(), First::Ready(0));
    }
}
