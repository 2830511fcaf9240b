//! TCP clients that are too many, say nothing, or nonsense.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use hickory_proto::rr::RecordType;
use xc_dns::{Config, Upstreams};

use crate::common::{PATIENCE, Proxy, any, free_address, query, tcp};

/// A proxy with one name of its own and nobody to ask.
fn proxy(change: impl FnOnce(&mut Config)) -> Proxy {
    let mut config = Config::new(vec![any()], Upstreams::Servers(vec![free_address()]));
    config.names.push(("vm.test".parse().unwrap(), "10.0.0.1".parse().unwrap()));
    change(&mut config);
    Proxy::start(config)
}

/// Whether the server hangs up, having said nothing.
fn is_hung_up_on(mut stream: TcpStream) -> bool {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    match stream.read(&mut [0; 1]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn who_says_nothing_is_hung_up_on() {
    let proxy = proxy(|config| config.timing.tcp_idle = Duration::from_millis(50));
    for beginning in [b"".as_slice(), b"\x00", b"\x00\x20half a query"] {
        let mut stream = TcpStream::connect(proxy.address).unwrap();
        stream.write_all(beginning).unwrap();
        assert!(is_hung_up_on(stream), "{beginning:?}");
    }
}

/// Whether a query on this connection is answered.
fn is_served(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let bytes = query("vm.test.", RecordType::A).to_vec().unwrap();
    // A connection that was hung up on may still take what is written.
    let _ = stream.write_all(&[&(bytes.len() as u16).to_be_bytes(), bytes.as_slice()].concat());
    let mut length = [0; 2];
    let answered = stream.read_exact(&mut length);
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    answered.and_then(|()| stream.read_exact(&mut answer)).is_ok()
}

#[test]
fn one_too_many_is_hung_up_on_and_the_others_are_served() {
    let proxy = proxy(|config| config.limits.tcp_clients = 1);
    let connect = || TcpStream::connect(proxy.address).unwrap();
    let mut seated = connect();
    for _ in 0..2 {
        assert!(is_served(&mut seated));
        assert!(is_hung_up_on(connect()));
    }
    drop(seated);
    // The seat is free as soon as the server has seen that its client has gone.
    assert!((0..1000).any(|_| is_served(&mut connect())));
}

#[test]
fn nonsense_is_answered_or_hung_up_on_and_harms_nobody() {
    let proxy = proxy(|_| {});
    for (message, answered) in [
        (b"".as_slice(), false),
        (b"GET / HTTP/1.1\r\n\r\n", true),
        (&[0; 12], true),
        (&[0xff; 300], false),
    ] {
        let mut stream = TcpStream::connect(proxy.address).unwrap();
        stream.write_all(&(message.len() as u16).to_be_bytes()).unwrap();
        stream.write_all(message).unwrap();
        assert_eq!(is_hung_up_on(stream), !answered, "{message:?}");
    }
    assert_eq!(tcp(proxy.address, &[query("vm.test.", RecordType::A)])[0].answers.len(), 1);
}
