//! A resolv.conf that changes under a running proxy. Its servers have port 53, always.

use std::fs;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use hickory_proto::rr::RecordType;
use xc_dns::{Config, Timing, Upstreams};
use xc_harness::Need;

use crate::common::{PATIENCE, Proxy, Scripted, address_answer, any, data, query, udp};

/// Servers on port 53 of loopback addresses that nothing else has; each answers with its number.
fn numbered_servers(network: u8) -> [Scripted; 2] {
    [1, 2].map(|number| {
        let socket = UdpSocket::bind((format!("127.53.{network}.{number}"), 53)).unwrap();
        Scripted::on(socket, move |query| vec![address_answer(query, [10, 0, 0, number], 600)])
    })
}

/// [`numbered_servers`] can be had.
pub(crate) const PORT_53: Need = Need::Check(|| {
    let bound = UdpSocket::bind("127.53.255.1:53");
    bound.map(drop).map_err(|error| format!("no port 53 for test servers: {error}"))
});

#[test(needs = [PORT_53])]
fn the_servers_of_a_changed_resolv_conf_are_asked() {
    let _servers = numbered_servers(0);
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
    // Seen by the next query, also one that the cache could answer: what the old servers said
    // counts no more.
    assert_eq!(ask("a.test."), ["10.0.0.2"]);
    assert_eq!(ask("b.test."), ["10.0.0.2"]);
    assert_eq!(proxy.event("reloaded"), "reloaded forwarding to 127.53.0.2:53");
    // Written anew in two steps, as by many tools, with a moment when it isn't there.
    fs::remove_file(&path).unwrap();
    assert_eq!(ask("c.test."), ["10.0.0.2"]);
    name_server(1);
    assert_eq!(ask("d.test."), ["10.0.0.1"]);
}

/// A resolv.conf, the host's proxy that follows it, and a node's that asks the host's, each with a
/// cache.
struct Chain {
    _dir: tempfile::TempDir,
    path: std::path::PathBuf,
    _servers: [Scripted; 2],
    host: Proxy,
    node: Proxy,
}

impl Chain {
    fn start(network: u8, timing: Timing) -> Self {
        let servers = numbered_servers(network);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("resolv.conf");
        fs::write(&path, format!("nameserver 127.53.{network}.1\n")).unwrap();
        let mut config = Config::new(vec![any()], Upstreams::ResolvConf(path.clone()));
        config.timing = timing;
        let host = Proxy::start(config);
        let mut config = Config::new(vec![any()], Upstreams::Servers(vec![host.address]));
        config.timing = timing;
        let node = Proxy::start(config);
        Self { _dir: dir, path, _servers: servers, host, node }
    }

    fn ask(&self, name: &str) -> Vec<String> {
        data(&udp(self.node.address, &query(name, RecordType::A)))
    }
}

#[test(needs = [PORT_53])]
fn a_node_forgets_what_it_has_when_the_hosts_resolv_conf_changes() {
    let timing = Timing { look_at_files: Duration::ZERO, ..Timing::default() };
    let timing = Timing { confirm: Duration::ZERO, ..timing };
    let chain = Chain::start(1, timing);
    for _ in 0..2 {
        assert_eq!(chain.ask("a.test."), ["10.0.0.1"]);
        assert_eq!(chain.ask("b.test."), ["10.0.0.1"]);
    }
    fs::write(&chain.path, "nameserver 127.53.1.2\n").unwrap();
    assert_eq!(chain.ask("a.test."), ["10.0.0.2"]);
    assert_eq!(chain.ask("b.test."), ["10.0.0.2"]);
    let line = chain.node.event("reloaded");
    assert_eq!(line, format!("reloaded what {} knows; the cache is empty", chain.host.address));
    let generation =
        |proxy: &Proxy| data(&udp(proxy.address, &query("generation.xc-dns.", RecordType::TXT)));
    let (host, node) = (generation(&chain.host), generation(&chain.node));
    assert_eq!((host.len(), node.len()), (1, 2), "{host:?} {node:?}");
    assert_eq!(node[1], format!("{} {}", host[0], chain.host.address));
    let upstreams = data(&udp(chain.host.address, &query("upstreams.xc-dns.", RecordType::TXT)));
    assert_eq!(upstreams, ["127.53.1.2:53"]);
}

#[test(needs = [PORT_53])]
fn a_change_reaches_a_node_within_a_second() {
    let timing = Timing::default();
    assert!(timing.look_at_files + timing.confirm < Duration::from_secs(1));
    let chain = Chain::start(2, timing);
    assert_eq!(chain.ask("a.test."), ["10.0.0.1"]);
    fs::write(&chain.path, "nameserver 127.53.2.2\n").unwrap();
    let changed = Instant::now();
    // Asked all the time, so that the cache has what there is to have.
    let mut asked = 0;
    while chain.ask("a.test.") == ["10.0.0.1"] {
        asked += 1;
        assert!(changed.elapsed() < PATIENCE, "the old answer is still there");
    }
    let took = changed.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}, {asked} old answers");
    assert_eq!(chain.ask("a.test."), ["10.0.0.2"]);
}

#[test(needs = [PORT_53])]
fn the_cache_answers_while_the_host_is_silent() {
    let timing = Timing { confirm: Duration::ZERO, ..Timing::default() };
    let mut chain = Chain::start(3, timing);
    assert_eq!(chain.ask("a.test."), ["10.0.0.1"]);
    chain.node.event("forward");
    chain.host.stop();
    assert_eq!(chain.ask("a.test."), ["10.0.0.1"]);
    let line = chain.node.event("query");
    assert!(line.contains("NOERROR cache"), "{line}");
}
