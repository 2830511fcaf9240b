//! Stopping a cluster: ends its processes and removes its run directory, whatever its state.
//!
//! The state need not be whole, nor there at all: processes are taken from it and found by their
//! command lines, which name sockets in the run directory. So a cluster whose xcbuild was killed
//! between starting a process and writing down its number is ended all the same. Stopping twice is
//! no error.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rustix::process::Signal;

use super::RunDir;
use super::state::State;
use crate::vm::command::recognise;
use crate::vm::process::{self, ProcessId};

/// How long an xcbuild that is changing the cluster has to undo that when asked to stop.
const OWNER_LIMIT: Duration = Duration::from_secs(60);

/// What a stop ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// Whether there was a cluster, or remains of one.
    pub existed: bool,
    /// How many processes were ended.
    pub processes: usize,
}

/// Stops a cluster. One that is being started or changed is stopped, too: that xcbuild is told to
/// give up.
///
/// # Errors
/// When a process can't be ended or a file not removed; all others are, even then.
pub fn stop(run: &RunDir) -> Result<Stopped> {
    if !run.root().exists() {
        return Ok(Stopped { existed: false, processes: 0 });
    }
    let lock = match run.try_lock()? {
        Some(lock) => lock,
        None => {
            interrupt_owner(run)?;
            run.lock()?
        }
    };
    let stopped = undo(run)?;
    lock.remove()?;
    Ok(stopped)
}

/// Ends all processes of a cluster and removes its directory; the caller has the lock.
pub(super) fn undo(run: &RunDir) -> Result<Stopped> {
    let existed = run.path().exists();
    let processes = processes(run);
    let failed = process::end(&processes);
    if let Some((process, reason)) = failed.first() {
        let more = match failed.len() {
            1 => String::new(),
            n => format!(" (and {} more)", n - 1),
        };
        bail!("can't end process {} of the cluster `{}`: {reason}{more}", process.pid, run.name());
    }
    run.remove()?;
    Ok(Stopped { existed, processes: processes.len() })
}

/// The living processes of a cluster, recorded or not.
fn processes(run: &RunDir) -> Vec<ProcessId> {
    // A state that can't be read is one reason for looking at the command lines.
    let state = State::load(run).ok().flatten();
    let current = state.filter(|s| s.is_from_another_boot().is_ok_and(|another| !another));
    let recorded = current.iter().flat_map(State::processes).filter(|p| p.is_alive());
    let found = find(run).into_iter().map(|(process, _)| process);
    recorded.chain(found).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The processes whose command lines name files of the run directory, with that file.
pub(super) fn find(run: &RunDir) -> Vec<(ProcessId, PathBuf)> {
    let (directory, dns) = (run.path(), run.dns_pid_file());
    process::find(|word| {
        let pid_file =
            || word.strip_prefix(b"--pid-file=").filter(|w| *w == dns.as_os_str().as_bytes());
        let socket = recognise(word).filter(|socket| socket.starts_with(&directory));
        socket.or_else(|| pid_file().map(|_| dns.clone()))
    })
}

/// Asks the xcbuild that has the cluster to give up, and waits until it has.
fn interrupt_owner(run: &RunDir) -> Result<()> {
    let Ok(Some(state)) = State::load(run) else { return Ok(()) };
    if Some(state.owner) == ProcessId::own() {
        return Ok(());
    }
    if let Some(owner) = state.owner.hold()? {
        owner.signal(Signal::TERM)?;
        if !owner.wait(Instant::now() + OWNER_LIMIT) {
            bail!(
                "the xcbuild that has the cluster (process {}) does not give up",
                state.owner.pid
            );
        }
    }
    Ok(())
}
