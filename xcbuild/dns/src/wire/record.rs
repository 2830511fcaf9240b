//! Resource records by themselves, for answers that we make: a name, a type, and data whose names are
//! written in full.

use super::name::Name;
use super::query::{Query, header};
use super::reader::{Malformed, Reader};
use super::{CLASS_IN, HEADER, flag, rtype};

/// A pointer to the name of the question, which is always the first thing after the header.
const POINTER_TO_QUESTION: [u8; 2] = [0xc0, HEADER as u8];

/// A record of class IN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) name: Name,
    pub(crate) rtype: u16,
    pub(crate) ttl: u32,
    /// In wire form, without pointers.
    pub(crate) data: Vec<u8>,
}

/// The records of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sections {
    pub(crate) answers: Vec<Record>,
    pub(crate) authorities: Vec<Record>,
    pub(crate) additionals: Vec<Record>,
}

/// Fields before, in and behind the names of a record's data: how many bytes go before the first
/// name, and how many names follow. `None` for types whose data has no compressible names
/// (RFC 3597 section 4).
fn names_in(rtype: u16) -> Option<(usize, usize)> {
    match rtype {
        rtype::NS | rtype::CNAME | rtype::PTR | rtype::DNAME => Some((0, 1)),
        rtype::SOA => Some((0, 2)),
        rtype::MX => Some((2, 1)),
        rtype::SRV => Some((6, 1)),
        _ => None,
    }
}

/// Whether data has the form of its type: names in full that end where they should.
pub(crate) fn is_well_formed(rtype: u16, data: &[u8]) -> bool {
    let Some((fixed, names)) = names_in(rtype) else {
        return match rtype {
            rtype::A => data.len() == 4,
            rtype::AAAA => data.len() == 16,
            _ => true,
        };
    };
    // Five numbers behind the names of a SOA, nothing behind those of others.
    let rest = if rtype == rtype::SOA { 20 } else { 0 };
    let mut reader = Reader::new(data, 0);
    let read = reader.take(fixed, "fields").and_then(|_| {
        (0..names).try_for_each(|_| {
            let start = reader.at();
            let name = reader.name()?;
            // A pointer would lead into another message.
            let is_whole = reader.at() - start == name.wire().len();
            if is_whole { Ok(()) } else { Err(Malformed { what: "name pointer", at: start }) }
        })
    });
    read.is_ok() && data.len() - reader.at() == rest
}

impl Record {
    fn push(&self, message: &mut Vec<u8>, question: &Name, ttl_offsets: &mut Vec<usize>) {
        match self.name == *question {
            true => message.extend_from_slice(&POINTER_TO_QUESTION),
            false => message.extend_from_slice(self.name.wire()),
        }
        message.extend_from_slice(&self.rtype.to_be_bytes());
        message.extend_from_slice(&CLASS_IN.to_be_bytes());
        ttl_offsets.push(message.len());
        message.extend_from_slice(&self.ttl.to_be_bytes());
        message.extend_from_slice(&(self.data.len() as u16).to_be_bytes());
        message.extend_from_slice(&self.data);
    }

    /// Reads one record, its names in full.
    fn read(reader: &mut Reader<'_>, message: &[u8]) -> Result<Self, Malformed> {
        let name = reader.name()?;
        let rtype = reader.u16("record type")?;
        reader.u16("record class")?;
        let ttl = reader.u32("record ttl")?;
        let length = usize::from(reader.u16("record length")?);
        let start = reader.at();
        let raw = reader.take(length, "record data")?;
        let Some((fixed, names)) = names_in(rtype) else {
            return Ok(Self { name, rtype, ttl, data: raw.to_vec() });
        };
        let mut inner = Reader::new(message, start);
        let mut data = inner.take(fixed, "record data")?.to_vec();
        for _ in 0..names {
            data.extend_from_slice(inner.name()?.wire());
        }
        let rest = (start + length).checked_sub(inner.at());
        let rest = rest.ok_or(Malformed { what: "record data", at: start })?;
        data.extend_from_slice(inner.take(rest, "record data")?);
        Ok(Self { name, rtype, ttl, data })
    }
}

impl Sections {
    /// Reads all records of a message but its OPT.
    pub(crate) fn read(message: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(message, 4);
        let mut counts = [0; 4];
        for count in &mut counts {
            *count = reader.u16("count")?;
        }
        for _ in 0..counts[0] {
            reader.skip_name()?;
            reader.u32("question")?;
        }
        let mut section = |count: u16| -> Result<Vec<Record>, Malformed> {
            let records = (0..count).map(|_| Record::read(&mut reader, message));
            let mut records = records.collect::<Result<Vec<_>, _>>()?;
            records.retain(|record| record.rtype != rtype::OPT);
            Ok(records)
        };
        let [_, answers, authorities, additionals] = counts;
        Ok(Self {
            answers: section(answers)?,
            authorities: section(authorities)?,
            additionals: section(additionals)?,
        })
    }

    /// All records, to change them.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Record> {
        self.answers.iter_mut().chain(&mut self.authorities).chain(&mut self.additionals)
    }

    /// The message that answers `query` by these records, and the offsets of their TTLs.
    pub(super) fn write(&self, query: &Query, flags: u16) -> (Vec<u8>, Vec<usize>) {
        let all = [&self.answers, &self.authorities, &self.additionals];
        let [answers, authorities, additionals] = all.map(|section| section.len() as u16);
        let counts = [1, answers, authorities, additionals];
        let mut message = header(query.id, flag::QR | flags, counts);
        message.extend_from_slice(&query.question);
        let mut ttl_offsets = Vec::new();
        for record in all.into_iter().flatten() {
            record.push(&mut message, &query.name, &mut ttl_offsets);
        }
        (message, ttl_offsets)
    }
}
