//! One question to one server: by UDP, and by TCP when the answer doesn't fit.
//!
//! Each question has a socket of its own, so a random port beside the random id (RFC 5452), and
//! connected, so that the kernel drops what others send, and reports a port where nobody listens
//! at once instead of by silence.
//!
//! Some servers, and firewalls before them, drop queries with EDNS without a word. So after a while
//! the same query goes out once without; who answers only that is remembered by the caller.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, sleep_until};

use crate::wire::{Answer, HEADER, Mark, Query, TtlLimits, rcode};

/// Room for a datagram. We say that we take 1232 bytes, but some servers don't listen.
const DATAGRAM: usize = 4096;

/// What a server did with EDNS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EdnsUse {
    /// It answered, with or without an OPT record of its own.
    Fine,
    /// It was silent, and answered only the same query without EDNS.
    Dropped,
    /// It answered FORMERR or NOTIMP, and something better to the same query without EDNS.
    Refused,
}

/// An answer, and how the server came to it.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) answer: Answer,
    pub(crate) edns: EdnsUse,
}

/// How a server is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner<'a> {
    /// Numbers that go along in EDNS; `None` asks without EDNS.
    pub(crate) marks: Option<&'a [Mark]>,
    /// After so long without an answer, once without EDNS.
    pub(crate) plain_after: Duration,
    /// Not by UDP at all.
    pub(crate) force_tcp: bool,
    pub(crate) limits: TtlLimits,
}

/// Asks `server`. Waits for ever: the caller sets the time.
pub(crate) async fn ask(
    server: SocketAddr,
    query: &Query,
    manner: Manner<'_>,
) -> io::Result<Reply> {
    if manner.force_tcp {
        let answer = ask_tcp(server, query, manner).await?;
        return Ok(Reply { answer, edns: EdnsUse::Fine });
    }
    let mut reply = ask_udp(server, query, manner).await?;
    // A server from before EDNS says FORMERR or NOTIMP to it (RFC 6891 section 7).
    let refuses = |answer: &Answer| matches!(answer.rcode(), rcode::FORMERR | rcode::NOTIMP);
    if manner.marks.is_some() && refuses(&reply.answer) {
        reply = ask_udp(server, query, Manner { marks: None, ..manner }).await?;
        if !refuses(&reply.answer) {
            reply.edns = EdnsUse::Refused;
        }
    }
    if reply.answer.is_truncated() {
        let marks = manner.marks.filter(|_| reply.edns == EdnsUse::Fine);
        reply.answer = ask_tcp(server, query, Manner { marks, ..manner }).await?;
    }
    Ok(reply)
}

async fn ask_udp(server: SocketAddr, query: &Query, manner: Manner<'_>) -> io::Result<Reply> {
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(server).await?;
    let id = random_id()?;
    socket.send(&query.upstream_message(id, manner.marks)).await?;
    // With the same id on the same socket: whichever is answered first will do.
    let mut without_edns = manner.marks.map(|_| query.upstream_message(id, None));
    let plain_time = Instant::now() + manner.plain_after;
    let mut buffer = vec![0; DATAGRAM];
    loop {
        let length = tokio::select! {
            length = socket.recv(&mut buffer) => length?,
            () = sleep_until(plain_time), if without_edns.is_some() => {
                if let Some(message) = without_edns.take() {
                    socket.send(&message).await?;
                }
                continue;
            }
        };
        // What isn't the answer may be forged: go on waiting for the real one.
        if let Some(answer) = check(&buffer[..length], id, query, manner.limits) {
            // An OPT record is only in answers to those who sent one.
            let dropped = manner.marks.is_some() && without_edns.is_none() && !answer.has_opt();
            let edns = if dropped { EdnsUse::Dropped } else { EdnsUse::Fine };
            return Ok(Reply { answer, edns });
        }
    }
}

async fn ask_tcp(server: SocketAddr, query: &Query, manner: Manner<'_>) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(server).await?;
    let id = random_id()?;
    let question = query.upstream_message(id, manner.marks);
    let length = (question.len() as u16).to_be_bytes();
    stream.write_all(&[&length, question.as_slice()].concat()).await?;
    let length = stream.read_u16().await?;
    let mut message = vec![0; usize::from(length)];
    stream.read_exact(&mut message).await?;
    check(&message, id, query, manner.limits)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not an answer to the question"))
}

/// The answer, if `message` is one to this question.
fn check(message: &[u8], id: u16, query: &Query, limits: TtlLimits) -> Option<Answer> {
    let (&[id_high, id_low, flags_high, flags_low], _) = message.split_first_chunk()?;
    let is_response = flags_high & 0x80 != 0;
    if u16::from_be_bytes([id_high, id_low]) != id || !is_response {
        return None;
    }
    let code = u16::from(flags_low & 0xf);
    // Some servers send errors without the question.
    if message.len() == HEADER && !matches!(code, rcode::NOERROR | rcode::NXDOMAIN) {
        return Some(Answer::error(query, code));
    }
    Answer::parse(message.to_vec(), query, limits).ok()
}

fn random_id() -> io::Result<u16> {
    random().map(u16::from_ne_bytes)
}

/// Not guessable once the kernel has entropy, and never waits for it: a node without any must come
/// up too, and there is nobody in its network yet who could guess.
pub(crate) fn random<const LENGTH: usize>() -> io::Result<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::INSECURE)?;
    Ok(bytes)
}
