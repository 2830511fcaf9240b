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
/// Types A, NS and TXT, class IN.
const A: u16 = 1;
const NS: u16 = 2;
const TXT: u16 = 16;
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
    let kind = if name == "." { NS } else { A };
    let question = question(name, kind).ok_or_else(|| format!("`{name}` is not a name"))?;
    let answer = match by {
        By::Udp => udp(server, &question),
        By::Tcp => tcp(server, &question),
    };
    judge(&answer.map_err(failure)?)
}

/// The strings of a name's TXT records.
///
/// # Errors
/// What is wrong, as a sentence; also when there are none.
pub(super) fn texts(server: SocketAddr, name: &str) -> Result<Vec<String>, String> {
    let question = question(name, TXT).ok_or_else(|| format!("`{name}` is not a name"))?;
    let answer = udp(server, &question).map_err(failure)?;
    judge(&answer)?;
    strings(&answer, question.len()).filter(|texts| !texts.is_empty()).ok_or("no answer".into())
}

fn failure(error: io::Error) -> String {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => {
            format!("no answer within {} s", LIMIT.as_secs())
        }
        ErrorKind::ConnectionRefused => "nobody listens there".into(),
        _ => error.to_string(),
    }
}

/// The first strings of the answer's TXT records, which start after the question. Their names are
/// pointers to it, as our own server writes them.
fn strings(answer: &[u8], question: usize) -> Option<Vec<String>> {
    let number =
        |at: usize| Some(usize::from(u16::from_be_bytes([*answer.get(at)?, *answer.get(at + 1)?])));
    let (mut at, mut texts) = (question, Vec::new());
    for _ in 0..number(6)? {
        let (kind, length) = (number(at + 2)?, number(at + 10)?);
        let data = answer.get(at + 12..at + 12 + length)?;
        if let (true, Some((&length, text))) = (kind == usize::from(TXT), data.split_first()) {
            texts.push(String::from_utf8_lossy(text.get(..length.into())?).into_owned());
        }
        at += 12 + length;
    }
    Some(texts)
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

fn question(name: &str, kind: u16) -> Option<Vec<u8>> {
    let mut bytes: Vec<u8> =
        [ID, RECURSION, 1, 0, 0, 0].iter().flat_map(|n| n.to_be_bytes()).collect();
    for label in name.trim_end_matches('.').split('.').filter(|_| name != ".") {
        bytes.push(u8::try_from(label.len()).ok().filter(|n| (1..64).contains(n))?);
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
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
    use super::{A, NS, TXT, judge, question, strings};

    #[test]
    fn questions_and_answers_are_as_in_the_rfc() {
        let asked = question("a.bc", A).unwrap();
        assert_eq!(asked[12..], [1, b'a', 2, b'b', b'c', 0, 0, 1, 0, 1]);
        assert_eq!(question(".", NS).unwrap()[12..], [0, 0, 2, 0, 1]);
        assert_eq!((question("a..b", A), question(&"x".repeat(64), A)), (None, None));
        let answer = |code: u8| judge(&[0x78, 0x63, 0x81, 0x80 | code]);
        assert_eq!((answer(0), answer(3)), (Ok(()), Ok(())));
        assert!(answer(2).unwrap_err().contains("SERVFAIL"));
        assert!(judge(b"220 mail").unwrap_err().contains("no DNS server"));
        assert!(judge(&asked).is_err(), "a question is no answer");
    }

    #[test]
    fn strings_of_an_answer_are_read_and_lies_are_not() {
        let mut answer = question("a", TXT).unwrap();
        let start = answer.len();
        answer[7] = 2;
        for text in ["one two", ""] {
            answer.extend([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 0, 0, text.len() as u8 + 1]);
            answer.push(text.len() as u8);
            answer.extend(text.as_bytes());
        }
        assert_eq!(strings(&answer, start).unwrap(), ["one two", ""]);
        for length in start..answer.len() {
            assert_eq!(strings(&answer[..length], start), None, "cut at {length}");
        }
        answer[start + 12] = 200;
        assert_eq!(strings(&answer, start), None, "a string longer than its record");
    }
}
