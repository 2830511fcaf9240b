//! One question to one server: by UDP, and by TCP when the answer doesn't fit.
//!
//! Each question has a socket of its own, so a random port beside the random id (RFC 5452), and
//! connected, so that the kernel drops what others send, and reports a port where nobody listens
//! at once instead of by silence.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use crate::wire::{Answer, HEADER, Mark, Query, TtlLimits, rcode};

/// Room for a datagram. We say that we take 1232 bytes, but some servers don't listen.
const DATAGRAM: usize = 4096;

/// Asks `server`. Waits for ever: the caller sets the time. `marks` go along in EDNS.
pub(crate) async fn ask(
    server: SocketAddr,
    query: &Query,
    marks: &[Mark],
    limits: TtlLimits,
) -> io::Result<Answer> {
    let answer = ask_udp(server, query, Some(marks), limits).await?;
    // A server from before EDNS says FORMERR or NOTIMP to it (RFC 6891 section 7).
    let answer = match answer.rcode() {
        rcode::FORMERR | rcode::NOTIMP => ask_udp(server, query, None, limits).await?,
        _ => answer,
    };
    if answer.is_truncated() { ask_tcp(server, query, marks, limits).await } else { Ok(answer) }
}

async fn ask_udp(
    server: SocketAddr,
    query: &Query,
    marks: Option<&[Mark]>,
    limits: TtlLimits,
) -> io::Result<Answer> {
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(server).await?;
    let id = random_id()?;
    socket.send(&query.upstream_message(id, marks)).await?;
    let mut buffer = vec![0; DATAGRAM];
    loop {
        let length = socket.recv(&mut buffer).await?;
        // What isn't the answer may be forged: go on waiting for the real one.
        if let Some(answer) = check(&buffer[..length], id, query, limits) {
            return Ok(answer);
        }
    }
}

async fn ask_tcp(
    server: SocketAddr,
    query: &Query,
    marks: &[Mark],
    limits: TtlLimits,
) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(server).await?;
    let id = random_id()?;
    let question = query.upstream_message(id, Some(marks));
    let length = (question.len() as u16).to_be_bytes();
    stream.write_all(&[&length, question.as_slice()].concat()).await?;
    let length = stream.read_u16().await?;
    let mut message = vec![0; usize::from(length)];
    stream.read_exact(&mut message).await?;
    check(&message, id, query, limits)
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
