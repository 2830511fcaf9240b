//! The nodes' program: its command line, its readiness, its end.

use std::fs;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Output};

use hickory_proto::rr::RecordType;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::common::{
    DNSMASQ, Dnsmasq, PATIENCE, Scripted, address_answer, data, free_address, query, udp,
};

fn xc_dns(args: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xc-dns")).args(args.split_whitespace()).output().unwrap()
}

/// A server in the background, by its pidfd since it is nobody's child; killed with its guard.
struct Background(OwnedFd);

impl Background {
    fn find(pid_file: &Path) -> Self {
        let pid: i32 = fs::read_to_string(pid_file).unwrap().trim().parse().unwrap();
        let pid = Pid::from_raw(pid).unwrap();
        Self(pidfd_open(pid, PidfdFlags::empty()).unwrap())
    }

    /// Asks it to end and waits until it has.
    fn end(&self) {
        pidfd_send_signal(&self.0, Signal::TERM).unwrap();
        let patience = Timespec::try_from(PATIENCE).unwrap();
        #[expect(clippy::disallowed_methods, reason = "xc-dns does not know xc-sys")]
        let ended = poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&patience)).unwrap();
        assert_eq!(ended, 1, "SIGTERM ends it");
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = pidfd_send_signal(&self.0, Signal::KILL);
    }
}

#[test]
fn in_the_background_it_is_bound_when_the_command_returns() {
    let upstream = Scripted::start(|query| vec![address_answer(query, [10, 0, 0, 1], 60)]);
    let dir = tempfile::tempdir().unwrap();
    let (pid_file, log) = (dir.path().join("pid"), dir.path().join("log"));
    let listen = free_address();
    let output = xc_dns(&format!(
        "--listen {listen} --listen [::1]:{port} --upstream {upstream} --queries --background \
         --pid-file {pid_file} --log {log}",
        port = listen.port(),
        upstream = upstream.address,
        pid_file = pid_file.display(),
        log = log.display(),
    ));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert!(said.starts_with(&format!("ready on {listen}, [::1]:")), "{said}");
    let server = Background::find(&pid_file);
    let v6 = SocketAddr::new("::1".parse().unwrap(), listen.port());
    for address in [listen, v6] {
        assert_eq!(data(&udp(address, &query("www.test.", RecordType::A))), ["10.0.0.1"]);
    }
    server.end();
    assert!(!pid_file.exists());
    let log = fs::read_to_string(log).unwrap();
    assert!(log.contains("udp NOERROR forward 127.0.0.1:"), "{log}");
    assert!(log.contains("udp NOERROR cache"), "{log}");
}

#[test(needs = [DNSMASQ])]
fn what_does_not_work_is_said_and_the_exit_code_tells() {
    let dnsmasq = Dnsmasq::start();
    let taken = format!("--listen {} --upstream 127.0.0.1:1", dnsmasq.address);
    let own = free_address();
    for (args, code, expected) in [
        (taken.as_str(), 1, "is taken by dnsmasq (pid"),
        (&format!("{taken} --background"), 1, "is taken by dnsmasq (pid"),
        (&format!("--listen {own} --upstream {own}"), 1, "queries would go in a circle"),
        (&format!("--listen {own}"), 1, "no server to forward to"),
        ("--upstream 127.0.0.1", 1, "no address to listen on"),
        ("--hosts /no/such --listen 127.0.0.1:0 --upstream 127.0.0.1", 1, "/no/such"),
        ("--nonsense", 2, "--nonsense"),
        ("--help", 0, ""),
    ] {
        let output = xc_dns(args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args}: {said}");
        assert!(said.contains(expected), "{args}: {said}");
    }
}
