//! The line between us and what we started: the listener's descriptor at the beginning, how it ended
//! at the end.
//!
//! A pair of `SOCK_SEQPACKET` sockets, so that messages stay whole. The sending side runs between
//! fork and exec: it allocates nothing.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};

/// A message: what it is and two numbers.
const LENGTH: usize = 12;

/// What is said on the line.
#[derive(Debug)]
pub(super) enum Message {
    /// The filter is on; the process that reaps, and the descriptor that receives the stopped calls.
    Listening { reaper: i32, listener: OwnedFd },
    /// The filter could not be put on: the error's number.
    Refused { errno: i32 },
    /// The program and all that it started are gone.
    Ended {
        /// As of waitpid(2).
        status: i32,
        /// Whether its time was up.
        timed_out: bool,
    },
}

/// Both ends: ours, and that of what is started.
pub(super) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

fn send(line: BorrowedFd<'_>, words: [i32; 3], fd: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let mut bytes = [0; LENGTH];
    for (place, word) in bytes.chunks_exact_mut(4).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fds = fd.as_slice();
    if !fds.is_empty() {
        control.push(SendAncillaryMessage::ScmRights(fds));
    }
    sendmsg(line, &[IoSlice::new(&bytes)], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Says that the filter is on.
pub(super) fn listening(line: BorrowedFd<'_>, reaper: i32, fd: BorrowedFd<'_>) -> io::Result<()> {
    send(line, [1, reaper, 0], Some(fd))
}

/// Says that there is no filter.
pub(super) fn refused(line: BorrowedFd<'_>, errno: i32) -> io::Result<()> {
    send(line, [2, errno, 0], None)
}

/// Says how it ended.
pub(super) fn ended(line: BorrowedFd<'_>, status: i32, timed_out: bool) -> io::Result<()> {
    send(line, [3, status, i32::from(timed_out)], None)
}

/// The next message; `None` when all senders are gone.
pub(super) fn receive(line: &OwnedFd) -> io::Result<Option<Message>> {
    let mut bytes = [0; LENGTH];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let got = loop {
        let mut parts = [IoSliceMut::new(&mut bytes)];
        match recvmsg(line.as_fd(), &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => {}
            done => break done?.bytes,
        }
    };
    if got != LENGTH {
        return Ok(None);
    }
    let listener = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    let word =
        |at: usize| i32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    Ok(match (word(0), listener) {
        (1, Some(listener)) => Some(Message::Listening { reaper: word(4), listener }),
        (2, _) => Some(Message::Refused { errno: word(4) }),
        (3, _) => Some(Message::Ended { status: word(4), timed_out: word(8) != 0 }),
        _ => None,
    })
}
