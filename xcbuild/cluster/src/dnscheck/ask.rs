//! One question to a DNS server, by UDP or TCP; of the answer, only the code counts.
//!
//! Reference: RFC 1035, section 4.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(3);

/// The id of our questions; any will do, since nobody else knows our port.
const ID: u16 = 0x7863;
/// Recursion desired; this is an answer.
const RECURSION: u16 = 0x0100;
const ANSWER: u16 = 0x8000;
/// Types A and NS, class IN.
const A: u16 = 1;
const NS: u16 = 2;
const IN: u16 = 1;

/// The codes of answers that tell of a server that works: NOERROR, NXDOMAIN.
const GOOD: [u16; 2] = [0, 3];

/// How a question is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Udp,
    Tcp,
}

/// Asks a server for a name; for the root, `.`, which every server knows who serves it.
///
/// # Errors
/// What is wrong, as a sentence.
pub(super) fn ask(server: SocketAddr, name: &str, by: By) -> Result<(), String> {
    let question = question(name).ok_or_else(|| format!("`{name}` is no name"))?;
    let answer = match by {
        By::Udp => udp(server, &question),
        By::Tcp => tcp(server, &question),
    };
    let answer = answer.map_err(|e| match e.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => {
            format!("no answer within {} s", LIMIT.as_secs())
        }
        ErrorKind::ConnectionRefused => "nobody listens there".into(),
        _ => e.to_string(),
    })?;
    judge(&answer)
}

fn judge(answer: &[u8]) -> Result<(), String> {
    let number = |at: usize| Some(u16::from_be_bytes([*answer.get(at)?, *answer.get(at + 1)?]));
    match (number(0), number(2)) {
        (Some(ID), Some(flags)) if flags & ANSWER != 0 => match flags & 0xf {
            code if GOOD.contains(&code) => Ok(()),
            2 => Err("it says SERVFAIL: it has no server that answers".into()),
            5 => Err("it says REFUSED: it does not serve us".into()),
            code => Err(format!("it answers with error {code}")),
        },
        _ => Err("what answers there is no DNS server".into()),
    }
}

fn question(name: &str) -> Option<Vec<u8>> {
    let mut bytes: Vec<u8> =
        [ID, RECURSION, 1, 0, 0, 0].iter().flat_map(|n| n.to_be_bytes()).collect();
    for label in name.trim_end_matches('.').split('.').filter(|_| name != ".") {
        bytes.push(u8::try_from(label.len()).ok().filter(|n| (1..64).contains(n))?);
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    let kind = if name == "." { NS } else { A };
    bytes.extend([kind, IN].iter().flat_map(|n| n.to_be_bytes()));
    Some(bytes)
}

fn udp(server: SocketAddr, question: &[u8]) -> io::Result<Vec<u8>> {
    let any = if server.is_ipv4() {
        IpAddr::from(Ipv4Addr::UNSPECIFIED)
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.set_read_timeout(Some(LIMIT))?;
    socket.connect(server)?;
    socket.send(question)?;
    let mut answer = vec![0; 4096];
    let length = socket.recv(&mut answer)?;
    answer.truncate(length);
    Ok(answer)
}

fn tcp(server: SocketAddr, question: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&server, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    let length = u16::try_from(question.len()).unwrap_or(u16::MAX);
    stream.write_all(&[&length.to_be_bytes(), question].concat())?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::{judge, question};

    #[test]
    fn questions_and_answers_are_as_in_the_rfc() {
        let asked = question("a.bc").unwrap();
        assert_eq!(asked[12..], [1, b'a', 2, b'b', b'c', 0, 0, 1, 0, 1]);
        assert_eq!(question(".").unwrap()[12..], [0, 0, 2, 0, 1]);
        assert_eq!((question("a..b"), question(&"x".repeat(64))), (None, None));
        let answer = |code: u8| judge(&[0x78, 0x63, 0x81, 0x80 | code]);
        assert_eq!((answer(0), answer(3)), (Ok(()), Ok(())));
        assert!(answer(2).unwrap_err().contains("SERVFAIL"));
        assert!(judge(b"220 mail").unwrap_err().contains("no DNS server"));
        assert!(judge(&asked).is_err(), "a question is no answer");
    }
}
