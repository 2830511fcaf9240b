//! DNS messages as bytes (RFC 1035 section 4, EDNS by RFC 6891).
//!
//! A proxy hands on what it gets. So nothing here decodes a message into records and encodes it
//! again: a message stays the bytes that came, and only what a proxy may change is changed in
//! place: the id, some flags, the TTLs, the case of the question, and the OPT record, which is
//! hop by hop. Record types nobody has heard of pass unharmed.
//!
//! ```text
//!  0        2        4         6         8         10        12
//!  | id     | flags  | QDCOUNT | ANCOUNT | NSCOUNT | ARCOUNT | question, records ...
//!             QR opcode AA TC RD  RA Z AD CD rcode
//! ```
//!
//! Everything is read through [`reader::Reader`], which can't leave the message; a message that
//! lies about its lengths is a [`Malformed`], never a panic.

mod answer;
mod edns;
mod name;
mod query;
mod reader;
mod record;

pub(crate) use answer::{Answer, Delivery, LocalRecord, TtlLimits};
pub(crate) use edns::Mark;
pub use name::{Name, NameError};
pub(crate) use query::{Key, Query, Rejected};
pub(crate) use record::{Record, Sections, is_well_formed};

/// Bytes of the fixed header.
pub(crate) const HEADER: usize = 12;
/// The largest UDP answer we send and ask for: what fits any link unfragmented (DNS flag day 2020).
pub(crate) const UDP_PAYLOAD: u16 = 1232;
/// The largest UDP answer to a client that doesn't speak EDNS (RFC 1035 section 4.2.1).
pub(crate) const PLAIN_UDP_PAYLOAD: u16 = 512;

/// Bits of the flags word.
pub(crate) mod flag {
    pub(crate) const QR: u16 = 0x8000;
    pub(crate) const OPCODE: u16 = 0x7800;
    pub(crate) const AA: u16 = 0x0400;
    pub(crate) const TC: u16 = 0x0200;
    pub(crate) const RD: u16 = 0x0100;
    pub(crate) const RA: u16 = 0x0080;
    pub(crate) const AD: u16 = 0x0020;
    pub(crate) const CD: u16 = 0x0010;
    pub(crate) const RCODE: u16 = 0x000f;
}

/// Record types, by number.
pub(crate) mod rtype {
    use std::borrow::Cow;

    pub(crate) const A: u16 = 1;
    pub(crate) const NS: u16 = 2;
    pub(crate) const CNAME: u16 = 5;
    pub(crate) const SOA: u16 = 6;
    pub(crate) const PTR: u16 = 12;
    pub(crate) const HINFO: u16 = 13;
    pub(crate) const MX: u16 = 15;
    pub(crate) const TXT: u16 = 16;
    pub(crate) const AAAA: u16 = 28;
    pub(crate) const SRV: u16 = 33;
    pub(crate) const DNAME: u16 = 39;
    pub(crate) const OPT: u16 = 41;
    pub(crate) const IXFR: u16 = 251;
    pub(crate) const AXFR: u16 = 252;
    pub(crate) const ANY: u16 = 255;

    /// Mnemonics.
    const NAMES: [(u16, &str); 24] = [
        (A, "A"),
        (NS, "NS"),
        (CNAME, "CNAME"),
        (SOA, "SOA"),
        (PTR, "PTR"),
        (HINFO, "HINFO"),
        (MX, "MX"),
        (TXT, "TXT"),
        (AAAA, "AAAA"),
        (SRV, "SRV"),
        (35, "NAPTR"),
        (DNAME, "DNAME"),
        (43, "DS"),
        (44, "SSHFP"),
        (46, "RRSIG"),
        (47, "NSEC"),
        (48, "DNSKEY"),
        (52, "TLSA"),
        (64, "SVCB"),
        (65, "HTTPS"),
        (257, "CAA"),
        (IXFR, "IXFR"),
        (AXFR, "AXFR"),
        (ANY, "ANY"),
    ];

    /// The mnemonic, or `TYPEn` as RFC 3597 has it.
    pub(crate) fn name(value: u16) -> Cow<'static, str> {
        let known = NAMES.iter().find(|(number, _)| *number == value);
        known.map_or_else(|| format!("TYPE{value}").into(), |(_, name)| (*name).into())
    }

    /// The number of a mnemonic or of `TYPEn`.
    pub(crate) fn parse(text: &str) -> Option<u16> {
        let known = NAMES.iter().find(|(_, name)| name.eq_ignore_ascii_case(text));
        let number = || text.to_ascii_uppercase().strip_prefix("TYPE")?.parse().ok();
        known.map(|(number, _)| *number).or_else(number)
    }
}

/// The Internet class, the only one that is forwarded.
pub(crate) const CLASS_IN: u16 = 1;

/// Response codes; from 16 on they need an OPT record for their upper bits.
pub(crate) mod rcode {
    pub(crate) const NOERROR: u16 = 0;
    pub(crate) const FORMERR: u16 = 1;
    pub(crate) const SERVFAIL: u16 = 2;
    pub(crate) const NXDOMAIN: u16 = 3;
    pub(crate) const NOTIMP: u16 = 4;
    pub(crate) const REFUSED: u16 = 5;
    pub(crate) const BADVERS: u16 = 16;

    /// Mnemonics.
    const NAMES: [(u16, &str); 12] = [
        (NOERROR, "NOERROR"),
        (FORMERR, "FORMERR"),
        (SERVFAIL, "SERVFAIL"),
        (NXDOMAIN, "NXDOMAIN"),
        (NOTIMP, "NOTIMP"),
        (REFUSED, "REFUSED"),
        (6, "YXDOMAIN"),
        (7, "YXRRSET"),
        (8, "NXRRSET"),
        (9, "NOTAUTH"),
        (10, "NOTZONE"),
        (BADVERS, "BADVERS"),
    ];

    /// The mnemonic, or `RCODEn`.
    pub(crate) fn name(value: u16) -> std::borrow::Cow<'static, str> {
        let known = NAMES.iter().find(|(number, _)| *number == value);
        known.map_or_else(|| format!("RCODE{value}").into(), |(_, name)| (*name).into())
    }

    /// The number of a mnemonic, or a number.
    pub(crate) fn parse(text: &str) -> Option<u16> {
        let known = NAMES.iter().find(|(_, name)| name.eq_ignore_ascii_case(text));
        known.map(|(number, _)| *number).or_else(|| text.parse().ok().filter(|code| *code < 16))
    }
}
