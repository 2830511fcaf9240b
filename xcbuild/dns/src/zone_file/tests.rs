use super::*;
use crate::wire::{Query, Sections, rcode};

const ZONE: &str = r#"
$TTL 1h
@       IN SOA ns hostmaster ( 2024010101 ; serial
                 2h 15m 2w
                 300 )
        NS  ns
        MX  10 mail
        600 IN TXT "one" two\;three
ns      A   192.0.2.1
        AAAA 2001:db8::1
mail.example.org. IN 60 A 192.0.2.2
www     CNAME web
web     A   192.0.2.3
        A   192.0.2.4
deep.a.b TXT deep
*.wild  A   192.0.2.5
*.wild  TXT "any"
x.wild  TXT "x"
out     CNAME www.example.net.
loop1   CNAME loop2
loop2   CNAME loop1
gone    CNAME nowhere
sub     NS  ns.sub
ns.sub  A   192.0.2.6
_http._tcp SRV 1 2 80 web
odd     TYPE65280 \# 3 01 0203
odd     A \# 4 c0000208
odd     TYPE15 \# 5 000a 01 78 00
$ORIGIN other.example.org.
host    A   192.0.2.7
"#;

fn query(name: &str, qtype: u16) -> Query {
    let name: Name = name.parse().unwrap();
    let mut message = vec![0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    message.extend_from_slice(name.wire());
    message.extend_from_slice(&[(qtype >> 8) as u8, qtype as u8, 0, 1]);
    Query::parse(&message).unwrap()
}

/// `CODE answers / authorities / additionals`, each record as `name TYPE ttl`.
fn shown(zone: &Zone, name: &str, qtype: u16) -> String {
    let query = query(name, qtype);
    let answer = zone.answer(&query);
    let delivery = crate::wire::Delivery { limit: 65_535, age: 0, stale: false, generation: None };
    let records = Sections::read(&answer.deliver(&query, delivery)).unwrap();
    let section = |records: &[Record]| -> String {
        let short = |name: &Name| name.to_string().replace("example.org.", "@");
        let record = |r: &Record| format!(" {} {} {}", short(&r.name), rtype::name(r.rtype), r.ttl);
        records.iter().map(record).collect()
    };
    let Sections { answers, authorities, additionals } = records;
    let sections = [answers, authorities, additionals].map(|records| section(&records));
    format!("{}{}", rcode::name(answer.rcode()), sections.join(" /"))
}

#[test]
fn a_zone_answers_as_the_standard_has_it() {
    let zone = Zone::parse("f", ZONE, &"example.org".parse().unwrap()).unwrap();
    for (name, qtype, expected) in [
        ("web.example.org", rtype::A, "NOERROR web.@ A 3600 web.@ A 3600 / /"),
        ("WEB.example.ORG", rtype::AAAA, "NOERROR / @ SOA 300 /"),
        ("www.example.org", rtype::A, "NOERROR www.@ CNAME 3600 web.@ A 3600 web.@ A 3600 / /"),
        ("www.example.org", rtype::CNAME, "NOERROR www.@ CNAME 3600 / /"),
        ("www.example.org", rtype::MX, "NOERROR www.@ CNAME 3600 / @ SOA 300 /"),
        ("example.org", rtype::SOA, "NOERROR @ SOA 3600 / /"),
        ("example.org", rtype::MX, "NOERROR @ MX 3600 / / mail.@ A 60"),
        ("example.org", rtype::NS, "NOERROR @ NS 3600 / / ns.@ A 3600 ns.@ AAAA 3600"),
        ("example.org", rtype::TXT, "NOERROR @ TXT 600 / /"),
        ("none.example.org", rtype::A, "NXDOMAIN / @ SOA 300 /"),
        ("a.b.example.org", rtype::A, "NOERROR / @ SOA 300 /"),
        ("b.example.org", rtype::A, "NOERROR / @ SOA 300 /"),
        ("x.b.example.org", rtype::A, "NXDOMAIN / @ SOA 300 /"),
        ("y.wild.example.org", rtype::A, "NOERROR y.wild.@ A 3600 / /"),
        ("z.y.wild.example.org", rtype::A, "NOERROR z.y.wild.@ A 3600 / /"),
        ("x.wild.example.org", rtype::A, "NOERROR / @ SOA 300 /"),
        ("y.x.wild.example.org", rtype::A, "NXDOMAIN / @ SOA 300 /"),
        ("wild.example.org", rtype::A, "NOERROR / @ SOA 300 /"),
        ("y.wild.example.org", rtype::MX, "NOERROR / @ SOA 300 /"),
        ("out.example.org", rtype::A, "NOERROR out.@ CNAME 3600 / /"),
        ("gone.example.org", rtype::A, "NXDOMAIN gone.@ CNAME 3600 / @ SOA 300 /"),
        ("sub.example.org", rtype::A, "NOERROR / sub.@ NS 3600 / ns.sub.@ A 3600"),
        ("a.b.sub.example.org", rtype::A, "NOERROR / sub.@ NS 3600 / ns.sub.@ A 3600"),
        (
            "_http._tcp.example.org",
            rtype::SRV,
            "NOERROR _http._tcp.@ SRV 3600 / / web.@ A 3600 web.@ A 3600",
        ),
        ("odd.example.org", 65_280, "NOERROR odd.@ TYPE65280 3600 / /"),
        ("odd.example.org", rtype::A, "NOERROR odd.@ A 3600 / /"),
        ("odd.example.org", rtype::MX, "NOERROR odd.@ MX 3600 / /"),
        ("host.other.example.org", rtype::A, "NOERROR host.other.@ A 3600 / /"),
    ] {
        assert_eq!(shown(&zone, name, qtype), expected, "{name} {qtype}");
    }
    assert!(shown(&zone, "loop1.example.org", rtype::A).starts_with("NOERROR loop1.@ CNAME"));
    assert_eq!(zone.len(), 17);
}

#[test]
fn what_is_wrong_in_a_zone_is_told_with_its_line() {
    const SOA: &str = "$TTL 60\n@ SOA ns a 1 2 3 4 5\n";
    for (text, expected) in [
        ("", "f:1 - Error during parsing: no SOA record for the zone example.org."),
        ("www A 192.0.2.1", "f:1 - Error during parsing: no TTL"),
        ("$TTL 60\n  A 192.0.2.1", "f:2 - Error during parsing: the first record has no name"),
        ("SOA\nwww A 192.0.2.256", "f:4 - Error during parsing: `192.0.2.256`: an IPv4 address"),
        ("SOA\nwww A 192.0.2.1 x", "f:4 - Error during parsing: unexpected `x` behind the data"),
        ("SOA\nwww A", "f:4 - Error during parsing: an IPv4 address is expected"),
        ("SOA\nwww B x", "f:4 - Error during parsing: `B` is not a record type"),
        ("SOA\nwww", "f:4 - Error during parsing: a record type is expected"),
        ("SOA\nwww CH A 192.0.2.1", "f:4 - Error during parsing: class CH is not served"),
        (
            "SOA\nwww.example.net. A 192.0.2.1",
            "f:4 - Error during parsing: www.example.net. is outside",
        ),
        (
            "SOA\nwww A 192.0.2.1\nwww CNAME x",
            "f:5 - Error during parsing: www.example.org. is an alias",
        ),
        ("SOA\n@ SOA ns a 1 2 3 4 5", "f:4 - Error during parsing: example.org. can't have a SOA"),
        ("SOA\nwww NAPTR 1", "f:4 - Error during parsing: data of type NAPTR is only read as"),
        ("SOA\nwww TYPE9 \\# 2 0", "f:4 - Error during parsing: `0` is not 2 bytes in hexadecimal"),
        ("SOA\nwww NS \\# 3 010203", "f:4 - Error during parsing: this is not data of type NS"),
        ("SOA\nwww NS \\# 2 c00c", "f:4 - Error during parsing: this is not data of type NS"),
        ("SOA\nwww NS \\# 4 01610000", "f:4 - Error during parsing: this is not data of type NS"),
        ("SOA\nwww A \\# 3 010203", "f:4 - Error during parsing: this is not data of type A"),
        ("SOA\nwww MX \\# 1 00", "f:4 - Error during parsing: this is not data of type MX"),
        ("SOA\n$INCLUDE x", "f:4 - Error during parsing: $INCLUDE is not supported"),
        ("SOA\n$FOO x", "f:4 - Error during parsing: unknown directive $FOO"),
        ("SOA\n$TTL x", "f:4 - Error during parsing: `x` is not a time"),
        ("SOA\nwww A (\n192.0.2.1", "f:4 - Error during parsing: a parenthesis is not closed"),
    ] {
        let text = text.replace("SOA\n", &format!("{SOA}\n"));
        let error =
            Zone::parse("f", &text, &"example.org".parse().unwrap()).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{text}: {error}");
    }
}

proptest::proptest! {
    /// Any text is read or refused, with a line that it has.
    #[test]
    fn no_text_breaks_the_parser(text in "([a-z@*.]{0,4}[ \t\n();\"\\\\]{1,2}(A|SOA|TXT|MX|IN|60|\\$TTL|[0-9.]{1,9}| ){0,3}){0,12}") {
        let zone = Zone::parse("f", &text, &"example.org".parse().unwrap());
        if let Err(error) = zone {
            assert!((1..=text.split('\n').count()).contains(&error.place.line), "{error}");
        }
    }
}
