//! The DNS proxy of a cluster: a process on the host that its nodes ask.
//!
//! Which program that is, the caller says. It is told its port and a pid file, by whose path in its
//! command line it is found again, and is ready when it writes a line that starts with `ready`.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::RunDir;
use super::spawn::{remove_if_there, spawn};
use super::state::State;
use super::watch::{Tail, Watch, Woken, end_of};
use crate::vm::process::ProcessId;

/// How long it may take to bind its ports.
const LIMIT: Duration = Duration::from_secs(20);

/// Starts the cluster's DNS proxy, if it has one, and returns when its ports are bound.
///
/// # Errors
/// When it ends instead, or takes too long; with what it said.
pub(super) fn start(run: &RunDir, state: &mut State) -> Result<()> {
    let log = log_of(&state.logs);
    let watch = Watch::new(&[&state.logs])?;
    let Some(dns) = &mut state.dns else { return Ok(()) };
    remove_if_there(&log)?;
    dns.process = spawn(&dns.argv, &log)?;
    let process = dns.process;
    state.save(run)?;
    let held = process.map(ProcessId::hold).transpose()?.flatten();
    let mut words = Tail::new(&log);
    let deadline = Instant::now() + LIMIT;
    loop {
        let has_ended = held.as_ref().is_none_or(|held| held.wait(Instant::now()));
        if words.lines().iter().any(|line| line.starts_with("ready")) {
            return Ok(());
        }
        if has_ended {
            bail!(ended(&state.logs));
        }
        if watch.wait(&held.iter().collect::<Vec<_>>(), deadline)? == Woken::TimedOut {
            bail!(
                "the DNS proxy is not ready after {} s; the log is {}",
                LIMIT.as_secs(),
                log.display()
            );
        }
    }
}

fn log_of(logs: &Path) -> PathBuf {
    logs.join("dns.log")
}

/// What is said when the proxy has ended.
pub(super) fn ended(logs: &Path) -> String {
    let log = log_of(logs);
    format!("the DNS proxy has ended; the log is {}: {}", log.display(), end_of(&log, 5))
}
