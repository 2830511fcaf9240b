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
//!     <cluster>.lock            held while an xcbuild starts, stops or changes the cluster
//!     .boot-N.lock              held while a node boots: see `boot::slots`
//!     <cluster>.turn.lock       held while an xcbuild starts a single node of it; until its stop
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
//! the run directory. And numbers are used again, so a process is recorded with its start time, and
//! the state with the id of the machine's boot.
//!
//! | module | subject |
//! |---|---|
//! | [`cluster`] | a cluster as one value, to be read, or with its lock to be changed |
//! | [`rundir`], [`lock`], [`state`] | the directory, its locks, its state file |
//! | [`host`] | the machine that runs nodes: processes, files, sockets, behind one trait |
//! | `tail`, `agent`, `console_log`, [`live`] | what nodes say and how it is read; waiting for what happens |
//! | [`start`], `plan`, `boot` | from nodes to commands, to processes, and waiting for what they say |
//! | [`corefile`] | what a CoreDNS of the user's is told |
//! | [`dns`], `helper`, [`memory`] | the DNS proxy, processes that serve the nodes, whether the host has memory |
//! | [`scale`], `power`, `ready` | more and fewer nodes; restart, reset, pause; waiting until they are ready |
//! | [`console`], [`queries`] | the consoles of nodes |
//! | [`link`] | links taken down, up, and impaired, while nodes run |
//! | [`capture`] | where frames of its networks are seen |
//! | [`network`] | what carries the networks: planned, made, undone |
//! | [`stop`], [`status`] | the end, and the truth |
//! | [`name`], [`hint`] | names of clusters; the commands that hints name, errors with hints |
//! | [`key`] | who gets in by ssh |
//! | [`dnscheck`] | at which step the resolution of a name fails |
//! | [`access`], [`liveness`], [`check`] | commands on nodes, also when those die; and whether the networks work |
//!
//! Nothing here reads the environment or prints; parameters are plain data and progress is
//! reported to the caller.

pub mod access;
mod agent;
pub mod boot;
pub mod capture;
pub mod check;
pub mod cluster;
pub mod console;
mod console_log;
pub mod corefile;
pub mod dns;
pub mod dnscheck;
mod helper;
pub mod hint;
pub mod host;
pub mod key;
pub mod link;
pub mod live;
pub mod liveness;
pub mod lock;
pub mod memory;
pub mod name;
pub mod network;
mod plan;
mod power;
pub mod queries;
mod ready;
pub mod rundir;
pub mod scale;
pub mod start;
pub mod state;
pub mod status;
pub mod stop;
mod tail;

pub use cluster::{Cluster, LockedCluster};
pub use hint::{ClusterError, ErrorKind, Hint};
pub use name::{ClusterName, NameError};
pub use rundir::RunDir;
pub use start::{Event, Report, StartParams, start};
pub use status::{Status, status};
pub use stop::{Stopped, stop};

#[cfg(test)]
mod tests;
