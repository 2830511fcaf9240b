//! Where frames are seen, and the thread that reads them there.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::net::UdpSocket;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::Frame;
use super::pcap::Stream;
use super::pcapng::{Direction, Interface};
use xc_sys::wait::{CancelMode, Waiter, Woken};
use xc_topology::address::Mac;

/// How long a place is still read that goes on and on after the recording's end.
pub const LAST_WORDS: Duration = Duration::from_secs(1);

/// How many bytes are read at once.
const PIECE: usize = 1 << 16;

/// A place where frames are seen.
#[derive(Debug)]
pub struct Source {
    /// How the file describes it.
    pub interface: Interface,
    /// The address of the card, where it is one's: what comes from it was sent, the rest received.
    pub(super) card: Option<Mac>,
    from: From,
}

#[derive(Debug)]
enum From {
    /// A pcap stream. Whether its times are right: else the time of arrival is taken.
    Stream { reader: File, stream: Stream, early: Vec<Frame>, timed: bool },
    /// A datagram is a frame.
    Datagrams(UdpSocket),
}

/// What a thread tells.
#[derive(Debug)]
pub(super) enum Item {
    /// A frame at the place of that number.
    Frame(usize, Frame),
    /// There will be no more at the place of that number, if for a reason then this.
    Ended(usize, Option<String>),
    /// The user wants an end.
    Stop,
}

/// How many frames a place has seen, and how many of them did not find room in the queue.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub seen: AtomicU64,
    pub dropped: AtomicU64,
}

impl Source {
    /// A pcap stream; returns when its head has come.
    ///
    /// # Errors
    /// `UnexpectedEof` when it ends before, `InvalidData` when it is not one.
    pub fn stream(interface: Interface, mut reader: File, timed: bool) -> io::Result<Self> {
        let mut stream = Stream::default();
        let mut early = Vec::new();
        while !stream.has_begun() {
            let mut piece = [0; PIECE];
            let got = reader.read(&mut piece)?;
            if got == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            early.extend(stream.take(&piece[..got]).map_err(invalid)?);
        }
        Ok(Self { interface, card: None, from: From::Stream { reader, stream, early, timed } })
    }

    /// A socket whose datagrams are frames.
    pub fn datagrams(interface: Interface, socket: UdpSocket) -> Self {
        Self { interface, card: None, from: From::Datagrams(socket) }
    }

    /// The same, where all frames are a card's.
    #[must_use]
    pub fn of_card(self, card: Option<Mac>) -> Self {
        Self { card, ..self }
    }

    /// Which way a frame went.
    pub(super) fn direction(card: Option<Mac>, frame: &Frame) -> Direction {
        match (card, frame.bytes.get(6..12)) {
            (Some(card), Some(sender)) if sender == card.0 => Direction::Out,
            (Some(_), Some(_)) => Direction::In,
            _ => Direction::Unknown,
        }
    }

    /// Reads until the stream ends, or `stop` is shut and all that was there by then is read, and
    /// tells of each frame; never waits for the receiver.
    pub(super) fn read(
        self,
        number: usize,
        tell: &SyncSender<Item>,
        counts: &Counts,
        stop: BorrowedFd<'_>,
    ) {
        let snaplen = self.interface.snaplen as usize;
        let push = |mut frame: Frame| {
            frame.bytes.truncate(snaplen);
            counts.seen.fetch_add(1, Ordering::Relaxed);
            if let Err(TrySendError::Full(_)) = tell.try_send(Item::Frame(number, frame)) {
                counts.dropped.fetch_add(1, Ordering::Relaxed);
            }
        };
        let ended = match self.from {
            From::Stream { reader, stream, early, timed } => {
                early.into_iter().for_each(|frame| push(timed_frame(frame, timed)));
                read_stream(reader, stream, timed, stop, &push)
            }
            From::Datagrams(socket) => read_datagrams(&socket, stop, &push),
        };
        // At the end of the recording there is no receiver any more.
        let _ = tell.send(Item::Ended(number, ended.err().map(|e| e.to_string())));
    }
}

fn read_stream(
    mut reader: File,
    mut stream: Stream,
    timed: bool,
    stop: BorrowedFd<'_>,
    push: &dyn Fn(Frame),
) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    let mut last = None;
    while wait(reader.as_fd(), stop, &mut last)? {
        let got = match reader.read(&mut piece) {
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            got => got?,
        };
        if got == 0 {
            return Ok(());
        }
        let frames = stream.take(&piece[..got]).map_err(invalid)?;
        frames.into_iter().for_each(|frame| push(timed_frame(frame, timed)));
    }
    Ok(())
}

fn read_datagrams(
    socket: &UdpSocket,
    stop: BorrowedFd<'_>,
    push: &dyn Fn(Frame),
) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    let mut last = None;
    while wait(socket.as_fd(), stop, &mut last)? {
        let got = socket.recv(&mut piece)?;
        let length = u32::try_from(got).unwrap_or(u32::MAX);
        push(Frame { when: now(), length, bytes: piece[..got].into() });
    }
    Ok(())
}

/// Waits until there is something to read, or its end; false when `stop` was shut and there is
/// nothing, or the time for what there was is over, which is kept in `last`.
fn wait(
    reader: BorrowedFd<'_>,
    stop: BorrowedFd<'_>,
    last: &mut Option<Instant>,
) -> io::Result<bool> {
    // That the user cancels is for whoever records: it shuts `stop`.
    let mut waiter = Waiter::new(CancelMode::Ignore).readable(&reader).readable(&stop);
    let Woken::Ready(ready) = waiter.wait()? else { return Ok(false) };
    if !ready.has(1) {
        return Ok(true);
    }
    let last = *last.get_or_insert_with(|| Instant::now() + LAST_WORDS);
    Ok(ready.has(0) && Instant::now() < last)
}

fn timed_frame(frame: Frame, timed: bool) -> Frame {
    if timed { frame } else { Frame { when: now(), ..frame } }
}

/// The time since 1970.
pub(super) fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn invalid(problem: String) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, problem)
}
