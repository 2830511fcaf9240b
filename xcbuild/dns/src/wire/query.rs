//! What a client asks, and what we ask upstream for it.

use super::edns::{Edns, Mark, marks_option, push_opt};
use super::name::Name;
use super::reader::{Malformed, Reader};
use super::{CLASS_IN, HEADER, PLAIN_UDP_PAYLOAD, UDP_PAYLOAD, flag, rcode, rtype};

/// A client's query, checked.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    /// The client's id.
    pub(crate) id: u16,
    /// The flags word as it came.
    pub(crate) flags: u16,
    /// The name asked for, in lower case.
    pub(crate) name: Name,
    /// The type asked for.
    pub(crate) qtype: u16,
    /// Name (in the client's case), type and class, as they came.
    pub(crate) question: Box<[u8]>,
    /// What the client's OPT record says, if it has one.
    pub(crate) edns: Option<Edns>,
}

/// What decides an answer: queries with one key share it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) name: Name,
    pub(crate) qtype: u16,
    dnssec_ok: bool,
    checking_disabled: bool,
}

/// A message that is not answered by looking anything up.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Rejected {
    /// No query at all (too short for a header, or a response): answering could start a loop.
    Ignore,
    /// Answered with these bytes, which carry this response code.
    Reply {
        /// The whole answer.
        message: Vec<u8>,
        /// Its response code.
        rcode: u16,
    },
}

impl Query {
    /// Checks a message from a client.
    pub(crate) fn parse(message: &[u8]) -> Result<Self, Rejected> {
        let mut header = Reader::new(message, 0);
        let id = header.u16("id").map_err(|_| Rejected::Ignore)?;
        let flags = header.u16("flags").map_err(|_| Rejected::Ignore)?;
        if message.len() < HEADER || flags & flag::QR != 0 {
            return Err(Rejected::Ignore);
        }
        if flags & flag::OPCODE != 0 {
            return Err(Rejected::with_header(id, flags, rcode::NOTIMP));
        }
        let query = Self::body(message, id, flags)
            .map_err(|_| Rejected::with_header(id, flags, rcode::FORMERR))?;
        let reject = |rcode| Err(Rejected::Reply { message: query.reply(rcode), rcode });
        match &query.edns {
            Some(edns) if edns.version > 0 => return reject(rcode::BADVERS),
            _ => {}
        }
        match (query.class(), query.qtype) {
            (CLASS_IN, rtype::AXFR | rtype::IXFR) => reject(rcode::NOTIMP),
            (CLASS_IN, _) => Ok(query),
            _ => reject(rcode::REFUSED),
        }
    }

    fn body(message: &[u8], id: u16, flags: u16) -> Result<Self, Malformed> {
        let mut reader = Reader::new(message, 4);
        let mut counts = [0; 4];
        for count in &mut counts {
            *count = reader.u16("count")?;
        }
        let [questions, answers, authorities, additionals] = counts;
        if questions != 1 {
            return Err(Malformed { what: "question count", at: 4 });
        }
        let name = reader.name()?;
        let qtype = reader.u16("question type")?;
        reader.u16("question class")?;
        let question = message.get(HEADER..reader.at()).unwrap_or_default().into();
        for _ in 0..u32::from(answers) + u32::from(authorities) {
            Edns::from_record(&mut reader)?;
        }
        let mut edns = None;
        for _ in 0..additionals {
            if let Some(found) = Edns::from_record(&mut reader)?
                && edns.replace(found).is_some()
            {
                return Err(Malformed { what: "second OPT record", at: reader.at() });
            }
        }
        Ok(Self { id, flags, name, qtype, question, edns })
    }

    /// The same query, about something else.
    pub(crate) fn with_question(&self, name: &Name, qtype: u16) -> Self {
        let fields = [qtype.to_be_bytes(), CLASS_IN.to_be_bytes()];
        let question = [name.wire(), fields.as_flattened()].concat().into();
        Self { name: name.clone(), qtype, question, ..self.clone() }
    }

    fn class(&self) -> u16 {
        match *self.question {
            [.., high, low] => u16::from_be_bytes([high, low]),
            _ => 0,
        }
    }

    /// Whether the client wants the whole way to the answer gone for it.
    pub(crate) fn recursion_desired(&self) -> bool {
        self.flags & flag::RD != 0
    }

    /// Whether the client wants DNSSEC records.
    pub(crate) fn dnssec_ok(&self) -> bool {
        self.edns.as_ref().is_some_and(|edns| edns.dnssec_ok)
    }

    /// The servers that the query came through.
    pub(crate) fn marks(&self) -> &[Mark] {
        self.edns.as_ref().map_or(&[], |edns| &edns.marks)
    }

    /// What the answer depends on.
    pub(crate) fn key(&self) -> Key {
        Key {
            name: self.name.clone(),
            qtype: self.qtype,
            dnssec_ok: self.dnssec_ok(),
            checking_disabled: self.flags & flag::CD != 0,
        }
    }

    /// The largest answer that the client takes by UDP.
    pub(crate) fn udp_limit(&self) -> usize {
        let asked = self.edns.as_ref().map_or(PLAIN_UDP_PAYLOAD, |edns| edns.udp_payload);
        usize::from(asked.clamp(PLAIN_UDP_PAYLOAD, UDP_PAYLOAD))
    }

    /// Our query to an upstream server. Always with the AD flag ("I understand it", RFC 6840
    /// section 5.7), so that the cached answer serves clients that ask for it. With `marks`
    /// there is an OPT record that has them, without there is none.
    pub(crate) fn upstream_message(&self, id: u16, marks: Option<&[Mark]>) -> Vec<u8> {
        let flags = (self.flags & (flag::RD | flag::CD)) | flag::AD;
        let mut message = header(id, flags, [1, 0, 0, u16::from(marks.is_some())]);
        message.extend_from_slice(&self.question);
        if let Some(marks) = marks {
            push_opt(&mut message, rcode::NOERROR, self.dnssec_ok(), &marks_option(marks));
        }
        message
    }

    /// An answer without records.
    pub(crate) fn reply(&self, rcode: u16) -> Vec<u8> {
        let flags = self.answer_flags(rcode);
        let mut message = header(self.id, flags, [1, 0, 0, u16::from(self.edns.is_some())]);
        message.extend_from_slice(&self.question);
        self.finish(&mut message, rcode, &[]);
        message
    }

    /// The flags of an answer to this query.
    pub(crate) fn answer_flags(&self, rcode: u16) -> u16 {
        flag::QR | flag::RA | (self.flags & (flag::RD | flag::CD)) | (rcode & flag::RCODE)
    }

    /// Appends our OPT record if the client speaks EDNS; the caller counts it.
    pub(crate) fn finish(&self, message: &mut Vec<u8>, rcode: u16, options: &[u8]) {
        if let Some(edns) = &self.edns {
            push_opt(message, rcode, edns.dnssec_ok, options);
        }
    }
}

impl Rejected {
    /// For a message whose question can't be repeated.
    fn with_header(id: u16, flags: u16, rcode: u16) -> Self {
        let flags = flag::QR | flag::RA | (flags & (flag::OPCODE | flag::RD)) | rcode;
        Self::Reply { message: header(id, flags, [0; 4]), rcode }
    }
}

/// A header with its four counts.
pub(super) fn header(id: u16, flags: u16, counts: [u16; 4]) -> Vec<u8> {
    let mut message = Vec::with_capacity(128);
    for field in [id, flags].into_iter().chain(counts) {
        message.extend_from_slice(&field.to_be_bytes());
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    /// header + `www.Example A IN`, counts given, `tail` behind the question.
    fn message(flags: u16, counts: [u16; 4], tail: &[u8]) -> Vec<u8> {
        let mut message = header(0x1234, flags, counts);
        message.extend_from_slice(b"\x03www\x07Example\x00\x00\x01\x00\x01");
        message.extend_from_slice(tail);
        message
    }

    #[test]
    fn queries_are_understood() {
        let opt = b"\x00\x00\x29\x10\x00\x00\x00\x80\x00\x00\x00";
        for (counts, tail, dnssec_ok, limit) in
            [([1, 0, 0, 0], b"".as_slice(), false, 512), ([1, 0, 0, 1], opt, true, 1232)]
        {
            let query = Query::parse(&message(flag::RD, counts, tail)).unwrap();
            assert_eq!(query.name.to_string(), "www.example.");
            assert_eq!(query.qtype, rtype::A);
            assert!(query.recursion_desired());
            assert_eq!(query.dnssec_ok(), dnssec_ok);
            assert_eq!(query.udp_limit(), limit);
            let upstream = query.upstream_message(7, Some(&[]));
            assert!(upstream.windows(8).any(|part| part == b"\x07Example"), "keeps the case");
            let again = Query::parse(&upstream).unwrap();
            assert_eq!((again.id, again.key()), (7, query.key()));
        }
    }

    #[test]
    fn bad_queries_are_answered_with_their_code() {
        let opt = b"\x00\x00\x29\x10\x00\x00\x00\x00\x00\x00\x00".as_slice();
        let opt_version_1 = b"\x00\x00\x29\x10\x00\x00\x01\x00\x00\x00\x00";
        let mut chaos = message(0, [1, 0, 0, 0], b"");
        *chaos.last_mut().unwrap() = 3;
        let mut transfer = message(0, [1, 0, 0, 0], b"");
        let type_low = transfer.len() - 3;
        transfer[type_low] = rtype::AXFR as u8;
        for (what, message, expected) in [
            ("update", message(0x2800, [1, 0, 0, 0], b""), rcode::NOTIMP),
            ("no question", message(0, [0, 0, 0, 0], b""), rcode::FORMERR),
            ("two questions", message(0, [2, 0, 0, 0], b""), rcode::FORMERR),
            ("missing record", message(0, [1, 0, 0, 1], b""), rcode::FORMERR),
            ("two OPTs", message(0, [1, 0, 0, 2], &opt.repeat(2)), rcode::FORMERR),
            ("EDNS 1", message(0, [1, 0, 0, 1], opt_version_1), rcode::BADVERS),
            ("chaos", chaos, rcode::REFUSED),
            ("transfer", transfer, rcode::NOTIMP),
        ] {
            let Err(Rejected::Reply { message, rcode }) = Query::parse(&message) else {
                panic!("{what} was not rejected");
            };
            assert_eq!(rcode, expected, "{what}");
            assert_eq!(message[..2], [0x12, 0x34], "{what}");
            assert_eq!(u16::from(message[3] & 0xf), expected & flag::RCODE, "{what}");
        }
    }

    #[test]
    fn what_is_no_query_is_ignored() {
        for message in [b"".to_vec(), vec![0; 11], message(flag::QR, [1, 0, 0, 0], b"")] {
            assert_eq!(Query::parse(&message).unwrap_err(), Rejected::Ignore);
        }
    }
}
