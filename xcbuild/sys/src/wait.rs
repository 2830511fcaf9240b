//! One waiter for the whole program: descriptors, a deadline and the user's cancel, in one `poll`.
//!
//! Hang-ups and errors of a descriptor count as readiness, as in poll(2): the read or write that
//! follows reports them. Only a descriptor that is not open is an error of the wait itself, since
//! nothing that follows could tell of it. Interrupted waits (EINTR) go on with the time that is left.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::cancel;

/// Whether the user's cancel ends a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelMode {
    /// It does, at once, and before anything else.
    Honour,
    /// It doesn't: for what is still done after a cancel, and where the caller learns of it otherwise.
    Ignore,
}

/// What is waited for. It can be waited for many times.
#[derive(Debug)]
pub struct Waiter<'fd> {
    /// In the order in which they were added.
    fds: Vec<PollFd<'fd>>,
    deadline: Option<Instant>,
    cancel: CancelMode,
}

/// Why a wait ended.
#[derive(Debug)]
pub enum Woken<'w> {
    /// At least one descriptor is ready.
    Ready(Ready<'w>),
    /// The deadline has passed.
    TimedOut,
    /// The user cancelled; never with [`CancelMode::Ignore`].
    Cancelled,
}

/// Which descriptors are ready, by their place in the order in which they were added.
#[derive(Debug)]
pub struct Ready<'w>(&'w [PollFd<'w>]);

impl<'fd> Waiter<'fd> {
    /// Waits for nothing yet but, by the mode, the user's cancel.
    pub fn new(cancel: CancelMode) -> Self {
        Self { fds: Vec::new(), deadline: None, cancel }
    }

    /// Wakes when the descriptor can be read without blocking, is at its end, or failed.
    #[must_use]
    pub fn readable(self, fd: &'fd impl AsFd) -> Self {
        self.with(fd.as_fd(), PollFlags::IN)
    }

    /// As [`Waiter::readable`], for each of them.
    #[must_use]
    pub fn all_readable(self, fds: impl IntoIterator<Item = BorrowedFd<'fd>>) -> Self {
        fds.into_iter().fold(self, |waiter, fd| waiter.with(fd, PollFlags::IN))
    }

    /// Wakes when the descriptor can be written without blocking, or its reader has gone.
    #[must_use]
    pub fn writable(self, fd: &'fd impl AsFd) -> Self {
        self.with(fd.as_fd(), PollFlags::OUT)
    }

    /// Wakes only when the descriptor's other end has gone.
    #[must_use]
    pub fn hung_up(self, fd: &'fd impl AsFd) -> Self {
        self.with(fd.as_fd(), PollFlags::empty())
    }

    /// Wakes at that moment; without one, or with `None`, never by time.
    #[must_use]
    pub fn until(mut self, deadline: impl Into<Option<Instant>>) -> Self {
        self.deadline = deadline.into();
        self
    }

    fn with(mut self, fd: BorrowedFd<'fd>, interest: PollFlags) -> Self {
        self.fds.push(PollFd::from_borrowed_fd(fd, interest));
        self
    }

    /// Waits for the first of them. A cancel comes before descriptors, and those before the deadline:
    /// one in the past asks what is ready now.
    ///
    /// # Errors
    /// `EBADF` when a descriptor is not open; else when the kernel refuses to wait.
    pub fn wait(&mut self) -> io::Result<Woken<'_>> {
        let cancelled = match self.cancel {
            CancelMode::Honour => Some(PollFd::from_borrowed_fd(cancel::fd()?, PollFlags::IN)),
            CancelMode::Ignore => None,
        };
        let others = self.fds.len();
        self.fds.extend(cancelled);
        let polled = poll_until(&mut self.fds, self.deadline);
        let cancelled = self.fds.drain(others..).any(|fd| is_ready(&fd));
        if !polled? {
            return Ok(Woken::TimedOut);
        }
        if self.fds.iter().any(|fd| fd.revents().contains(PollFlags::NVAL)) {
            return Err(Errno::BADF.into());
        }
        Ok(if cancelled { Woken::Cancelled } else { Woken::Ready(Ready(&self.fds)) })
    }
}

impl Ready<'_> {
    /// The first that is ready.
    pub fn first(&self) -> usize {
        // One of them is, or this value would not have been made.
        self.0.iter().position(is_ready).unwrap_or_default()
    }

    /// Whether the one at that place is ready; false if there is none.
    pub fn has(&self, place: usize) -> bool {
        self.0.get(place).is_some_and(is_ready)
    }

    /// Whether the one at that place has bytes, or an end that reads as such, and not only an other
    /// end that has gone.
    pub fn has_input(&self, place: usize) -> bool {
        self.0.get(place).is_some_and(|fd| fd.revents().contains(PollFlags::IN))
    }
}

fn is_ready(fd: &PollFd<'_>) -> bool {
    !fd.revents().is_empty()
}

/// Polls until one is ready (true) or the deadline has passed (false).
fn poll_until(fds: &mut [PollFd<'_>], deadline: Option<Instant>) -> io::Result<bool> {
    loop {
        let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        // What no `Timespec` can hold is no deadline that anyone will see.
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        #[expect(clippy::disallowed_methods, reason = "this is the one place")]
        let polled = poll(fds, timeout.as_ref());
        match polled {
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::fd::{AsFd, BorrowedFd};
    use std::os::unix::net::UnixStream;
    use std::time::{Duration, Instant};

    use super::{CancelMode, Waiter, Woken};
    use crate::cancel::fixture::after_a_cancel;

    /// Later than any test runs.
    fn late() -> Instant {
        Instant::now() + Duration::from_secs(600)
    }

    /// The first that is ready; panics if it is something else that woke us.
    fn first(waiter: &mut Waiter<'_>) -> usize {
        match waiter.wait().unwrap() {
            Woken::Ready(ready) => ready.first(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_first_descriptor_that_is_ready_wakes() {
        let pairs = [0, 1].map(|_| UnixStream::pair().unwrap());
        let fds = [pairs[0].0.as_fd(), pairs[1].0.as_fd()];
        let mut waiter = Waiter::new(CancelMode::Honour).all_readable(fds).until(late());
        (&pairs[1].1).write_all(b"x").unwrap();
        assert_eq!(first(&mut waiter), 1);
        (&pairs[0].1).write_all(b"x").unwrap();
        assert_eq!(first(&mut waiter), 0);
        (&pairs[0].0).read_exact(&mut [0]).unwrap();
        assert_eq!(first(&mut waiter), 1, "the same waiter sees what has changed");
        let Woken::Ready(ready) = waiter.wait().unwrap() else { panic!() };
        assert_eq!([0, 1, 2].map(|place| ready.has(place)), [false, true, false]);
    }

    #[test]
    fn the_deadline_wakes_and_one_in_the_past_asks_what_is_ready() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let began = Instant::now();
        let soon = began + Duration::from_millis(20);
        let mut waiter = Waiter::new(CancelMode::Honour).readable(&ours).until(soon);
        assert!(matches!(waiter.wait().unwrap(), Woken::TimedOut));
        assert!(began.elapsed() >= Duration::from_millis(20));
        (&theirs).write_all(b"x").unwrap();
        assert!(matches!(waiter.wait().unwrap(), Woken::Ready(_)));
    }

    #[test]
    fn a_cancel_wakes_unless_it_is_ignored() {
        let test = "wait::tests::a_cancel_wakes_unless_it_is_ignored";
        after_a_cancel(test, || {
            let (ours, theirs) = UnixStream::pair().unwrap();
            (&theirs).write_all(b"x").unwrap();
            let wait = |mode| Waiter::new(mode).readable(&ours).until(late());
            assert!(matches!(wait(CancelMode::Honour).wait().unwrap(), Woken::Cancelled));
            assert_eq!(first(&mut wait(CancelMode::Ignore)), 0);
        });
    }

    #[test]
    fn writers_and_hang_ups_are_told_from_readers() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let now = Instant::now();
        let hung_up = |fd| Waiter::new(CancelMode::Ignore).hung_up(fd).until(now);
        (&theirs).write_all(b"x").unwrap();
        assert!(matches!(hung_up(&ours).wait().unwrap(), Woken::TimedOut), "that is only input");
        assert_eq!(first(&mut Waiter::new(CancelMode::Ignore).writable(&ours).until(now)), 0);
        drop(theirs);
        let mut waiter = hung_up(&ours);
        let Woken::Ready(ready) = waiter.wait().unwrap() else { panic!() };
        assert!(ready.has(0) && !ready.has_input(0));
    }

    #[test]
    #[allow(unsafe_code)]
    fn a_descriptor_that_is_not_open_is_an_error() {
        // SAFETY: nothing but a wait is done with it, which has to say that it is not open.
        let closed = unsafe { BorrowedFd::borrow_raw(1_000_000) };
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let mut waiter = Waiter::new(CancelMode::Honour).readable(&ours).readable(&closed);
        let error = waiter.wait().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EBADF), "{error}");
    }
}
