//! Hosts files and the cluster's zone, as dig sees them.

use std::fs;
use std::time::Duration;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use xc_dns::{Config, Upstreams};

use crate::common::{
    DIG, Proxy, Scripted, address_answer, any, data, dig, free_address, query, udp,
};

#[test(needs = [DIG])]
fn own_names_are_answered_and_followed() {
    let dir = tempfile::tempdir().unwrap();
    let hosts = dir.path().join("hosts");
    fs::write(&hosts, "192.168.0.1 vm-001\n1000::1:192.168.0.1 vm-001\n192.0.2.1 www.example\n")
        .unwrap();
    // Nobody listens there: what is forwarded fails.
    let mut config = Config::new(vec![any()], Upstreams::Servers(vec![free_address()]));
    config.hosts.push(hosts.clone());
    config.zone = Some("xcluster".parse().unwrap());
    config.names.push(("vm-002.xcluster".parse().unwrap(), "192.168.0.2".parse().unwrap()));
    config.timing.look_at_files = Duration::ZERO;
    let proxy = Proxy::start(config);
    for (question, status, expected) in [
        ("vm-001.xcluster A", "NOERROR", "192.168.0.1\n"),
        ("vm-001.xcluster AAAA", "NOERROR", "1000::1:c0a8:1\n"),
        ("vm-001 A", "NOERROR", "192.168.0.1\n"),
        ("-x 192.168.0.1", "NOERROR", "vm-001.xcluster.\n"),
        ("-x 1000::1:192.168.0.1", "NOERROR", "vm-001.xcluster.\n"),
        ("vm-002.xcluster A +tcp", "NOERROR", "192.168.0.2\n"),
        ("www.example A", "NOERROR", "192.0.2.1\n"),
        ("www.example AAAA", "NOERROR", ""),
        ("vm-003.xcluster A", "NXDOMAIN", ""),
        ("www.other A", "SERVFAIL", ""),
    ] {
        assert_eq!(dig(proxy.address, &format!("{question} +short")), expected, "{question}");
        let whole = dig(proxy.address, question);
        assert!(whole.contains(&format!("status: {status}")), "{question}: {whole}");
        assert_eq!(whole.contains("flags: qr aa"), status != "SERVFAIL", "{question}: {whole}");
    }
    fs::write(&hosts, "192.168.0.3 vm-003\n").unwrap();
    assert_eq!(dig(proxy.address, "vm-003.xcluster A +short"), "192.168.0.3\n");
    proxy.event("reloaded");
}

#[test]
fn lines_of_a_hosts_file_that_are_not_understood_are_reported() {
    let dir = tempfile::tempdir().unwrap();
    let hosts = dir.path().join("hosts");
    fs::write(&hosts, "192.0.2.1 www.example\n192.0.2.300 spoofed.example\nnonsense\n").unwrap();
    // What is forwarded would be answered.
    let outside = Scripted::start(|query| vec![address_answer(query, [10, 0, 0, 1], 0)]);
    let mut config = Config::new(vec![any()], Upstreams::Servers(vec![outside.address]));
    config.hosts.push(hosts.clone());
    config.timing.look_at_files = Duration::ZERO;
    let proxy = Proxy::start(config);
    let line = proxy.event("hosts:2");
    assert!(line.contains(&format!("warning: {}:2: `192.0.2.300`", hosts.display())), "{line}");
    proxy.event("hosts:3: `nonsense` is not an IP address");
    for (name, code, expected) in [
        ("www.example.", ResponseCode::NoError, vec!["192.0.2.1"]),
        ("spoofed.example.", ResponseCode::ServFail, vec![]),
        ("other.example.", ResponseCode::NoError, vec!["10.0.0.1"]),
    ] {
        let answer = udp(proxy.address, &query(name, RecordType::A));
        assert_eq!(
            (answer.metadata.response_code, data(&answer)),
            (code, expected.into_iter().map(String::from).collect()),
            "{name}"
        );
    }
    fs::write(&hosts, "192.0.2.1\n").unwrap();
    udp(proxy.address, &query("www.example.", RecordType::A));
    proxy.event("hosts:1: no name for 192.0.2.1");
}
