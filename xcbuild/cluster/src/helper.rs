//! Processes beside the nodes: started in the order in which they need each other, each ready when it
//! says so in its log.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::RunDir;
use super::spawn::{remove_if_there, spawn};
use super::state::{Helper, State};
use super::tail::{Tail, end_of};
use super::watch::{Watch, Woken};
use xc_vm::process::ProcessId;

/// How long one may take to be ready.
const LIMIT: Duration = Duration::from_secs(20);

/// Starts a helper that is in the state, if it is, and returns when it has written a line that
/// begins with `ready` to its log. The log is named after the first of its names, errors have the
/// second.
///
/// # Errors
/// When it ends instead, or takes too long; with what it said.
pub(super) fn start(
    run: &RunDir,
    state: &mut State,
    (name, what): (&str, &str),
    ready: &str,
    of: impl Fn(&mut State) -> Option<&mut Helper>,
) -> Result<Option<ProcessId>> {
    let log = log_of(&state.logs, name);
    let watch = Watch::new(&[&state.logs])?;
    let Some(helper) = of(state) else { return Ok(None) };
    remove_if_there(&log)?;
    helper.process = spawn(&helper.argv, &log)?;
    let process = helper.process;
    state.save(run)?;
    let held = process.map(ProcessId::hold).transpose()?.flatten();
    let mut words = Tail::new(&log);
    let deadline = Instant::now() + LIMIT;
    loop {
        let has_ended = held.as_ref().is_none_or(|held| held.wait(Instant::now()));
        if words.lines().iter().any(|line| line.starts_with(ready)) {
            return Ok(process);
        }
        if has_ended {
            bail!("{what} has ended; the log is {}: {}", log.display(), end_of(&log, 5));
        }
        if watch.wait(&held.iter().collect::<Vec<_>>(), deadline)? == Woken::TimedOut {
            let limit = LIMIT.as_secs();
            bail!("{what} is not ready after {limit} s; the log is {}", log.display());
        }
    }
}

/// The log of a helper.
pub(super) fn log_of(logs: &Path, name: &str) -> PathBuf {
    logs.join(format!("{name}.log"))
}
