//! The machine on which a cluster's nodes run: the one boundary to their processes, files, sockets.
//!
//! Whatever is done to a node or seen of it goes by a [`NodeHost`], which the cluster's value carries
//! ([`crate::Cluster`]). This machine is the only implementation now ([`local`]); several hosts will be
//! another. So these are the operations that another has to provide, and no more:
//!
//! | of | operations |
//! |---|---|
//! | processes | start with a log, watch until the end, end, find by a word of their command line, usage |
//! | files that they write | read from a position, length and time, remove; a descriptor that tells of changes |
//! | sockets | connect: qemu's control socket, the console |
//! | the machine | processors, memory |
//!
//! On this side of it stay the run directory with its state and locks, what joins the networks to the
//! machine (see [`crate::network`]), and the plan of a node, which is pure.

mod local;
mod watch;

use std::fmt;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Result;

pub use local::LocalHost;
pub(crate) use watch::{Watch, Woken};
use xc_vm::process::{Held, ProcessId};
use xc_vm::usage::Usage;

/// A machine that runs nodes.
pub trait NodeHost: fmt::Debug + Send + Sync {
    /// Starts a process that outlives us and writes to a log of its own, and whose sockets only our
    /// user may use, with mode 0600. `None` if it has already ended.
    ///
    /// # Errors
    /// When the log can't be written, or the program not be run.
    fn spawn(&self, argv: &[String], log: &Path) -> Result<Option<ProcessId>>;

    /// Whether a process still runs.
    fn is_alive(&self, process: ProcessId) -> bool;

    /// Takes hold of a process: what is given polls readable once it has ended. `None` if it has.
    ///
    /// # Errors
    /// When the host refuses, such as for too many open files.
    fn hold(&self, process: ProcessId) -> Result<Option<Held>>;

    /// Ends processes, first by asking them. Gives those that could not be ended, with the reason.
    fn end(&self, processes: &[ProcessId]) -> Vec<(ProcessId, String)>;

    /// The processes of this user of which some word of the command line is recognised, with the file
    /// that it names.
    fn find(&self, recognize: &dyn Fn(&[u8]) -> Option<PathBuf>) -> Vec<(ProcessId, PathBuf)>;

    /// What a process takes of the machine; `None` if it has ended.
    fn usage(&self, process: ProcessId) -> Option<Usage>;

    /// A descriptor that polls readable once a file in one of the directories has changed.
    ///
    /// # Errors
    /// When a directory isn't there, or the user has too many watches.
    fn watch(&self, directories: &[&Path]) -> Result<Watch>;

    /// The bytes of a file from a position on; none from a file that is not there.
    fn read(&self, file: &Path, from: u64) -> Vec<u8>;

    /// Length and time of a file; `None` if it is not there.
    fn written(&self, file: &Path) -> Option<Written>;

    /// Gives a file the time of now.
    ///
    /// # Errors
    /// When it is not there.
    fn touch(&self, file: &Path) -> Result<()>;

    /// Removes a file, which need not be there.
    ///
    /// # Errors
    /// When the file system refuses.
    fn remove(&self, file: &Path) -> Result<()>;

    /// Connects to a unix socket that a process there listens on.
    ///
    /// # Errors
    /// When no process does.
    fn connect(&self, socket: &Path) -> io::Result<UnixStream>;

    /// How many processors it has.
    fn cores(&self) -> usize;

    /// Its memory.
    ///
    /// # Errors
    /// When the machine does not tell.
    fn memory(&self) -> Result<Memory>;
}

/// What a file is like that another process writes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Its length in bytes.
    pub length: u64,
    /// When it was written to last.
    pub at: SystemTime,
}

/// A machine's memory in MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// What it has in all.
    pub total: u64,
    /// What programs can have of it now, without swapping.
    pub available: u64,
}

/// This machine.
pub fn local() -> Arc<dyn NodeHost> {
    Arc::new(LocalHost::default())
}

/// The length of a file; 0 if it is not there.
pub(crate) fn length(host: &dyn NodeHost, file: &Path) -> u64 {
    host.written(file).map_or(0, |written| written.length)
}
