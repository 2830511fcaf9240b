//! Programs that are watched while they run: every file that they look at, themselves and all that
//! they start.
//!
//! # How
//!
//! The program is started with a seccomp filter that stops each call of interest and notifies us
//! (`SECCOMP_RET_USER_NOTIF`). We read the call's paths from the stopped task and let it go on
//! (`SECCOMP_USER_NOTIF_FLAG_CONTINUE`, Linux 5.5): nothing is done in its place, so it behaves as
//! without us. Children inherit the filter, whatever they do to their groups, sessions or libraries.
//!
//! # Why not otherwise
//!
//! A tracer (ptrace, strace) stops each task twice a call and costs up to 24 times a copying
//! script's time. A preloaded library costs little, and sees no static program, no program that
//! makes its calls itself (Go), and none that cleared its environment. This costs some 10 µs a call
//! with what is looked up for it (`bench/trace.sh`; `SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP`, Linux 6.6,
//! wakes us on the same core), needs no rights but `no_new_privs`, and sees them all.
//!
//! # What it can't do
//!
//! - A set-id program gains no rights under `no_new_privs`: the watcher sees it before it runs, and
//!   ends the run ([`Flow::End`]), to run the program unwatched.
//! - Calls by other tables of numbers (32-bit programs, x32) are seen and not understood:
//!   [`Call::Unknown`]. io_uring is absent for the program (`ENOSYS`), as on many hosts.
//! - Where the kernel or the container refuses, the program runs unwatched: [`Watched::Not`].
//! - It is not a sandbox: a program may change a path in its memory after we read it.
//!
//! Reference: seccomp_unotify(2), the kernel's `Documentation/userspace-api/seccomp_filter.rst`.

mod call;
mod filter;
mod line;
mod listener;
mod notification;
mod reaper;
mod run;
mod stopped;
mod task;

pub use call::{Call, OpenFlags};
pub use run::{Ended, Options, run};
pub use task::Task;

/// What the watcher of a call wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Let it go on.
    Continue,
    /// End the program and all that it started.
    End,
}

/// Whether a program was watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Watched {
    /// All of it.
    Fully,
    /// Not, and why.
    Not(String),
}

#[cfg(test)]
mod tests;
