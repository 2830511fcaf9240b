//! The DNS proxy of a cluster: a process on the host that its nodes ask.
//!
//! Which program that is, the caller says. It is told its port and a pid file, by whose path in its
//! command line it is found again, and is ready when it writes a line that starts with `ready`.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::state::State;
use super::watch::end_of;
use super::{RunDir, helper};

/// What its log is named after.
const NAME: &str = "dns";

/// Starts the cluster's DNS proxy, if it has one, and returns when its ports are bound.
///
/// # Errors
/// When it ends instead, or takes too long; with what it said.
pub(super) fn start(run: &RunDir, state: &mut State) -> Result<()> {
    helper::start(run, state, (NAME, "the DNS proxy"), "ready", |state| state.dns.as_mut())
        .map(drop)
}

fn log_of(logs: &Path) -> PathBuf {
    helper::log_of(logs, NAME)
}

/// What is said when the proxy has ended.
pub(super) fn ended(logs: &Path) -> String {
    let log = log_of(logs);
    format!("the DNS proxy has ended; the log is {}: {}", log.display(), end_of(&log, 5))
}
