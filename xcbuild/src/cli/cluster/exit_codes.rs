//! Exit codes of programs that ran in our place.

use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};

use anyhow::Result;

use crate::ui;
use xc_cluster::access::SSH_LOST;
use xc_cluster::liveness::NodeDied;

/// The exit code of a program that ran in our place; one that was ended by a signal gives 128 and
/// the signal's number, as in shells.
pub(crate) fn passed_on(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|s| 128 + s)).unwrap_or(1);
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

/// How ssh or scp ended, passed on; that the node died meanwhile is told, and is 255, as where ssh
/// loses a node.
///
/// # Errors
/// Any other.
pub(crate) fn ended(result: Result<ExitStatus>) -> Result<ExitCode> {
    match result {
        Err(error) if error.is::<NodeDied>() => {
            ui::error(&error);
            Ok(ExitCode::from(SSH_LOST))
        }
        result => Ok(passed_on(result?)),
    }
}
