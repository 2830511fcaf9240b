//! `hickory-proto` writes the answers that come in and reads those that go out.

use hickory_proto::op::{Edns, Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, SOA};
use hickory_proto::rr::{Name as ProtoName, RData, Record, RecordType};
use proptest::prelude::{any, prop, proptest};

use super::*;
use crate::wire::{UDP_PAYLOAD, rtype};

const LIMITS: TtlLimits = TtlLimits { max: 3000, max_negative: 300 };
const WHOLE: Delivery = Delivery { limit: 65_535, age: 0, stale: false, generation: None };

/// A client's query for `Www.Example. A`, and the same for us.
fn query(with_edns: bool) -> (Message, Query) {
    let mut message = Message::new(7, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    let name = ProtoName::from_ascii("Www.Example.").unwrap();
    message.add_query(hickory_proto::op::Query::query(name, RecordType::A));
    if with_edns {
        let mut edns = Edns::new();
        edns.set_max_payload(UDP_PAYLOAD).set_dnssec_ok(true);
        message.set_edns(edns);
    }
    let query = Query::parse(&message.to_vec().unwrap()).unwrap();
    (message, query)
}

/// What a server says: `ttls` make A records, `soa` (TTL, minimum) an authority.
fn response(query: &Message, code: ResponseCode, ttls: &[u32], soa: Option<(u32, u32)>) -> Message {
    let mut message = Message::response(99, OpCode::Query);
    message.metadata.response_code = code;
    message.metadata.authoritative = true;
    message.metadata.authentic_data = true;
    message.add_queries(query.queries.clone());
    let name = query.queries[0].name().clone();
    for (index, ttl) in ttls.iter().enumerate() {
        let data = RData::A(A::new(10, 0, 0, index as u8));
        message.add_answer(Record::from_rdata(name.clone(), *ttl, data));
    }
    if let Some((ttl, minimum)) = soa {
        let soa = SOA::new(name.clone(), name.clone(), 1, 2, 3, 4, minimum);
        message.add_authority(Record::from_rdata(name, ttl, RData::SOA(soa)));
    }
    message.set_edns(Edns::new());
    message
}

#[test]
fn lifetimes_follow_the_records() {
    use ResponseCode::{NXDomain, NoError, Refused, ServFail};
    let (message, query) = query(false);
    for (code, ttls, soa, expected) in [
        (NoError, [600, 60].as_slice(), None, Some(60)),
        (NoError, &[90_000], None, Some(3000)),
        (NoError, &[0, 60], None, None),
        (NoError, &[0x8000_0000, 60], None, None),
        (NoError, &[], None, None),
        (NoError, &[], Some((600, 50)), Some(50)),
        (NoError, &[], Some((40, 50)), Some(40)),
        (NXDomain, &[], Some((6000, 6000)), Some(300)),
        (NXDomain, &[600], Some((600, 50)), Some(50)),
        (NXDomain, &[], None, None),
        (ServFail, &[600], None, None),
        (Refused, &[], Some((600, 50)), None),
    ] {
        let response = response(&message, code, ttls, soa);
        let answer = Answer::parse(response.to_vec().unwrap(), &query, LIMITS).unwrap();
        assert_eq!(answer.lifetime, expected, "{code} {ttls:?} {soa:?}");
        let mut truncated = response.clone();
        truncated.metadata.truncation = true;
        let answer = Answer::parse(truncated.to_vec().unwrap(), &query, LIMITS).unwrap();
        assert_eq!(answer.lifetime, None, "truncated");
    }
}

/// RFC 2308 sections 2.2 and 5: a CNAME that leads to no record of the type is a negative answer,
/// and one without SOA is not kept.
#[test]
fn an_alias_alone_is_a_negative_answer() {
    for (qtype, rtypes, soa, expected) in [
        (RecordType::A, vec![RecordType::CNAME], None, None),
        (RecordType::A, vec![RecordType::CNAME; 3], None, None),
        (RecordType::A, vec![RecordType::CNAME], Some((600, 50)), Some(50)),
        (RecordType::A, vec![RecordType::CNAME, RecordType::A], None, Some(600)),
        (RecordType::AAAA, vec![RecordType::CNAME, RecordType::A], None, None),
        (RecordType::CNAME, vec![RecordType::CNAME], None, Some(600)),
        (RecordType::ANY, vec![RecordType::CNAME], None, Some(600)),
        (RecordType::A, vec![RecordType::DNAME, RecordType::CNAME], None, None),
        (RecordType::A, vec![RecordType::RRSIG], None, None),
    ] {
        let (mut message, _) = query(true);
        message.queries[0].set_query_type(qtype);
        let query = Query::parse(&message.to_vec().unwrap()).unwrap();
        let mut bytes = response(&message, ResponseCode::NoError, &[], soa).to_vec().unwrap();
        let at = HEADER + query.question.len();
        for rtype in &rtypes {
            // Data that is a name and an address as well: nothing here reads it.
            let record =
                [0xc0, 12, 0, u16::from(*rtype) as u8, 0, 1, 0, 0, 2, 88, 0, 4, 1, b'x', 0, 0];
            bytes.splice(at..at, record);
        }
        bytes[7] = rtypes.len() as u8;
        let answer = Answer::parse(bytes, &query, LIMITS).unwrap();
        assert_eq!(answer.lifetime, expected, "{qtype} {rtypes:?} {soa:?}");
    }
}

#[test]
fn answers_go_out_as_the_client_may_have_them() {
    let (message, plain) = query(false);
    let response = response(&message, ResponseCode::NoError, &[600, 90_000], None);
    let answer = Answer::parse(response.to_vec().unwrap(), &plain, LIMITS).unwrap();
    for (with_edns, age, stale, ttls) in [
        (false, 0, false, [600, 3000]),
        (true, 0, false, [600, 3000]),
        (true, 100, false, [500, 2900]),
        (true, 700, false, [0, 2300]),
        (true, 700, true, [30, 30]),
    ] {
        let (_, client) = query(with_edns);
        let bytes = answer.deliver(&client, Delivery { age, stale, ..WHOLE });
        let seen = Message::from_vec(&bytes).unwrap();
        assert_eq!(seen.answers.iter().map(|record| record.ttl).collect::<Vec<_>>(), ttls);
        assert_eq!((seen.metadata.id, seen.metadata.recursion_available), (7, true));
        assert!(!seen.metadata.authoritative, "we are none");
        assert_eq!(seen.metadata.authentic_data, with_edns, "to whom asked with DO");
        assert_eq!(seen.edns.is_some(), with_edns);
        assert_eq!(seen.queries[0].name().to_ascii(), "Www.Example.");
    }
}

#[test]
fn the_upper_bits_of_the_code_and_the_truncation_go_with_opt() {
    let (message, query) = query(true);
    let response = response(&message, ResponseCode::BADVERS, &[600; 100], None);
    let answer = Answer::parse(response.to_vec().unwrap(), &query, LIMITS).unwrap();
    assert_eq!(answer.rcode(), 16);
    for (limit, truncated) in [(65_535, false), (1232, true)] {
        let bytes = answer.deliver(&query, Delivery { limit, ..WHOLE });
        assert!(bytes.len() <= limit);
        let seen = Message::from_vec(&bytes).unwrap();
        assert_eq!(seen.metadata.truncation, truncated);
        assert_eq!(u16::from(seen.metadata.response_code), rcode::BADVERS);
    }
}

#[test]
fn an_answer_to_another_question_is_none() {
    let (message, query) = query(false);
    let response = response(&message, ResponseCode::NoError, &[600], None).to_vec().unwrap();
    for (what, offset, value) in
        [("name", 13, b'x'), ("type", 26, rtype::AAAA as u8), ("class", 28, 3), ("count", 5, 2)]
    {
        let mut other = response.clone();
        other[offset] = value;
        assert!(Answer::parse(other, &query, LIMITS).is_err(), "{what}");
    }
    assert!(Answer::parse(response[..response.len() - 1].to_vec(), &query, LIMITS).is_err());
    assert!(Answer::parse(response, &query, LIMITS).is_ok());
}

#[test]
fn own_records_are_read_by_others() {
    let (_, query) = query(false);
    let records = [
        LocalRecord::Address("10.0.0.1".parse().unwrap()),
        LocalRecord::Address("1000::1".parse().unwrap()),
        LocalRecord::Pointer("vm-001.xcluster".parse().unwrap()),
        LocalRecord::Text("x".repeat(300)),
    ];
    let answer = Answer::local(&query, rcode::NOERROR, &records, 10);
    let seen = Message::from_vec(&answer.deliver(&query, WHOLE)).unwrap();
    let data: Vec<String> = seen.answers.iter().map(|record| record.data.to_string()).collect();
    assert_eq!(data, ["10.0.0.1", "1000::1", "vm-001.xcluster.", &"x".repeat(255)]);
    assert!(seen.metadata.authoritative);
    assert!(seen.answers.iter().all(|record| record.ttl == 10));
}

proptest! {
    /// Whatever comes is refused or understood, and what goes out can be read.
    #[test]
    fn no_bytes_break_the_parsers(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = Query::parse(&bytes);
        let (message, query) = query(true);
        let _ = Answer::parse(bytes.clone(), &query, LIMITS);
        // Behind a good header and question, so that the records are reached.
        let mut near = response(&message, ResponseCode::NoError, &[], None).to_vec().unwrap();
        near.truncate(HEADER + query.question.len());
        near[6..12].copy_from_slice(&[0, 1, 0, 1, 0, 1]);
        near.extend_from_slice(&bytes);
        if let Ok(answer) = Answer::parse(near, &query, LIMITS) {
            let sent = answer.deliver(&query, WHOLE);
            assert!(Answer::parse(sent, &query, LIMITS).is_ok());
        }
    }

    /// A good answer with one byte changed never breaks anything either.
    #[test]
    fn no_flipped_byte_breaks_the_parser(at in 0usize..120, value: u8) {
        let (message, query) = query(true);
        let response = response(&message, ResponseCode::NXDomain, &[600, 60], Some((5, 6)));
        let mut bytes = response.to_vec().unwrap();
        let at = at % bytes.len();
        bytes[at] = value;
        if let Ok(answer) = Answer::parse(bytes, &query, LIMITS) {
            let sent = answer.deliver(&query, Delivery { limit: 512, ..WHOLE });
            assert!(sent.len() <= 512);
        }
    }
}
