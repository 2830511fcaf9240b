//! Stopping a cluster: ends its processes and removes its run directory, whatever its state.
//!
//! The state need not be whole, nor there at all: processes are taken from it and found by their
//! command lines, which name sockets in the run directory. So a cluster whose xcbuild was killed
//! between starting a process and writing down its number is ended all the same. Stopping twice is
//! no error.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rustix::process::Signal;

use super::RunDir;
use super::host::{self, NodeHost};
use super::lock::ClusterLock;
use super::network;
use super::state::Remains;
use xc_vm::command::recognise;
use xc_vm::process::ProcessId;

/// How long an xcbuild that is changing the cluster has to undo that when asked to stop.
const OWNER_LIMIT: Duration = Duration::from_secs(60);

/// How the words begin that name the DNS proxy's file of the run directory in its command line.
const PROXY_WORDS: [&str; 2] = ["--pid-file=", "--pidfile="];

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
    let stopped = undo(&lock)?;
    run.remove_boot_queue()?;
    lock.remove()?;
    Ok(stopped)
}

/// Ends all processes of a cluster and removes its directory.
pub(super) fn undo(lock: &ClusterLock) -> Result<Stopped> {
    let (run, host) = (lock.run(), host::local());
    let existed = run.path().exists();
    let remains = Remains::read(run);
    let processes = processes(&*host, run, &remains);
    let failed = host.end(&processes);
    if let Some((process, reason)) = failed.first() {
        let more = match failed.len() {
            1 => String::new(),
            n => format!(" (and {} more)", n - 1),
        };
        bail!("can't end process {} of the cluster `{}`: {reason}{more}", process.pid, run.name());
    }
    if let Some(network) = remains.network {
        network.teardown()?;
    }
    run.remove()?;
    Ok(Stopped { existed, processes: processes.len() })
}

/// The living processes of a cluster, recorded or not.
fn processes(host: &dyn NodeHost, run: &RunDir, remains: &Remains) -> Vec<ProcessId> {
    // A state that is damaged is one reason for looking at the command lines.
    let recorded = remains.processes.iter().copied().filter(|p| host.is_alive(*p));
    let found = find(host, run).into_iter().map(|(process, _)| process);
    recorded.chain(found).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The processes whose command lines name files of the run directory, with that file.
pub(super) fn find(host: &dyn NodeHost, run: &RunDir) -> Vec<(ProcessId, PathBuf)> {
    let directory = run.path();
    let ours = |path: PathBuf| (path.parent() == Some(&directory)).then_some(path);
    host.find(&|word| {
        let proxy = PROXY_WORDS.iter().find_map(|start| word.strip_prefix(start.as_bytes()));
        let named = proxy.map(|path| PathBuf::from(OsStr::from_bytes(path)));
        let of_network = || network::recognize(run, word);
        recognise(word).or(named).and_then(ours).or_else(of_network)
    })
}

/// Asks the xcbuild that has the cluster to give up, and waits until it has.
fn interrupt_owner(run: &RunDir) -> Result<()> {
    let Some(recorded) = Remains::read(run).owner else { return Ok(()) };
    if Some(recorded) == ProcessId::own() {
        return Ok(());
    }
    if let Some(owner) = recorded.hold()? {
        owner.signal(Signal::TERM)?;
        if !owner.wait(Instant::now() + OWNER_LIMIT) {
            bail!("the xcbuild that has the cluster (process {}) does not give up", recorded.pid);
        }
    }
    Ok(())
}
