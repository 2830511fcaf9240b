//! Clusters: the running nodes of one user, and the run directory that owns them.
//!
//! A cluster is what its run directory says, for as long as it says so: whatever is made for the
//! cluster is written there first, and [`stop`](stop::stop) undoes what is written. So any later
//! xcbuild finds the cluster again, tells the truth about it and can end it, whether the one that
//! started it ended well, was cancelled, or was killed half way.
//!
//! ```text
//!   <root>/                     0700, ours: $XDG_RUNTIME_DIR/xcbuild or /tmp/xcbuild-<uid>
//!     ports.lock                held while a cluster chooses its ports
//!     <cluster>.lock            held while somebody starts, stops or changes the cluster
//!     .boot-N.lock              held while a node boots: see `boot::slots`
//!     <cluster>.turn.lock       held while somebody starts a single node of it; until its stop
//!     <cluster>/                0700
//!       state.json              what was made or is about to be: see `state`
//!       key                    the cluster's ssh key, if it has one: see `key`
//!       001.qmp  001.console    sockets of node 1's qemu
//!       001.agent               what node 1 said: `hello`, `ready vm-001`, `failed …`
//!       dns.pid                 the DNS proxy's own note
//!   <logs>/                     kept until the next start, 0700
//!     vm-001.console.log        all that was written to node 1's console
//!     vm-001.qemu.log           what its qemu said
//!     dns.log                   what the DNS proxy said: `ready …`, queries
//! ```
//!
//! Two things make up for what can't be written in time. The number of a process is known only
//! after it was started, so processes are also found by their command line, which names a socket in
//! the run directory. And numbers are used anew, so a process is recorded with its start time, and
//! the state with the id of the machine's boot.
//!
//! | module | subject |
//! |---|---|
//! | [`rundir`], [`state`] | the directory, its locks, its state file |
//! | `watch`, `tail`, `words`, [`live`] | waiting for what happens; what nodes say, and how it is read |
//! | [`start`], `plan`, `boot`, `watch` | from nodes to commands, to processes, and waiting for what they say |
//! | [`corefile`] | what a CoreDNS of the user's is told |
//! | [`dns`], `helper`, `spawn`, `memory` | the DNS proxy, processes with logs, whether the host has room |
//! | [`life`], [`console`], [`queries`] | what happens to single nodes, and their consoles |
//! | [`link`] | links taken down, up, and impaired, while nodes run |
//! | [`capture`] | where frames of its networks are seen |
//! | [`network`] | what carries the networks: planned, made, undone |
//! | [`stop`], [`status`] | the end, and the truth |
//! | [`name`], [`hint`] | names of clusters; the commands that hints name, errors with hints |
//! | [`key`] | who gets in by ssh |
//! | [`dnscheck`] | which step of the way of a name fails |
//! | [`access`], [`vigil`], [`check`] | commands on nodes, also when those die; and whether the networks work |
//!
//! Nothing here reads the environment or prints; parameters are plain data and progress is
//! reported to the caller.

pub mod access;
pub mod boot;
pub mod capture;
pub mod check;

pub mod console;
pub mod corefile;
pub mod dns;
pub mod dnscheck;
mod helper;
pub mod hint;
pub mod key;
pub mod life;
pub mod link;
pub mod live;
pub mod memory;
pub mod name;
pub mod network;
mod plan;
pub mod queries;
pub mod rundir;
mod spawn;
pub mod start;
pub mod state;
pub mod status;
pub mod stop;
mod tail;
pub mod vigil;
mod watch;
mod words;

pub use hint::{ClusterError, ErrorKind, Hint};
pub use name::{ClusterName, NameError};
pub use rundir::RunDir;
pub use start::{Event, Report, StartParams, start};
pub use status::{Status, status};
pub use stop::{Stopped, stop};

#[cfg(test)]
mod tests;
