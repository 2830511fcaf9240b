//! The program as CoreDNS: `forward` and `cache`.

use std::net::UdpSocket;

use hickory_proto::rr::RecordType::{A, TXT};

use crate::common::{DNSMASQ, Dnsmasq, Scripted, address_answer, any, query, udp};
use crate::following::PORT_53;
use crate::stand_in::CoreDns;

fn numbered(number: u8) -> Scripted {
    Scripted::start(move |query| vec![address_answer(query, [10, 0, 0, number], 600)])
}

#[test]
fn names_go_to_the_servers_that_are_named_for_them() {
    let servers: Vec<Scripted> = (1..=4).map(numbered).collect();
    let [one, two, three, four] = [0, 1, 2, 3].map(|index: usize| servers[index].address);
    let corefile = format!(
        ".:{{port}} {{\n bind 127.0.0.1\n forward inner.test {one}\n forward . dns://{two} {{\n  \
         except no.test\n }}\n forward no.test {three} {{\n  policy sequential\n  max_fails 3\n }}\n}}\n\
         org:{{port}} {{\n bind 127.0.0.1\n forward org {four}\n}}\n\
         example.org:{{port}} {{\n bind 127.0.0.1\n forward example.org {one} {four} {{\n  policy \
         round_robin\n }}\n}}\n"
    );
    let server = CoreDns::start(&corefile, &[]);
    for (name, expected) in [
        ("a.inner.test.", "NOERROR 10.0.0.1"),
        ("a.test.", "NOERROR 10.0.0.2"),
        ("a.no.test.", "NOERROR 10.0.0.3"),
        ("a.org.", "NOERROR 10.0.0.4"),
        ("a.example.org.", "NOERROR 10.0.0.1"),
        ("a.example.org.", "NOERROR 10.0.0.4"),
    ] {
        assert_eq!(server.ask(name, A), expected, "{name}");
    }
}

#[test]
fn answers_are_kept_as_the_cache_is_told() {
    let upstream = numbered(1);
    let corefile = format!(
        ".:{{port}} {{\n bind 127.0.0.1\n cache 30 kept.test\n forward . {0}\n}}\n\
         none:{{port}} {{\n bind 127.0.0.1\n forward . {0}\n}}\n",
        upstream.address
    );
    let server = CoreDns::start(&corefile, &[]);
    for (name, asked, ttl) in
        [("a.kept.test.", 1, 30), ("a.other.test.", 2, 30), ("a.none.", 2, 600)]
    {
        let before = upstream.times_asked();
        let ttls = [(); 2].map(|()| udp(server.address, &query(name, A)).answers[0].ttl);
        assert_eq!(upstream.times_asked() - before, asked, "{name}");
        assert!(ttls.iter().all(|seen| (ttl - 2..=ttl).contains(seen)), "{name}: {ttls:?}");
    }
}

#[test(needs = [DNSMASQ, PORT_53])]
fn a_resolv_conf_is_a_target_and_tcp_can_be_forced() {
    let dnsmasq = Dnsmasq::start();
    let socket = UdpSocket::bind(("127.53.9.1", 53)).unwrap();
    let _named = Scripted::on(socket, |query| vec![address_answer(query, [10, 0, 0, 9], 60)]);
    let corefile = format!(
        ".:{{port}} {{\n bind 127.0.0.1\n forward . ./resolv.conf\n errors\n}}\n\
         test:{{port}} {{\n bind 127.0.0.1\n forward . {} {{\n  force_tcp\n }}\n}}\n",
        dnsmasq.address
    );
    let server = CoreDns::start(&corefile, &[("resolv.conf", "nameserver 127.53.9.1\n")]);
    assert_eq!(server.ask("a.other.", A), "NOERROR 10.0.0.9");
    assert_eq!(server.ask("www.test.", A), "NOERROR 10.0.0.1");
    // Only TCP was used: the whole answer is there at once, and truncated for the client.
    let answer = udp(server.address, &query("big.test.", TXT));
    assert!(answer.metadata.truncation);
}

#[test]
fn errors_are_told_where_they_are_wanted() {
    let silent = UdpSocket::bind(any()).unwrap();
    let address = silent.local_addr().unwrap();
    let corefile = format!(".:{{port}} {{\n bind 127.0.0.1\n errors\n forward . {address}\n}}\n");
    let server = CoreDns::start(&corefile, &[]);
    assert_eq!(server.ask("a.test.", A), "SERVFAIL");
    let line = server.line("[WARNING]");
    assert!(line.contains(&format!("server {address}: no answer")), "{line}");
}
