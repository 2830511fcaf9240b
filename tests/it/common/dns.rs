//! A real DNS server on loopback, for the cluster's proxy to ask.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use xc_harness::Need;

/// What it takes.
pub(crate) const DNSMASQ: Need = Need::Program("dnsmasq");
/// The name that the server knows; it stands for the host itself, so that nothing that a node
/// sends to it leaves the machine.
pub(crate) const NAME: &str = "www.test.example";
/// The address of [`NAME`].
pub(crate) const V4: &str = "192.168.0.250";

/// dnsmasq, ended when dropped.
pub(crate) struct Upstream {
    server: Child,
    address: SocketAddr,
}

impl Upstream {
    /// Starts the server on a free port and waits until it answers.
    pub(crate) fn start() -> Self {
        let port = free_port();
        let server = Command::new("dnsmasq")
            .args(["--no-daemon", "--no-resolv", "--no-hosts", "--conf-file=/dev/null"])
            .args(["--listen-address=127.0.0.1", "--bind-interfaces", "--pid-file="])
            .arg(format!("--port={port}"))
            .arg(format!("--address=/{NAME}/{V4}"))
            .arg(format!("--address=/{NAME}/1000::1:{V4}"))
            .stderr(Stdio::null())
            .spawn()
            .expect("dnsmasq");
        let upstream = Self { server, address: (Ipv4Addr::LOCALHOST, port).into() };
        upstream.wait();
        upstream
    }

    /// Where it listens, `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Asks until it answers; an unanswered question is one that came before the server was bound.
    fn wait(&self) {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.connect(self.address).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        // Header with RD and one question; name `x.`, type A, class IN (RFC 1035 section 4.1).
        let question =
            *b"\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01x\x00\x00\x01\x00\x01";
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            let _ = socket.send(&question);
            if socket.recv(&mut [0; 512]).is_ok() {
                return;
            }
        }
        panic!("dnsmasq does not answer at {}", self.address);
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn free_port() -> u16 {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}
