//! Servers that are dead, slow, confused or hostile; ports that are taken; a stop in the middle.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::RecordType;
use xc_dns::{Config, Error, Server, Timing, Upstreams};

use crate::common::{
    DNSMASQ, Dnsmasq, PATIENCE, Proxy, Scripted, address_answer, any, coded, data, edns_query,
    free_address, query, udp,
};

/// A server that never answers, for as long as the socket lives.
fn silent() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind(any()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

#[test]
fn a_dead_server_gives_servfail_in_time() {
    assert!(Timing::default().give_up < PATIENCE);
    let (_socket, silent) = silent();
    for (servers, warning) in [
        (vec![free_address()], "refused"),
        (vec![silent], "no answer"),
        (vec![silent, free_address()], "no answer"),
    ] {
        let proxy = Proxy::to(&servers);
        let answer = udp(proxy.address, &query("www.test.", RecordType::A));
        assert_eq!(answer.metadata.response_code, ResponseCode::ServFail);
        let line = proxy.event(warning);
        assert!(line.contains("loopback"), "{line}");
        proxy.event("SERVFAIL failed");
    }
}

#[test(needs = [DNSMASQ])]
fn the_next_server_answers_when_one_fails() {
    let dnsmasq = Dnsmasq::start();
    let (_socket, silent) = silent();
    let broken = Scripted::start(|query| vec![coded(query, ResponseCode::ServFail)]);
    let refusing = Scripted::start(|query| vec![coded(query, ResponseCode::Refused)]);
    for (what, servers) in [
        ("nobody listens", vec![free_address()]),
        ("silence", vec![silent]),
        ("SERVFAIL", vec![broken.address]),
        ("REFUSED", vec![refusing.address]),
        ("all of it", vec![free_address(), broken.address, silent, refusing.address]),
    ] {
        let proxy = Proxy::to(&[servers, vec![dnsmasq.address]].concat());
        let answer = udp(proxy.address, &query("www.test.", RecordType::A));
        assert_eq!(data(&answer), ["10.0.0.1"], "{what}");
        proxy.event(&format!("NOERROR forward {}", dnsmasq.address));
    }
}

#[test]
fn a_silent_server_is_asked_last_from_then_on() {
    let (socket, silent) = silent();
    let good = Scripted::start(|query| vec![address_answer(query, [10, 0, 0, 1], 0)]);
    let proxy = Proxy::to(&[silent, good.address]);
    for name in ["a.test.", "b.test.", "c.test."] {
        assert_eq!(data(&udp(proxy.address, &query(name, RecordType::A))), ["10.0.0.1"]);
    }
    // The first query went to the silent server, once more without EDNS, and no other.
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let asked = || {
        let mut buffer = [0; 512];
        let length = socket.recv(&mut buffer).ok()?;
        let query = Message::from_vec(&buffer[..length]).unwrap();
        Some((query.queries[0].name().to_ascii(), query.edns.is_some()))
    };
    let first_two = [asked(), asked()];
    assert_eq!(first_two, [true, false].map(|edns| Some(("a.test.".to_string(), edns))));
    socket.set_nonblocking(true).unwrap();
    assert_eq!(asked(), None, "only the first query went to the silent server");
}

#[test]
fn the_servers_error_comes_through_if_nobody_knows_better() {
    for code in [ResponseCode::ServFail, ResponseCode::Refused, ResponseCode::NXDomain] {
        let server = Scripted::start(move |query| vec![coded(query, code)]);
        let proxy = Proxy::to(&[server.address]);
        for _ in 0..2 {
            let answer = udp(proxy.address, &query("www.test.", RecordType::A));
            assert_eq!(answer.metadata.response_code, code);
        }
        assert_eq!(server.times_asked(), 2, "{code}: not kept, and asked once each");
    }
}

#[test]
fn what_is_no_answer_is_passed_over() {
    let server = Scripted::start(|query| {
        let good = address_answer(query, [10, 0, 0, 1], 60);
        let (mut other_id, mut other_name) = (good.clone(), good.clone());
        other_id.metadata.id ^= 1;
        other_name.queries[0].set_name("evil.test.".parse().unwrap());
        [vec![other_id, other_name, query.clone()], vec![good]].concat()
    });
    let proxy = Proxy::to(&[server.address]);
    let answer = udp(proxy.address, &query("www.test.", RecordType::A));
    assert_eq!(data(&answer), ["10.0.0.1"]);
    assert_eq!(answer.queries[0].name().to_ascii(), "www.test.");
}

#[test]
fn a_server_from_before_edns_is_asked_without() {
    let server = Scripted::start(|query| {
        vec![match query.edns {
            Some(_) => coded(query, ResponseCode::FormErr),
            None => address_answer(query, [10, 0, 0, 1], 60),
        }]
    });
    let proxy = Proxy::to(&[server.address]);
    let answer = udp(proxy.address, &edns_query("www.test.", RecordType::A, 1232));
    assert_eq!(data(&answer), ["10.0.0.1"]);
    assert!(answer.edns.is_some());
}

/// Answers queries without EDNS only, by silence or with this code for the others.
fn without_edns(other: Option<ResponseCode>, address: [u8; 4]) -> Scripted {
    Scripted::start(move |query| match (&query.edns, other) {
        (None, _) => vec![address_answer(query, address, 0)],
        (Some(_), Some(code)) => vec![coded(query, code)],
        (Some(_), None) => vec![],
    })
}

#[test]
fn a_server_that_drops_edns_is_asked_without_and_remembered() {
    for (other, reason) in [
        (None, "answers only queries without EDNS"),
        (Some(ResponseCode::FormErr), "refuses queries with EDNS"),
        (Some(ResponseCode::NotImp), "refuses queries with EDNS"),
    ] {
        let server = without_edns(other, [10, 0, 0, 1]);
        let proxy = Proxy::to(&[server.address]);
        let answer = udp(proxy.address, &query("a.test.", RecordType::A));
        assert_eq!(data(&answer), ["10.0.0.1"], "{reason}");
        let line = proxy.event("warning");
        assert!(line.contains(&format!("server {} {reason}", server.address)), "{line}");
        let before = server.times_asked();
        for _ in 0..3 {
            let answer = udp(proxy.address, &edns_query("a.test.", RecordType::A, 1232));
            assert_eq!(data(&answer), ["10.0.0.1"]);
            assert!(answer.edns.is_some(), "the client speaks it with us");
        }
        assert_eq!(server.times_asked(), before + 3, "at once, each by one query");
        let asked = server.asked.lock().unwrap();
        assert!(asked[before..].iter().all(|query| query.edns.is_none()), "{reason}");
    }
}

#[test]
fn a_preferred_server_that_drops_edns_is_found_out_while_another_answers() {
    let preferred = without_edns(None, [10, 0, 0, 1]);
    let second = Scripted::start(|query| vec![address_answer(query, [10, 0, 0, 2], 0)]);
    let proxy = Proxy::to(&[preferred.address, second.address]);
    assert_eq!(data(&udp(proxy.address, &query("a.test.", RecordType::A))), ["10.0.0.2"]);
    proxy.event("answers only queries without EDNS");
    assert_eq!(data(&udp(proxy.address, &query("b.test.", RecordType::A))), ["10.0.0.1"]);
}

#[test]
fn a_slow_server_keeps_edns() {
    let timing = Timing { plain_after: Duration::from_millis(20), ..Timing::default() };
    let held = std::sync::Mutex::new(Vec::new());
    // What came with EDNS is answered after the same query without it has come, as such.
    let server = Scripted::start(move |query| {
        let mut held = held.lock().unwrap();
        held.push(query.clone());
        if query.edns.is_some() {
            return vec![];
        }
        let first = held.iter().find(|other| other.queries == query.queries).unwrap();
        let mut answer = address_answer(first, [10, 0, 0, 1], 0);
        answer.set_edns(hickory_proto::op::Edns::new());
        vec![answer]
    });
    let mut config = Config::new(vec![any()], Upstreams::Servers(vec![server.address]));
    config.timing = Timing { next_server: timing.give_up, ..timing };
    let proxy = Proxy::start(config);
    assert_eq!(data(&udp(proxy.address, &query("a.test.", RecordType::A))), ["10.0.0.1"]);
    let asked = |index: usize| server.asked.lock().unwrap()[index].edns.is_some();
    assert_eq!((asked(0), asked(1)), (true, false));
    assert!(proxy.event("query").contains("NOERROR"), "and no warning before");
    let address = proxy.address;
    let second = std::thread::spawn(move || udp(address, &query("b.test.", RecordType::A)));
    while server.times_asked() < 3 {
        std::thread::yield_now();
    }
    assert!(asked(2), "asked with EDNS again");
    second.join().unwrap();
}

#[test]
fn a_stale_answer_is_better_than_none_if_wanted() {
    for (stale, expected) in [(0, ResponseCode::ServFail), (3600, ResponseCode::NoError)] {
        let (release, gate) = std::sync::mpsc::channel::<()>();
        // Answers once, with a TTL of a second, then only says SERVFAIL.
        let server = Scripted::start(move |query| {
            vec![match gate.try_recv() {
                Ok(()) => address_answer(query, [10, 0, 0, 1], 1),
                Err(_) => coded(query, ResponseCode::ServFail),
            }]
        });
        release.send(()).unwrap();
        let mut config = Config::new(vec![any()], Upstreams::Servers(vec![server.address]));
        config.stale = Duration::from_secs(stale);
        let proxy = Proxy::start(config);
        let answer = loop {
            let answer = udp(proxy.address, &edns_query("www.test.", RecordType::A, 1232));
            if !proxy.event("query").contains("NOERROR cache") && server.times_asked() > 1 {
                break answer;
            }
        };
        assert_eq!(answer.metadata.response_code, expected);
        if stale > 0 {
            assert_eq!((data(&answer), answer.answers[0].ttl), (vec!["10.0.0.1".into()], 30));
            let edns = format!("{:?}", answer.edns.unwrap());
            assert!(edns.contains("15"), "says that it is stale: {edns}");
        }
    }
}

#[test(needs = [DNSMASQ])]
fn a_taken_port_names_the_server_that_has_it() {
    let dnsmasq = Dnsmasq::start();
    let upstreams = Upstreams::Servers(vec![free_address()]);
    let Err(error) = Server::bind(Config::new(vec![dnsmasq.address], upstreams)) else {
        panic!("bound a taken port");
    };
    let (port, pid) = (dnsmasq.address.port(), dnsmasq.program.0.id());
    assert_eq!(
        error.to_string(),
        format!(
            "port {port} (udp) of 127.0.0.1 is taken by dnsmasq (pid {pid}): stop that server or \
             listen elsewhere"
        )
    );
}

#[test]
fn forwarding_to_itself_is_refused() {
    let own = free_address();
    let result = Server::bind(Config::new(vec![own], Upstreams::Servers(vec![own])));
    assert!(matches!(result, Err(Error::ForwardsToSelf(address)) if address == own));
}

#[test]
fn a_circle_of_proxies_is_seen_at_once() {
    let second = free_address();
    let first = Proxy::to(&[second]);
    let second = Proxy::start(Config::new(vec![second], Upstreams::Servers(vec![first.address])));
    // A blink, not the time after which a server is given up on: nobody waits for anybody.
    for proxy in [&first, &second] {
        let answer = udp(proxy.address, &query("www.test.", RecordType::A));
        assert_eq!(answer.metadata.response_code, ResponseCode::ServFail);
    }
    first.event("has been here before");
    first.event("SERVFAIL circle");
    second.event("SERVFAIL forward");
}

#[test]
fn a_stop_answers_what_was_asked_before() {
    let (release, gate) = std::sync::mpsc::channel::<()>();
    let (enter, entered) = std::sync::mpsc::channel::<()>();
    let server = Scripted::start(move |query| {
        enter.send(()).unwrap();
        gate.recv().unwrap();
        vec![address_answer(query, [10, 0, 0, 1], 0)]
    });
    let mut proxy = Proxy::to(&[server.address]);
    let address = proxy.address;
    let client = std::thread::spawn(move || udp(address, &query("www.test.", RecordType::A)));
    entered.recv_timeout(PATIENCE).expect("the question got through");
    let stopping = std::thread::spawn(move || proxy.stop());
    release.send(()).unwrap();
    assert_eq!(data(&client.join().unwrap()), ["10.0.0.1"]);
    stopping.join().unwrap();
    assert!(UdpSocket::bind(address).is_ok(), "the port is free again");
}

#[test]
fn too_many_at_once_are_told_so() {
    let (_socket, silent) = silent();
    let mut config = Config::new(vec![any()], Upstreams::Servers(vec![silent]));
    config.limits.waiting = 1;
    let proxy = Proxy::start(config);
    let address = proxy.address;
    let waiting = std::thread::spawn(move || udp(address, &query("a.test.", RecordType::A)));
    let both = [udp(address, &query("b.test.", RecordType::A)), waiting.join().unwrap()];
    assert!(both.iter().all(|answer| answer.metadata.response_code == ResponseCode::ServFail));
    proxy.event("SERVFAIL busy");
    proxy.event("SERVFAIL failed");
}
