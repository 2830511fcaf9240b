//! A resolv.conf that changes under a running proxy. Its servers have port 53, always.

use std::fs;
use std::net::UdpSocket;
use std::time::Duration;

use hickory_proto::rr::RecordType;
use xc_dns::{Config, Upstreams};

use crate::common::{Proxy, Scripted, address_answer, any, data, query, udp};

#[test]
fn the_servers_of_a_changed_resolv_conf_are_asked() {
    let mut servers = Vec::new();
    for number in [1, 2] {
        // Loopback addresses that nothing else has.
        match UdpSocket::bind((format!("127.53.0.{number}"), 53)) {
            Ok(socket) => servers.push(Scripted::on(socket, move |query| {
                vec![address_answer(query, [10, 0, 0, number], 600)]
            })),
            Err(error) => return eprintln!("SKIPPED: no port 53 for test servers: {error}"),
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("resolv.conf");
    let name_server = |number| fs::write(&path, format!("nameserver 127.53.0.{number}\n")).unwrap();
    name_server(1);
    let mut config = Config::new(vec![any()], Upstreams::ResolvConf(path.clone()));
    config.timing.look_at_files = Duration::ZERO;
    let proxy = Proxy::start(config);
    let ask = |name| data(&udp(proxy.address, &query(name, RecordType::A)));
    assert_eq!(ask("a.test."), ["10.0.0.1"]);
    name_server(2);
    // Seen when a server is needed; from then on what the old servers said counts no more.
    assert_eq!(ask("b.test."), ["10.0.0.2"]);
    assert_eq!(ask("a.test."), ["10.0.0.2"]);
    assert_eq!(proxy.event("reloaded"), "reloaded forwarding to 127.53.0.2:53");
    // Written anew in two steps, as by many tools, with a moment when it isn't there.
    fs::remove_file(&path).unwrap();
    assert_eq!(ask("c.test."), ["10.0.0.2"]);
    name_server(1);
    assert_eq!(ask("d.test."), ["10.0.0.1"]);
}
