//! Hosts files and the cluster's zone, as dig sees them.

use std::fs;
use std::time::Duration;

use xc_dns::{Config, Upstreams};

use crate::common::{Proxy, any, dig, free_address, installed};

#[test]
fn own_names_are_answered_and_followed() {
    if !installed("dig") {
        return;
    }
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
