//! `xcbuild dns serve` by hand, without a cluster.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};

use xc_harness::Need;

use crate::common::Workspace;
use crate::common::dns::{DNSMASQ, NAME, Upstream, V4};

/// The proxy, ended when dropped, and what it said when it was ready.
struct Proxy {
    child: Child,
    ready: String,
}

impl Proxy {
    fn start(workspace: &Workspace, arguments: &[String]) -> Self {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut command = workspace.command(&[&["dns", "serve"], arguments.as_slice()].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        Self { child, ready }
    }

    /// Ends it; what it said on stderr.
    fn end(mut self) -> String {
        self.child.kill().unwrap();
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        said
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test(needs = [DNSMASQ, Need::Program("dig")])]
fn all_addresses_are_listened_on_and_each_answers_for_itself() {
    let workspace = Workspace::new();
    let upstream = Upstream::start();
    let hosts = workspace.home().join("hosts");
    std::fs::write(&hosts, "192.0.2.1 good.test.example\n192.0.2.300 bad.test.example\n").unwrap();
    let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let port = free.to_string();
    for listen in [vec!["0.0.0.0"], vec!["0.0.0.0", "::"], vec!["127.0.0.1", "127.0.0.2"]] {
        let mut arguments = vec![format!("--port={port}"), format!("--hosts={}", hosts.display())];
        arguments.push(format!("--dns-upstream={}", upstream.address()));
        arguments.extend(listen.iter().map(|address| format!("--listen={address}")));
        let proxy = Proxy::start(&workspace, &arguments);
        assert!(proxy.ready.starts_with("ready "), "{listen:?}: {}", proxy.ready);
        // dig takes no answer from another address than it asked.
        for server in ["127.0.0.1", "127.0.0.2"] {
            for transport in ["+notcp", "+tcp"] {
                let words = [&format!("@{server}"), "-p", &port, "+short", "+time=3", transport];
                let dig = Command::new("dig").args(words).args([NAME, "A"]).output().unwrap();
                let answer = String::from_utf8_lossy(&dig.stdout).into_owned();
                assert_eq!(answer.trim(), V4, "{server} {transport} of {listen:?}");
            }
        }
        let said = proxy.end();
        let warning = format!("warning: {}:2: `192.0.2.300` is not an IP address", hosts.display());
        assert!(said.contains(&warning), "{said}");
    }
}
