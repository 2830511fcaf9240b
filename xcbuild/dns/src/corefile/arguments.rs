//! What directives and their options are given, taken word by word.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::key;
use super::lexer::Word;
use crate::place::{ParseError, Place};
use crate::wire::Name;

/// The words of a directive or of one of its options, its name first.
#[derive(Debug)]
pub(crate) struct Arguments<'a> {
    /// What the words belong to, for errors.
    pub(crate) what: String,
    pub(crate) place: &'a Place,
    words: std::slice::Iter<'a, Word>,
}

impl<'a> Arguments<'a> {
    /// The words behind `name`.
    pub(crate) fn new(what: String, place: &'a Place, words: &'a [Word]) -> Self {
        Self { what, place, words: words.iter() }
    }

    /// An error about these words.
    pub(crate) fn error(&self, message: &str) -> ParseError {
        self.place.error(format!("{}: {message}", self.what))
    }

    /// The next word.
    pub(crate) fn next(&mut self) -> Option<&'a str> {
        self.words.next().map(|word| word.text.as_str())
    }

    /// The next word, without taking it.
    pub(crate) fn peek(&self) -> Option<&'a str> {
        self.words.as_slice().first().map(|word| word.text.as_str())
    }

    /// The next word, which has to be there.
    pub(crate) fn need(&mut self, expected: &str) -> Result<&'a str, ParseError> {
        self.next().ok_or_else(|| self.error(&format!("{expected} is expected")))
    }

    /// All words that are left, one at least.
    pub(crate) fn need_some(&mut self, expected: &str) -> Result<Vec<&'a str>, ParseError> {
        let words: Vec<_> = std::iter::from_fn(|| self.next()).collect();
        if words.is_empty() {
            Err(self.error(&format!("{expected} is expected")))
        } else {
            Ok(words)
        }
    }

    /// Nothing may be left.
    pub(crate) fn end(&mut self) -> Result<(), ParseError> {
        match self.next() {
            Some(word) => Err(self.error(&format!("unexpected argument `{word}`"))),
            None => Ok(()),
        }
    }

    /// A word as a number, a length of time and the like: `parse` says what was expected.
    pub(crate) fn need_as<T>(
        &mut self,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, ParseError> {
        let word = self.need(expected)?;
        parse(word).ok_or_else(|| self.error(&format!("`{word}`: {expected} is expected")))
    }

    /// The words left as zones; names and networks.
    pub(crate) fn zones(&mut self) -> Result<Vec<Name>, ParseError> {
        let mut zones = Vec::new();
        while let Some(word) = self.next() {
            zones.extend(key::zones(word).map_err(|why| self.error(&why))?);
        }
        Ok(zones)
    }
}

/// A number of seconds, or a length of time as Go writes it: `300ms`, `1.5h`, `2h45m`.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let (mut total, mut rest) = (Duration::ZERO, text);
    while !rest.is_empty() {
        let unit = rest.find(|char: char| !char.is_ascii_digit() && char != '.')?;
        let (number, after) = rest.split_at(unit);
        let end = after.find(|char: char| char.is_ascii_digit()).unwrap_or(after.len());
        let (unit, next) = after.split_at(end);
        let unit = match unit {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        let part = Duration::try_from_secs_f64(number.parse::<f64>().ok()? * unit).ok()?;
        total = total.checked_add(part)?;
        rest = next;
    }
    (!text.is_empty()).then_some(total)
}

/// `HOST:PORT` to listen on: an address, `localhost`, or nothing for all addresses.
pub(crate) fn listen_address(text: &str) -> Option<SocketAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let (host, port) = text.rsplit_once(':')?;
    let host: IpAddr = match host {
        "" => Ipv4Addr::UNSPECIFIED.into(),
        "localhost" => Ipv4Addr::LOCALHOST.into(),
        _ => return None,
    };
    Some(SocketAddr::new(host, port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_as_in_go() {
        for (text, expected) in [
            ("30", Some(30_000)),
            ("0", Some(0)),
            ("300ms", Some(300)),
            ("1.5h", Some(5_400_000)),
            ("2h45m", Some(9_900_000)),
            ("10s", Some(10_000)),
            ("", None),
            ("s", None),
            ("5x", None),
            ("5s3", None),
            ("-5s", None),
            ("1e9h", None),
            ("99999999999999999999h", None),
        ] {
            assert_eq!(duration(text), expected.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn addresses_to_listen_on() {
        for (text, expected) in [
            (":8080", Some("0.0.0.0:8080")),
            ("localhost:9153", Some("127.0.0.1:9153")),
            ("127.0.0.9:80", Some("127.0.0.9:80")),
            ("[::1]:80", Some("[::1]:80")),
            ("8080", None),
            ("host:80", None),
            (":x", None),
        ] {
            assert_eq!(listen_address(text), expected.map(|text| text.parse().unwrap()), "{text}");
        }
    }
}
