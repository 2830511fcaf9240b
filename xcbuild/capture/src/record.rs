//! From the sources to the file: frames as they come, until a limit, the sources' end, the reader's
//! end, or the user's cancel.

use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::Frame;
use super::background::Stop;
use super::pcapng::{self, Interface};
use super::source::{Counts, Item, Source, now};
use xc_sys::cancel;
use xc_topology::address::Mac;

/// How many frames wait for a slow writer before others are dropped: some 100 MB of full ones.
const QUEUE: usize = 65_536;

/// When a recording ends by itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// After so many frames.
    pub count: Option<u64>,
    /// After so long.
    pub duration: Option<Duration>,
}

/// What was recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// How many frames are in the file.
    pub frames: u64,
    /// How many were seen and could not be written in time.
    pub dropped: u64,
    /// The names of the places that ended before the recording, with the reason if there is one.
    pub ended: Vec<(String, Option<String>)>,
}

/// Writes what the sources see. That the reader of `out` goes away is an end as good as others.
///
/// # Errors
/// When the file can't be written.
pub fn record(sources: Vec<Source>, out: &mut impl Write, limits: Limits) -> io::Result<Summary> {
    record_until(sources, out, limits, &Stop::new()?, CancelMode::End)
}

/// What a recording does when the user cancels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CancelMode {
    /// At once.
    End,
    /// It goes on: its owner ends it, when all frames that are on their way have come.
    Ignore,
}

impl CancelMode {
    fn ends_now(self) -> bool {
        self == Self::End && cancel::requested()
    }
}

/// The same, until an end is wanted.
pub(super) fn record_until(
    sources: Vec<Source>,
    out: &mut impl Write,
    limits: Limits,
    stop: &Stop,
    mode: CancelMode,
) -> io::Result<Summary> {
    let interfaces: Vec<Interface> = sources.iter().map(|s| s.interface.clone()).collect();
    let cards: Vec<Option<Mac>> = sources.iter().map(|s| s.card).collect();
    let counts: Vec<Counts> = sources.iter().map(|_| Counts::default()).collect();
    let (tell, items) = sync_channel(QUEUE);
    let cancelled = tell.clone();
    // If the queue is full there are items to come, and the cancel is seen between them.
    let stopping = move || drop(cancelled.try_send(Item::Stop));
    let _guard = (mode == CancelMode::End).then(|| cancel::on_cancel(stopping));
    thread::scope(|scope| {
        for (number, source) in sources.into_iter().enumerate() {
            let (tell, counts, stop) = (tell.clone(), &counts[number], stop.fd());
            scope.spawn(move || source.read(number, &tell, counts, stop));
        }
        drop(tell);
        let mut recorder =
            Recorder { out, cards, near: &stop.near, mode, summary: Summary::default() };
        let done = recorder.run(&items, &interfaces, &counts, limits);
        // The threads may wait for room in the queue to say that they have ended.
        drop(items);
        stop.shut();
        match done {
            Err(e) if e.kind() == ErrorKind::BrokenPipe || mode.ends_now() => {}
            done => done?,
        }
        Ok(recorder.summary)
    })
}

struct Recorder<'a, W> {
    out: &'a mut W,
    cards: Vec<Option<Mac>>,
    /// Whether the recording is about to be ended.
    near: &'a AtomicBool,
    mode: CancelMode,
    summary: Summary,
}

impl<W: Write> Recorder<'_, W> {
    fn run(
        &mut self,
        items: &Receiver<Item>,
        interfaces: &[Interface],
        counts: &[Counts],
        limits: Limits,
    ) -> io::Result<()> {
        pcapng::head(self.out, interfaces)?;
        self.out.flush()?;
        let deadline = limits.duration.map(|duration| Instant::now() + duration);
        let mut left = interfaces.len();
        while left > 0 && !self.mode.ends_now() && limits.count != Some(self.summary.frames) {
            match self.next(items, deadline)? {
                Some(Item::Frame(number, frame)) => self.write(number, &frame)?,
                Some(Item::Ended(number, reason)) => {
                    left -= 1;
                    if self.near.load(Ordering::SeqCst) {
                        continue;
                    }
                    let name = interfaces.get(number).map(|i| i.name.clone()).unwrap_or_default();
                    self.summary.ended.push((name, reason));
                }
                Some(Item::Stop) | None => break,
            }
        }
        for (number, counts) in counts.iter().enumerate() {
            let seen = counts.seen.load(Ordering::Relaxed);
            let dropped = counts.dropped.load(Ordering::Relaxed);
            self.summary.dropped += dropped;
            pcapng::statistics(self.out, number as u32, now(), seen, dropped)?;
        }
        self.out.flush()
    }

    /// The next item; `None` when the time is up. What was written is flushed before a wait, so
    /// that a live reader sees it.
    fn next(
        &mut self,
        items: &Receiver<Item>,
        deadline: Option<Instant>,
    ) -> io::Result<Option<Item>> {
        match items.try_recv() {
            Ok(item) => return Ok(Some(item)),
            Err(TryRecvError::Disconnected) => return Ok(None),
            Err(TryRecvError::Empty) => self.out.flush()?,
        }
        let Some(deadline) = deadline else { return Ok(items.recv().ok()) };
        match items.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(item) => Ok(Some(item)),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Ok(None),
        }
    }

    fn write(&mut self, number: usize, frame: &Frame) -> io::Result<()> {
        let card = self.cards.get(number).copied().flatten();
        pcapng::frame(self.out, number as u32, frame, Source::direction(card, frame))?;
        self.summary.frames += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write as _;
    use std::net::{Ipv4Addr, UdpSocket};
    use std::os::fd::OwnedFd;
    use std::time::Duration;

    use super::{Limits, record};
    use crate::pcap::{frame_head, head};
    use crate::pcapng::Interface;
    use crate::{SNAPLEN, Source};
    use xc_sys::packet::loopback_group;
    use xc_topology::address::Mac;

    fn interface(name: &str) -> Interface {
        Interface { name: name.into(), description: String::new(), snaplen: SNAPLEN }
    }

    fn pipe() -> (File, File) {
        let (read, write) = std::io::pipe().unwrap();
        (File::from(OwnedFd::from(read)), File::from(OwnedFd::from(write)))
    }

    #[test]
    fn streams_are_recorded_until_all_have_ended() {
        let sources = ["a", "b"].map(|name| {
            let (read, mut write) = pipe();
            let frame = [&[0; 6][..], &[1; 6], &[8, 0]].concat();
            let bytes = [head(96), frame_head(Duration::new(1, 2), 14, 60), frame].concat();
            write.write_all(&bytes).unwrap();
            let mut source = Source::stream(interface(name), read, true).unwrap();
            source.card = Some(Mac([if name == "a" { 1 } else { 2 }; 6]));
            source
        });
        let mut out = Vec::new();
        let summary = record(sources.into(), &mut out, Limits::default()).unwrap();
        assert_eq!((summary.frames, summary.dropped, summary.ended.len()), (2, 0, 2));
        let flags = |way: u8| out.windows(8).any(|w| w == [2, 0, 4, 0, way, 0, 0, 0]);
        assert!(flags(1) && flags(2), "one was sent, one received");
        let (read, write) = pipe();
        drop(write);
        let none = Source::stream(interface("c"), read, true).unwrap_err();
        assert_eq!(none.kind(), std::io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_group_on_loopback_is_recorded_until_the_count() {
        let free = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        let group = Ipv4Addr::new(224, 0, 0, 239);
        // Two hear the same group.
        let sources = ["a", "b"]
            .map(|name| Source::datagrams(interface(name), loopback_group(group, port).unwrap()));
        let sender = loopback_group(group, port).unwrap();
        rustix::net::sockopt::set_ip_multicast_if(&sender, &Ipv4Addr::LOCALHOST).unwrap();
        sender.send_to(&[7; 60], (group, port)).unwrap();
        let mut out = Vec::new();
        let limits = Limits { count: Some(2), duration: None };
        assert_eq!(record(sources.into(), &mut out, limits).unwrap().frames, 2);
        assert_eq!(out.windows(60).filter(|w| *w == [7; 60]).count(), 2);
    }

    #[test]
    fn time_and_a_reader_that_goes_are_ends() {
        let quiet = || {
            let (read, mut write) = pipe();
            write.write_all(&head(96)).unwrap();
            (Source::stream(interface("a"), read, true).unwrap(), write)
        };
        let (source, _write) = quiet();
        let limits = Limits { count: None, duration: Some(Duration::from_millis(1)) };
        assert_eq!(record(vec![source], &mut Vec::new(), limits).unwrap().frames, 0);
        let (source, _write) = quiet();
        let (read, mut gone) = pipe();
        drop(read);
        assert_eq!(record(vec![source], &mut gone, Limits::default()).unwrap().frames, 0);
    }
}
