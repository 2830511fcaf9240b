//! What a `tar` script depends on: seen while it runs, kept, and looked at before it runs again.
//!
//! ```text
//!             ┌── no, or not so any more ──> run, watched ──> record ──> trace ──> layer, history
//! history ── is all of a trace still so?
//!             └── yes ──> its layer
//! ```
//!
//! [`xc_sys::trace`] tells every call; [`watch`] makes a [`record`] of them (pure), [`finish`]
//! makes a [`Trace`] of that after the run, [`verify`] compares a trace with the machine as it is,
//! [`history`] keeps traces in the store.
//!
//! # What is recorded
//!
//! | seen | recorded | why so |
//! |---|---|---|
//! | a file read, executed, linked | content, mode, owner | `#!` interpreters and loaders with it: the kernel opens them by itself |
//! | a file only asked for (stat, access) | mode, owner, size | not its times: a checkout has others |
//! | a directory only asked for | mode, owner | |
//! | a directory listed | names and kinds as well | |
//! | a link followed or read | its text | each on the way, so that none can be turned elsewhere |
//! | nothing there | that nothing is there | `which nmap` |
//! | the loader's cache, read by the loader | what it says of the libraries that were looked for | else any new package on the host would rebuild all |
//! | the machine's names (uname) | those names | not if only a shell asked at its start, and its variable is not used |
//! | variables whose names occur in what was read | value, or that it is unset | all, where names may be put together ([`variables`]) |
//!
//! # What is not
//!
//! - What the script made itself, and what lies in its working directory.
//! - Times, inodes, umask; the user: our own ids count as root's, as in layers. The locale is none,
//!   the time zone UTC.
//! - Where the overlay, the home, the archive … are: [`path_roots`] go by name. But a place whose path
//!   shows in the result (a compiler's debug information) counts with its path.
//! - `/proc`, `/sys` and `/dev`, but for the machine's names and versions.
//! - The time, processor features, random numbers of the kernel (getrandom): no call tells of them.
//! - Extended attributes (ACLs, file capabilities): a layer has none.
//!
//! # What is run every time
//!
//! Scripts that use the network, talk to another program of the host, read random devices, call
//! `xcbuild` for more than its helpers, change their root or namespace, read a file that changes
//! meanwhile; and all where the kernel refuses to watch. The reason is reported.

mod finish;
mod found;
mod history;
mod input;
mod loader;
mod path_resolver;
mod path_roots;
mod programs;
mod record;
mod run_context;
mod variables;
mod verify;
mod watch;

pub use finish::{finish, shows};
pub use history::History;
pub use input::Trace;
pub use run_context::RunContext;
pub use verify::{exact_time, file_time};
pub use watch::Watcher;
