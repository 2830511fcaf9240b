//! The data of records in master files: types with a notation of their own, and any other as
//! `\# LENGTH HEX` (RFC 3597 section 5).

use std::net::{Ipv4Addr, Ipv6Addr};

use super::names::{name, seconds, string};
use crate::wire::{Name, is_well_formed, rtype};

/// The data of a record in wire form.
pub(crate) fn parse(rtype: u16, words: &[String], origin: &Name) -> Result<Vec<u8>, String> {
    let mut words = Words { words: words.iter(), origin };
    let mut data = Vec::new();
    if words.words.as_slice().first().is_some_and(|word| word == "\\#") {
        words.words.next();
        let data = words.unknown()?;
        return match is_well_formed(rtype, &data) {
            true => Ok(data),
            false => Err(format!("this is not data of type {}", rtype::name(rtype))),
        };
    }
    match rtype {
        rtype::A => data.extend(words.as_is::<Ipv4Addr>("an IPv4 address")?.octets()),
        rtype::AAAA => data.extend(words.as_is::<Ipv6Addr>("an IPv6 address")?.octets()),
        rtype::NS | rtype::CNAME | rtype::PTR | rtype::DNAME => data.extend(words.name()?),
        rtype::MX => {
            data.extend(words.as_is::<u16>("a preference")?.to_be_bytes());
            data.extend(words.name()?);
        }
        rtype::SRV => {
            for expected in ["a priority", "a weight", "a port"] {
                data.extend(words.as_is::<u16>(expected)?.to_be_bytes());
            }
            data.extend(words.name()?);
        }
        rtype::SOA => {
            data.extend(words.name()?);
            data.extend(words.name()?);
            data.extend(words.as_is::<u32>("a serial number")?.to_be_bytes());
            for expected in ["refresh", "retry", "expire", "minimum"] {
                let word = words.next(expected)?;
                let seconds = seconds(word).ok_or_else(|| format!("`{word}` is not a time"))?;
                data.extend(seconds.to_be_bytes());
            }
        }
        rtype::HINFO => {
            data.extend(string(words.next("a CPU")?)?);
            data.extend(string(words.next("an operating system")?)?);
        }
        rtype::TXT => {
            data.extend(string(words.next("a string")?)?);
            for word in words.words.by_ref() {
                data.extend(string(word)?);
            }
        }
        other => {
            let name = rtype::name(other);
            return Err(format!("data of type {name} is only read as \\# LENGTH HEX (RFC 3597)"));
        }
    }
    words.end()?;
    match data.len() <= usize::from(u16::MAX) {
        true => Ok(data),
        false => Err("the data is longer than 65535 bytes".to_owned()),
    }
}

struct Words<'a> {
    words: std::slice::Iter<'a, String>,
    origin: &'a Name,
}

impl<'a> Words<'a> {
    fn next(&mut self, expected: &str) -> Result<&'a str, String> {
        self.words.next().map(String::as_str).ok_or_else(|| format!("{expected} is expected"))
    }

    fn as_is<T: std::str::FromStr>(&mut self, expected: &str) -> Result<T, String> {
        let word = self.next(expected)?;
        word.parse().map_err(|_| format!("`{word}`: {expected} is expected"))
    }

    fn name(&mut self) -> Result<Vec<u8>, String> {
        Ok(name(self.next("a name")?, self.origin)?.wire().to_vec())
    }

    fn end(&mut self) -> Result<(), String> {
        self.words.next().map_or(Ok(()), |word| Err(format!("unexpected `{word}` behind the data")))
    }

    /// `LENGTH HEX...`.
    fn unknown(&mut self) -> Result<Vec<u8>, String> {
        let length = usize::from(self.as_is::<u16>("a length")?);
        let digits: String = self.words.by_ref().map(String::as_str).collect();
        let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
        let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
        let bytes = pairs.iter().map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?));
        let bytes: Option<Vec<u8>> = bytes.collect();
        let bytes = bytes.filter(|bytes| rest.is_empty() && bytes.len() == length);
        bytes.ok_or_else(|| format!("`{digits}` is not {length} bytes in hexadecimal"))
    }
}
