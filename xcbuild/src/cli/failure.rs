//! Errors as users see them, and exit codes: 0 is success, 1 a failure that stderr explains, 2 an
//! invalid command line, 130 an end by Ctrl-C. `status` and `rsh` have codes of their own, given with
//! them.

use std::process::ExitCode;

use crate::ui;
use xc_sys::cancel::{self, Cancelled};
use xc_sys::exec::ExecError;
use xc_sys::files::{self, Writing};

/// Exit code of a program that the user ended by Ctrl-C, as shells have it.
pub(super) const CANCELLED: u8 = 130;
/// Exit code of an invalid command line.
pub(super) const USAGE: u8 = 2;

/// Shows what the parser found: help that was asked for, or what is wrong.
pub(super) fn usage(e: &clap::Error) -> ExitCode {
    if !e.use_stderr() {
        ui::result_bytes(e.render().to_string().as_bytes());
        return ExitCode::SUCCESS;
    }
    let text = e.render().to_string();
    ui::error(&anyhow::anyhow!("{}", text.trim_start_matches("error: ").trim_end()));
    ExitCode::from(USAGE)
}

/// Shows why a verb failed.
pub(super) fn failed(e: &anyhow::Error) -> ExitCode {
    if cancelled(e) {
        // Its causes may be that not all could be undone.
        ui::warn(ui::causes(e));
        return ExitCode::from(CANCELLED);
    }
    ui::error(e);
    if e.chain().any(is_full) {
        ui::hint(room(e.downcast_ref::<Writing>()));
    }
    ExitCode::FAILURE
}

/// How to get room on the disk that is full.
fn room(writing: Option<&Writing>) -> String {
    match writing {
        Some(Writing(path)) => format!(
            "make room on the disk that has `{}`, or write to another",
            files::parent(path).display()
        ),
        None => "make room by `xcbuild cache gc --max-size=10G`, or have the cache elsewhere by XCBUILD_STORE".into(),
    }
}

/// Whether an error is that the user wants an end.
pub(super) fn cancelled(e: &anyhow::Error) -> bool {
    let by_user = |c: &(dyn std::error::Error + 'static)| {
        c.is::<Cancelled>() || matches!(c.downcast_ref(), Some(ExecError::Cancelled { .. }))
    };
    cancel::requested() && e.chain().any(by_user)
}

/// Whether a file system is full, or the user's part of it.
fn is_full(cause: &(dyn std::error::Error + 'static)) -> bool {
    use std::io::{Error, ErrorKind};
    let kind = cause.downcast_ref::<Error>().map(Error::kind);
    matches!(kind, Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded))
}
