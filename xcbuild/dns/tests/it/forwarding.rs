//! What a server knows comes through unharmed, and comes once.

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use xc_dns::{Config, Upstreams};

use crate::common::{
    DIG, DNSMASQ, Dnsmasq, Proxy, Scripted, UNBOUND, Unbound, address_answer, any, data, dig,
    edns_query, free_address, query, tcp, udp,
};

/// dig's answer without what may differ: times, sizes, ids, TTLs, order.
fn answer_of(server: std::net::SocketAddr, args: &str) -> Vec<String> {
    let answer = dig(server, &format!("{args} +nottlid +nostats +nocmd +nocomments +noedns"));
    let mut lines: Vec<String> = answer.lines().map(str::to_string).collect();
    lines.sort();
    lines
}

#[test(needs = [DIG, DNSMASQ, UNBOUND])]
fn dig_sees_the_same_with_and_without_the_proxy() {
    let (dnsmasq, unbound) = (Dnsmasq::start(), Unbound::start());
    for (server, questions) in [
        (
            dnsmasq.address,
            vec!["www.test A", "www.test AAAA", "alias.test A", "test MX", "big.test TXT +tcp"],
        ),
        (unbound.address, vec!["www.test A", "odd.test TYPE65280", "none.test A", "test SOA"]),
    ] {
        let mut config = Config::new(vec![any()], Upstreams::Servers(vec![server]));
        config.listen.push("[::1]:0".parse().unwrap());
        let proxy = Proxy::start(config);
        for question in questions {
            let expected = answer_of(server, question);
            for (address, transport) in proxy.addresses.iter().flat_map(|a| [(a, ""), (a, "+tcp")])
            {
                let found = answer_of(*address, &format!("{question} {transport}"));
                assert_eq!(found, expected, "{question} {transport} at {address}");
            }
        }
    }
}

#[test(needs = [DNSMASQ])]
fn the_second_time_it_is_in_the_cache() {
    let dnsmasq = Dnsmasq::start();
    let proxy = Proxy::to(&[dnsmasq.address]);
    for (name, rtype, source, expected) in [
        ("www.test.", RecordType::A, "forward", "10.0.0.1"),
        ("WWW.test.", RecordType::A, "cache", "10.0.0.1"),
        ("www.test.", RecordType::AAAA, "forward", "fd00::1"),
        ("www.test.", RecordType::AAAA, "cache", "fd00::1"),
    ] {
        let answer = udp(proxy.address, &query(name, rtype));
        assert_eq!(data(&answer), [expected]);
        assert_eq!(answer.queries[0].name().to_ascii(), name, "the client's own case");
        let line = proxy.event("query");
        assert!(line.contains(&format!("NOERROR {source} ")), "{line}");
    }
}

#[test]
fn ttls_are_lowered_to_the_limit() {
    let server = Scripted::start(|query| vec![address_answer(query, [10, 0, 0, 1], 86_400)]);
    let proxy = Proxy::to(&[server.address]);
    for _ in ["forward", "cache"] {
        let answer = udp(proxy.address, &query("a.test.", RecordType::A));
        assert!((2900..=3000).contains(&answer.answers[0].ttl), "{}", answer.answers[0].ttl);
    }
    assert_eq!(server.times_asked(), 1);
}

#[test(needs = [DNSMASQ])]
fn what_does_not_fit_is_truncated_and_whole_by_tcp() {
    let dnsmasq = Dnsmasq::start();
    let proxy = Proxy::to(&[dnsmasq.address]);
    for question in
        [query("big.test.", RecordType::TXT), edns_query("big.test.", RecordType::TXT, 4096)]
    {
        let answer = udp(proxy.address, &question);
        assert!(answer.metadata.truncation && answer.answers.is_empty());
        assert_eq!(answer.edns.is_some(), question.edns.is_some(), "EDNS to whom speaks it");
    }
    let whole = tcp(proxy.address, &[query("big.test.", RecordType::TXT)]);
    assert!(!whole[0].metadata.truncation);
    assert_eq!(whole[0].answers.len(), 1);
    assert!(whole[0].to_vec().unwrap().len() > 2400);
}

#[test(needs = [DIG, DNSMASQ])]
fn dig_asks_by_tcp_for_what_is_truncated() {
    let dnsmasq = Dnsmasq::start();
    let proxy = Proxy::to(&[dnsmasq.address]);
    let seen = dig(proxy.address, "big.test TXT");
    assert!(seen.contains("Truncated, retrying in TCP mode") && seen.contains("xxxx"), "{seen}");
}

#[test(needs = [DNSMASQ])]
fn one_connection_takes_many_queries() {
    let dnsmasq = Dnsmasq::start();
    let proxy = Proxy::to(&[dnsmasq.address]);
    let queries: Vec<_> = (0..100)
        .map(|number| {
            let mut query = query(["www.test.", "alias.test."][number % 2], RecordType::A);
            query.metadata.id = number as u16;
            query
        })
        .collect();
    let answers = tcp(proxy.address, &queries);
    let mut ids: Vec<u16> = answers.iter().map(|answer| answer.metadata.id).collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..100).collect::<Vec<_>>());
    assert!(answers.iter().all(|answer| data(answer).contains(&"10.0.0.1".to_string())));
}

#[test]
fn a_wildcard_answers_from_the_address_that_was_asked() {
    let server = Scripted::start(|query| vec![address_answer(query, [10, 0, 0, 1], 60)]);
    let port = free_address().port();
    let listen = ["127.0.0.1", "0.0.0.0", "127.0.0.2"];
    let listen = listen.map(|address| format!("{address}:{port}").parse().unwrap()).to_vec();
    let proxy = Proxy::start(Config::new(listen, Upstreams::Servers(vec![server.address])));
    // The addresses that the wildcard includes are bound with it, not once more.
    assert_eq!(proxy.addresses.len(), 1);
    // The route back to us would choose 127.0.0.1 as the source; the clients are connected to
    // another address and would never see such an answer. Forwarded and cached alike.
    for address in ["127.0.0.1", "127.0.0.2", "127.9.9.9", "127.0.0.2"] {
        let answer = udp(
            (address.parse::<std::net::IpAddr>().unwrap(), proxy.address.port()).into(),
            &query("a.test.", RecordType::A),
        );
        assert_eq!(data(&answer), ["10.0.0.1"], "{address}");
    }
}

#[test]
fn without_recursion_desired_the_cache_answers_or_the_server_decides() {
    let server = Scripted::start(|query| {
        vec![if query.metadata.recursion_desired {
            address_answer(query, [10, 0, 0, 1], 60)
        } else {
            crate::common::coded(query, ResponseCode::Refused)
        }]
    });
    let proxy = Proxy::to(&[server.address]);
    let mut without = query("a.test.", RecordType::A);
    without.metadata.recursion_desired = false;
    let refused = udp(proxy.address, &without);
    assert_eq!(refused.metadata.response_code, ResponseCode::Refused);
    assert!(!refused.metadata.recursion_desired);
    assert_eq!(data(&udp(proxy.address, &query("a.test.", RecordType::A))), ["10.0.0.1"]);
    assert_eq!(data(&udp(proxy.address, &without)), ["10.0.0.1"], "known by now");
}

#[test]
fn equal_questions_under_way_are_asked_once() {
    use std::sync::mpsc::channel;
    let (release, gate) = channel::<()>();
    let server = Scripted::start(move |query| {
        gate.recv().unwrap();
        vec![address_answer(query, [10, 0, 0, 1], 0)]
    });
    let mut config = Config::new(vec![any()], Upstreams::Servers(vec![server.address]));
    config.timing.next_server = config.timing.give_up;
    let proxy = Proxy::start(config);
    // Pipelined on one connection, they have all been read when the last, answered at once, has:
    // a bad query is the marker.
    let mut queries: Vec<_> = (0..10).map(|_| query("a.test.", RecordType::A)).collect();
    queries.push(query("a.test.", RecordType::AXFR));
    let address = proxy.address;
    let client = std::thread::spawn(move || tcp(address, &queries));
    proxy.event("rejected");
    release.send(()).unwrap();
    let answers = client.join().unwrap();
    assert_eq!(answers.iter().filter(|answer| data(answer) == ["10.0.0.1"]).count(), 10);
    assert_eq!(server.times_asked(), 1);
}
