//! An answer as it is kept: the bytes that came, less OPT, with the places of its TTLs.

use std::net::IpAddr;

use super::edns::{generation, generation_option};
use super::name::Name;
use super::query::{Query, header};
use super::reader::{Malformed, Reader};
use super::record::{Record, Sections};
use super::{HEADER, flag, rcode, rtype};
use crate::freshness::Generation;

/// The EDNS option of an extended error (RFC 8914) and its code for a stale answer.
const EXTENDED_ERROR: u16 = 15;
const STALE_ANSWER: u16 = 3;
/// The TTL of records answered past their time, in seconds (RFC 8767 section 5).
const STALE_TTL: u32 = 30;

/// How long records may be kept, in seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TtlLimits {
    /// For any record. TTLs are lowered to it on the way through, so that a chain of proxies
    /// doesn't keep an answer longer than one.
    pub(crate) max: u32,
    /// For "no such name" and "no such record".
    pub(crate) max_negative: u32,
}

/// A response without its OPT record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    message: Vec<u8>,
    ttl_offsets: Vec<usize>,
    rcode: u16,
    /// What the server's OPT record says, if it sent one.
    opt: Option<ServerOpt>,
    /// Seconds it may be kept; `None` if it must not be.
    pub(crate) lifetime: Option<u32>,
}

/// What a server's OPT record says to a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ServerOpt {
    generation: Option<Generation>,
}

/// In which form an answer goes to a client.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Delivery {
    /// Most bytes.
    pub(crate) limit: usize,
    /// Seconds since the answer came.
    pub(crate) age: u32,
    /// Past its lifetime, and said so.
    pub(crate) stale: bool,
    /// Our generation, for a client that is a proxy of ours.
    pub(crate) generation: Option<Generation>,
}

/// A record that we know ourselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LocalRecord {
    /// A or AAAA.
    Address(IpAddr),
    /// PTR.
    Pointer(Name),
    /// TXT, of one string.
    Text(String),
}

impl Answer {
    /// Checks a response and takes it in.
    pub(crate) fn parse(
        mut message: Vec<u8>,
        query: &Query,
        limits: TtlLimits,
    ) -> Result<Self, Malformed> {
        let records = Records::survey(&message, query)?;
        let flags = Reader::new(&message, 2).u16("flags")?;
        // We are no authority for what we hand on.
        put(&mut message, 2, flags & !flag::AA);
        message.truncate(records.end);
        put(&mut message, 10, records.kept_additionals);
        for &(offset, ttl) in &records.ttls {
            let [high, low] = [ttl.min(limits.max) >> 16, ttl.min(limits.max) & 0xffff];
            put(&mut message, offset, high as u16);
            put(&mut message, offset + 2, low as u16);
        }
        let rcode = (flags & flag::RCODE) | records.rcode_high;
        Ok(Self {
            lifetime: records.lifetime(rcode, flags & flag::TC != 0, limits),
            ttl_offsets: records.ttls.iter().map(|&(offset, _)| offset).collect(),
            message,
            rcode,
            opt: records.opt,
        })
    }

    /// An answer out of what we know ourselves; never cached, hence all with a TTL of `ttl`.
    pub(crate) fn local(query: &Query, rcode: u16, records: &[LocalRecord], ttl: u32) -> Self {
        let record = |record: &LocalRecord| {
            let (rtype, data) = record.encode();
            Record { name: query.name.clone(), rtype, ttl, data }
        };
        let answers = records.iter().map(record).collect();
        Self::compose(query, rcode, true, &Sections { answers, ..Sections::default() })
    }

    /// An answer of these records, which is not cached.
    pub(crate) fn compose(
        query: &Query,
        rcode: u16,
        authoritative: bool,
        records: &Sections,
    ) -> Self {
        let flags = if authoritative { flag::AA } else { 0 };
        let (message, ttl_offsets) = records.write(query, flags);
        Self { message, ttl_offsets, rcode, opt: None, lifetime: None }
    }

    /// This answer, to `query` in place of the query that it answers: `change` is called for each
    /// record. `None` if the records can't be read.
    pub(crate) fn rewritten(&self, query: &Query, change: impl FnMut(&mut Record)) -> Option<Self> {
        let mut records = Sections::read(&self.message).ok()?;
        records.iter_mut().for_each(change);
        let flags = self.flags() & (flag::AA | flag::TC | flag::AD);
        let (message, ttl_offsets) = records.write(query, flags);
        let (rcode, opt, lifetime) = (self.rcode, self.opt, self.lifetime);
        Some(Self { message, ttl_offsets, rcode, opt, lifetime })
    }

    /// An answer that only says that there is none.
    pub(crate) fn error(query: &Query, rcode: u16) -> Self {
        let mut message = header(query.id, flag::QR, [1, 0, 0, 0]);
        message.extend_from_slice(&query.question);
        Self { message, ttl_offsets: Vec::new(), rcode, opt: None, lifetime: None }
    }

    /// The response code, with its upper bits.
    pub(crate) fn rcode(&self) -> u16 {
        self.rcode
    }

    /// Whether the server speaks EDNS.
    pub(crate) fn has_opt(&self) -> bool {
        self.opt.is_some()
    }

    /// The generation of the server, if it is a proxy of ours.
    pub(crate) fn generation(&self) -> Option<Generation> {
        self.opt.and_then(|opt| opt.generation)
    }

    /// Whether the server had more to say than fits.
    pub(crate) fn is_truncated(&self) -> bool {
        self.flags() & flag::TC != 0
    }

    /// Bytes of memory, about.
    pub(crate) fn size(&self) -> usize {
        self.message.len() + self.ttl_offsets.len() * size_of::<usize>() + size_of::<Self>()
    }

    fn flags(&self) -> u16 {
        Reader::new(&self.message, 2).u16("flags").unwrap_or_default()
    }

    /// The answer to `query`, which must have the key of the query that this answered.
    pub(crate) fn deliver(&self, query: &Query, delivery: Delivery) -> Vec<u8> {
        let mut message = self.message.clone();
        put(&mut message, 0, query.id);
        let mut kept = flag::TC | flag::AA;
        if query.flags & flag::AD != 0 || query.dnssec_ok() {
            kept |= flag::AD;
        }
        put(&mut message, 2, query.answer_flags(self.rcode) | (self.flags() & kept));
        if let Some(question) = message.get_mut(HEADER..HEADER + query.question.len()) {
            question.copy_from_slice(&query.question);
        }
        self.age_ttls(&mut message, delivery);
        if query.edns.is_some() {
            let additionals = Reader::new(&message, 10).u16("count").unwrap_or_default();
            put(&mut message, 10, additionals.saturating_add(1));
            query.finish(&mut message, self.rcode, &delivery.options());
        }
        if message.len() <= delivery.limit { message } else { self.truncated(query) }
    }

    fn age_ttls(&self, message: &mut [u8], delivery: Delivery) {
        if delivery.age == 0 && !delivery.stale {
            return;
        }
        for &offset in &self.ttl_offsets {
            let kept = Reader::new(&self.message, offset).u32("ttl").unwrap_or_default();
            let ttl = if delivery.stale { STALE_TTL } else { kept.saturating_sub(delivery.age) };
            put(message, offset, (ttl >> 16) as u16);
            put(message, offset + 2, ttl as u16);
        }
    }

    /// Only the question, with TC set: the client comes again by TCP.
    fn truncated(&self, query: &Query) -> Vec<u8> {
        let mut message = query.reply(self.rcode);
        put(&mut message, 2, query.answer_flags(self.rcode) | flag::TC);
        message
    }
}

impl Delivery {
    /// Encoded EDNS options that say what is special about the answer.
    fn options(self) -> Vec<u8> {
        let mut options = self.generation.map(generation_option).unwrap_or_default();
        if self.stale {
            let error = [EXTENDED_ERROR, 2, STALE_ANSWER];
            options.extend(error.iter().flat_map(|field| field.to_be_bytes()));
        }
        options
    }
}

impl LocalRecord {
    /// Type and data.
    fn encode(&self) -> (u16, Vec<u8>) {
        match self {
            Self::Address(IpAddr::V4(address)) => (rtype::A, address.octets().to_vec()),
            Self::Address(IpAddr::V6(address)) => (rtype::AAAA, address.octets().to_vec()),
            Self::Pointer(name) => (rtype::PTR, name.wire().to_vec()),
            Self::Text(text) => {
                let text = text.as_bytes().get(..255).unwrap_or(text.as_bytes());
                (rtype::TXT, [&[text.len() as u8], text].concat())
            }
        }
    }
}

/// Where in a message a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Answer,
    Authority,
    Additional,
}

/// What one pass over a response finds.
struct Records {
    /// Offset and value of each TTL but OPT's.
    ttls: Vec<(usize, u32)>,
    /// Whether the answer section has a record of the type that was asked for. A chain of CNAMEs
    /// that leads to none is a negative answer (RFC 2308 section 2.2).
    has_answer: bool,
    /// The last field of the SOA record in the authority section.
    soa_minimum: Option<u32>,
    /// Upper bits of the response code, in place.
    rcode_high: u16,
    opt: Option<ServerOpt>,
    /// Where what we keep ends: before OPT, which is last but for signatures of the transport.
    end: usize,
    kept_additionals: u16,
}

impl Records {
    fn survey(message: &[u8], query: &Query) -> Result<Self, Malformed> {
        let mut reader = Reader::new(message, 4);
        let mut counts = [0; 4];
        for count in &mut counts {
            *count = reader.u16("count")?;
        }
        let [questions, answers, authorities, additionals] = counts;
        let question = reader.take(query.question.len(), "question")?;
        if questions != 1 || !question.eq_ignore_ascii_case(&query.question) {
            return Err(Malformed { what: "another question", at: HEADER });
        }
        let (ttls, end) = (Vec::new(), reader.at());
        let mut found = Self {
            ttls,
            has_answer: false,
            soa_minimum: None,
            rcode_high: 0,
            opt: None,
            end,
            kept_additionals: 0,
        };
        let sections = [
            (answers, Section::Answer),
            (authorities, Section::Authority),
            (additionals, Section::Additional),
        ];
        for (count, section) in sections {
            for index in 0..count {
                if found.record(&mut reader, section, query.qtype)? {
                    return Ok(found);
                }
                found.end = reader.at();
                found.kept_additionals = if section == Section::Additional { index + 1 } else { 0 };
            }
        }
        Ok(found)
    }

    /// Takes one record in; whether it was the OPT.
    fn record(
        &mut self,
        reader: &mut Reader<'_>,
        section: Section,
        qtype: u16,
    ) -> Result<bool, Malformed> {
        reader.skip_name()?;
        let rtype = reader.u16("record type")?;
        reader.u16("record class")?;
        let ttl_offset = reader.at();
        let ttl = reader.u32("record ttl")?;
        let length = reader.u16("record length")?;
        let data = reader.take(usize::from(length), "record data")?;
        if rtype == rtype::OPT {
            self.rcode_high = ((ttl >> 24) as u16) << 4;
            self.opt = Some(ServerOpt { generation: generation(data) });
            return Ok(true);
        }
        // A TTL with its top bit set means zero (RFC 2181 section 8).
        self.ttls.push((ttl_offset, if ttl > i32::MAX as u32 { 0 } else { ttl }));
        match (section, rtype, data) {
            (Section::Answer, ..) => self.has_answer |= rtype == qtype || qtype == rtype::ANY,
            (Section::Authority, rtype::SOA, [.., a, b, c, d]) => {
                self.soa_minimum = Some(u32::from_be_bytes([*a, *b, *c, *d]));
            }
            _ => {}
        }
        Ok(false)
    }

    /// Seconds that the answer may be kept (RFC 2181, and RFC 2308 for negative ones: the SOA
    /// tells, and without one they are not kept).
    fn lifetime(&self, rcode: u16, truncated: bool, limits: TtlLimits) -> Option<u32> {
        let negative = rcode == rcode::NXDOMAIN || !self.has_answer || self.soa_minimum.is_some();
        let limit = match (negative, self.soa_minimum) {
            _ if truncated || !matches!(rcode, rcode::NOERROR | rcode::NXDOMAIN) => return None,
            (false, _) => limits.max,
            (true, Some(minimum)) => minimum.min(limits.max_negative),
            (true, None) => return None,
        };
        let shortest = self.ttls.iter().map(|&(_, ttl)| ttl).min()?;
        Some(shortest.min(limit)).filter(|&seconds| seconds > 0)
    }
}

/// Overwrites two bytes.
fn put(message: &mut [u8], offset: usize, value: u16) {
    if let Some(field) = message.get_mut(offset..offset + 2) {
        field.copy_from_slice(&value.to_be_bytes());
    }
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
