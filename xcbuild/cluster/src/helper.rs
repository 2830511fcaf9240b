//! Processes that serve the nodes: started in the order in which they need each other, each ready when it
//! says so in its log.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::host::{NodeHost, Watch, Woken};
use super::tail::{Tail, end_of};
use xc_vm::process::ProcessId;

/// How long one may take to be ready.
const LIMIT: Duration = Duration::from_secs(20);

/// A helper that was started and has yet to be ready.
pub(super) struct Starting {
    host: Arc<dyn NodeHost>,
    /// What errors call it.
    what: &'static str,
    log: PathBuf,
    watch: Watch,
    process: Option<ProcessId>,
}

/// Starts a helper. The log is named after the first of its names, errors have the second.
///
/// # Errors
/// When it can't be started, or its log not written.
pub(super) fn launch(
    host: &Arc<dyn NodeHost>,
    logs: &Path,
    (name, what): (&str, &'static str),
    argv: &[String],
) -> Result<Starting> {
    let log = log_of(logs, name);
    let watch = host.watch(&[logs])?;
    host.remove(&log)?;
    let process = host.spawn(argv, &log)?;
    Ok(Starting { host: host.clone(), what, log, watch, process })
}

impl Starting {
    /// Its process, to be recorded before it is waited for; `None` if it has already ended.
    pub(super) fn process(&self) -> Option<ProcessId> {
        self.process
    }

    /// Waits until it has written a line that begins with `ready` to its log.
    ///
    /// # Errors
    /// When it ends instead, or takes too long; with what it said.
    pub(super) fn ready(self, ready: &str) -> Result<Option<ProcessId>> {
        let Self { host, what, log, watch, process } = self;
        let held = process.map(|process| host.hold(process)).transpose()?.flatten();
        let mut words = Tail::new(&host, &log);
        let deadline = Instant::now() + LIMIT;
        loop {
            let has_ended = held.as_ref().is_none_or(|held| held.wait(Instant::now()));
            if words.lines().iter().any(|line| line.starts_with(ready)) {
                return Ok(process);
            }
            if has_ended {
                bail!(
                    "{what} has ended; the log is {}: {}",
                    log.display(),
                    end_of(&*host, &log, 5)
                );
            }
            if watch.wait(&held.iter().collect::<Vec<_>>(), deadline)? == Woken::TimedOut {
                let limit = LIMIT.as_secs();
                bail!("{what} is not ready after {limit} s; the log is {}", log.display());
            }
        }
    }
}

/// The log of a helper.
pub(super) fn log_of(logs: &Path, name: &str) -> PathBuf {
    logs.join(format!("{name}.log"))
}
