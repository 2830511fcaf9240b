//! The DNS proxy of a cluster: a process on the host that its nodes ask.
//!
//! Which program that is, the caller says. It is told its port and a pid file, by whose path in its
//! command line it is found again, and is ready when it writes a line that starts with `ready`.

use std::net::{Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use super::cluster::LockedCluster;
use super::host::NodeHost;
use super::state::{Dns, DnsProgram};
use super::tail::end_of;
use super::{corefile, helper};

/// How long a server that is there may take to say so.
const ANSWER: Duration = Duration::from_secs(1);
/// In the third byte of a DNS message (RFC 1035 section 4.1.1).
const IS_ANSWER: u8 = 0x80;
/// The version of the server, `version.bind` of class CH: whatever it says, it asks no other server.
const QUESTION: &[u8] =
    b"xb\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07version\x04bind\x00\x00\x10\x00\x03";
/// What its log is named after.
const NAME: &str = "dns";

/// Starts the cluster's DNS proxy, if it has one, and returns when its ports are bound.
///
/// # Errors
/// When it ends instead, or takes too long; with what it said.
pub(super) fn start(cluster: &mut LockedCluster) -> Result<()> {
    let state = cluster.state();
    let Some(Dns { service, helper }) = &state.dns else { return Ok(()) };
    let ready = match service.program {
        DnsProgram::Own => "ready",
        DnsProgram::CoreDns(_) => corefile::READY,
    };
    let names = (NAME, "the DNS proxy");
    let starting = helper::launch(cluster.host(), &state.logs, names, &helper.argv)?;
    let process = starting.process();
    cluster.update(|state| {
        if let Some(dns) = &mut state.dns {
            dns.helper.process = process;
        }
    })?;
    starting.ready(ready).map(drop)
}

/// Whether a DNS server answers on 127.0.0.1 at that port.
pub(super) fn answers(port: u16) -> bool {
    let ask = || -> std::io::Result<bool> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect((Ipv4Addr::LOCALHOST, port))?;
        socket.set_read_timeout(Some(ANSWER))?;
        socket.send(QUESTION)?;
        let mut answer = [0; 512];
        // Where no server listens, the kernel says so at once.
        let got = socket.recv(&mut answer)?;
        Ok(got >= 12 && answer[..2] == QUESTION[..2] && answer[2] & IS_ANSWER != 0)
    };
    ask().unwrap_or(false)
}

fn log_of(logs: &Path) -> PathBuf {
    helper::log_of(logs, NAME)
}

/// What is said when the proxy has ended.
pub(super) fn ended(host: &dyn NodeHost, logs: &Path) -> String {
    let log = log_of(logs);
    format!("the DNS proxy has ended; the log is {}: {}", log.display(), end_of(host, &log, 5))
}
