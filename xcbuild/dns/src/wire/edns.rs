//! The OPT record (RFC 6891), which is between neighbours: never handed on, always our own.
//!
//! Ours carries marks to neighbours that may be proxies like us: the numbers of the servers that
//! a query came through. Who finds its own in a query knows that it goes in a circle. The option's
//! code is one of those for local use; who doesn't know it ignores it. Answers to queries with marks
//! carry our generation, see [`freshness`](crate::freshness).

use super::reader::{Malformed, Reader};
use super::{UDP_PAYLOAD, rtype};
use crate::freshness::Generation;

/// Bytes of an OPT record without options.
const OPT_LENGTH: usize = 11;
/// The DO bit in the lower half of OPT's TTL field (RFC 3225).
const DNSSEC_OK: u16 = 0x8000;
/// The option that holds marks, out of the range for local use (65001 to 65534).
const MARKS: u16 = 65_313;
/// The option that holds a generation, out of the same range; only in answers to queries with marks.
const GENERATION: u16 = 65_314;
/// Bytes of an option's code and length.
const OPTION_HEADER: usize = 4;

/// The number of a server that a query came through.
pub(crate) type Mark = [u8; 8];

/// What a proxy needs of a client's OPT record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edns {
    /// The largest UDP answer the client takes.
    pub(crate) udp_payload: u16,
    /// The client wants DNSSEC records.
    pub(crate) dnssec_ok: bool,
    /// Servers that the query came through.
    pub(crate) marks: Vec<Mark>,
    /// 0, or a version from the future.
    pub(super) version: u8,
}

impl Edns {
    /// Reads one record and keeps it if it is an OPT.
    pub(super) fn from_record(reader: &mut Reader<'_>) -> Result<Option<Self>, Malformed> {
        reader.skip_name()?;
        let rtype = reader.u16("record type")?;
        let udp_payload = reader.u16("record class")?;
        let [_, version, flags_high, flags_low] = reader.u32("record ttl")?.to_be_bytes();
        let length = reader.u16("record length")?;
        let data = reader.take(usize::from(length), "record data")?;
        if rtype != rtype::OPT {
            return Ok(None);
        }
        let dnssec_ok = u16::from_be_bytes([flags_high, flags_low]) & DNSSEC_OK != 0;
        Ok(Some(Self { udp_payload, dnssec_ok, marks: marks(data)?, version }))
    }
}

/// Code and data of each of OPT's options.
fn parse_options(options: &[u8]) -> Result<Vec<(u16, &[u8])>, Malformed> {
    let mut reader = Reader::new(options, 0);
    let mut parsed = Vec::new();
    while reader.at() < options.len() {
        let code = reader.u16("option code")?;
        let length = reader.u16("option length")?;
        parsed.push((code, reader.take(usize::from(length), "option data")?));
    }
    Ok(parsed)
}

/// The marks among OPT's options.
fn marks(options: &[u8]) -> Result<Vec<Mark>, Malformed> {
    let mut marks = Vec::new();
    for (_, data) in parse_options(options)?.iter().filter(|(code, _)| *code == MARKS) {
        let (whole, _) = data.as_chunks();
        marks.extend_from_slice(whole);
    }
    Ok(marks)
}

/// The generation among the options of an answer's OPT; options that can't be read are ignored.
pub(super) fn generation(options: &[u8]) -> Option<Generation> {
    let options = parse_options(options).ok()?;
    let (_, data) = options.into_iter().find(|(code, _)| *code == GENERATION)?;
    data.try_into().ok().map(Generation::from_be_bytes)
}

/// The option that carries a generation, encoded.
pub(super) fn generation_option(generation: Generation) -> Vec<u8> {
    let data = generation.to_be_bytes();
    [&GENERATION.to_be_bytes(), &(data.len() as u16).to_be_bytes(), data.as_slice()].concat()
}

/// The option that carries `marks`, encoded; nothing for none.
pub(super) fn marks_option(marks: &[Mark]) -> Vec<u8> {
    if marks.is_empty() {
        return Vec::new();
    }
    let length = size_of_val(marks) as u16;
    let mut option = Vec::with_capacity(OPTION_HEADER + usize::from(length));
    option.extend_from_slice(&MARKS.to_be_bytes());
    option.extend_from_slice(&length.to_be_bytes());
    option.extend_from_slice(marks.as_flattened());
    option
}

/// Our OPT record, with the upper bits of the response code and encoded options.
pub(super) fn push_opt(message: &mut Vec<u8>, rcode: u16, dnssec_ok: bool, options: &[u8]) {
    message.reserve(OPT_LENGTH + options.len());
    message.push(0);
    message.extend_from_slice(&rtype::OPT.to_be_bytes());
    message.extend_from_slice(&UDP_PAYLOAD.to_be_bytes());
    message.extend_from_slice(&[(rcode >> 4) as u8, 0]);
    message.extend_from_slice(&(if dnssec_ok { DNSSEC_OK } else { 0 }).to_be_bytes());
    message.extend_from_slice(&(options.len() as u16).to_be_bytes());
    message.extend_from_slice(options);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_come_through_among_other_options() {
        for count in [0, 1, 3] {
            let marks: Vec<Mark> = (0..count).map(|number| [number; 8]).collect();
            let cookie = [0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8];
            let options = [cookie.as_slice(), &marks_option(&marks)].concat();
            let mut record = Vec::new();
            push_opt(&mut record, 0, true, &options);
            let edns = Edns::from_record(&mut Reader::new(&record, 0)).unwrap().unwrap();
            assert_eq!((edns.marks, edns.dnssec_ok, edns.udp_payload), (marks, true, UDP_PAYLOAD));
        }
    }

    #[test]
    fn options_that_lie_are_malformed() {
        for options in [[0, 10, 0].as_slice(), &[0, 10, 0, 9, 1]] {
            let mut record = Vec::new();
            push_opt(&mut record, 0, false, options);
            assert!(Edns::from_record(&mut Reader::new(&record, 0)).is_err(), "{options:?}");
        }
    }

    #[test]
    fn a_generation_comes_through_among_other_options() {
        let cookie = [0, 10, 0, 2, 1, 2];
        for (options, expected) in [
            (generation_option(7), Some(7)),
            ([cookie.as_slice(), &generation_option(u64::MAX)].concat(), Some(u64::MAX)),
            (cookie.to_vec(), None),
            (generation_option(7)[..9].to_vec(), None),
            ([&GENERATION.to_be_bytes(), [0, 1, 5].as_slice()].concat(), None),
        ] {
            assert_eq!(generation(&options), expected, "{options:?}");
        }
    }
}
