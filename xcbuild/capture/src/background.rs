//! A recording in the background, and the request that it ends.

use std::io::{self, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use super::Source;
use super::record::{CancelMode, Limits, Summary, record_until};

/// A recording that goes on in the background until it is ended; that the user cancels does not end it.
#[derive(Debug)]
pub struct Background {
    stop: Arc<Stop>,
    thread: JoinHandle<io::Result<Summary>>,
}

impl Background {
    /// Starts it.
    ///
    /// # Errors
    /// When the kernel has no room for it.
    pub fn start(sources: Vec<Source>, mut out: impl Write + Send + 'static) -> io::Result<Self> {
        let stop = Arc::new(Stop::new()?);
        let until = Arc::clone(&stop);
        let run =
            move || record_until(sources, &mut out, Limits::default(), &until, CancelMode::Ignore);
        let thread = thread::Builder::new().name("recording".into()).spawn(run)?;
        Ok(Self { stop, thread })
    }

    /// From now on the end of a source is not reported.
    pub fn ends_soon(&self) {
        self.stop.near.store(true, Ordering::SeqCst);
    }

    /// Ends it; what the sources have seen until now is in the file, then.
    ///
    /// # Errors
    /// When the file could not be written.
    pub fn end(self) -> io::Result<Summary> {
        self.ends_soon();
        self.stop.shut();
        let lost = |_| Err(io::Error::other("the thread that recorded has panicked"));
        self.thread.join().unwrap_or_else(lost)
    }
}

/// The request that a recording ends.
#[derive(Debug)]
pub(super) struct Stop {
    /// Whether that is soon.
    pub near: AtomicBool,
    /// What is read until this polls readable, by its end.
    read: UnixStream,
    shut: UnixStream,
}

impl Stop {
    /// One that is not there yet.
    ///
    /// # Errors
    /// When the kernel refuses the pair.
    pub(crate) fn new() -> io::Result<Self> {
        let (read, shut) = UnixStream::pair()?;
        Ok(Self { near: AtomicBool::new(false), read, shut })
    }

    /// What polls readable once it is.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.read.as_fd()
    }

    /// Now it is.
    pub(crate) fn shut(&self) {
        // That can not fail for a pair that is open.
        let _ = self.shut.shutdown(Shutdown::Both);
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write as _;
    use std::net::{Ipv4Addr, UdpSocket};
    use std::os::fd::OwnedFd;
    use std::time::Duration;

    use super::Background;
    use crate::pcap::{frame_head, head};
    use crate::pcapng::Interface;
    use crate::{SNAPLEN, Source};
    use xc_sys::cancel::fixture::after_a_cancel;
    use xc_sys::packet::loopback_group;

    fn interface(name: &str) -> Interface {
        Interface { name: name.into(), description: String::new(), snaplen: SNAPLEN }
    }

    #[test]
    fn what_was_seen_before_the_end_is_recorded() {
        a_hundred_frames_at_each_place();
        after_a_cancel(
            "background::tests::what_was_seen_before_the_end_is_recorded",
            a_hundred_frames_at_each_place,
        );
    }

    /// Nobody waits between the last frame and the end.
    fn a_hundred_frames_at_each_place() {
        let free = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (group, port) = (Ipv4Addr::new(224, 0, 0, 239), free.local_addr().unwrap().port());
        let heard = loopback_group(group, port).unwrap();
        let (read, write) = std::io::pipe().unwrap();
        let [read, mut write] = [read.into(), write.into()].map(|end: OwnedFd| File::from(end));
        write.write_all(&head(96)).unwrap();
        let sources = vec![
            Source::stream(interface("a"), read, true).unwrap(),
            Source::datagrams(interface("b"), heard),
        ];
        let sender = loopback_group(group, port).unwrap();
        rustix::net::sockopt::set_ip_multicast_if(&sender, &Ipv4Addr::LOCALHOST).unwrap();
        let recording = Background::start(sources, std::io::sink()).unwrap();
        for _ in 0..100 {
            sender.send_to(&[7; 60], (group, port)).unwrap();
            // The kernel gives a frame to all who hear the group in one go, to the sender as well.
            sender.recv(&mut [0; 60]).unwrap();
            let frame = [&[0; 6][..], &[1; 6], &[8, 0]].concat();
            let bytes = [frame_head(Duration::new(1, 2), 14, 60), frame].concat();
            write.write_all(&bytes).unwrap();
        }
        let summary = recording.end().unwrap();
        assert_eq!((summary.frames, summary.dropped, summary.ended), (200, 0, vec![]));
    }
}
