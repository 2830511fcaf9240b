//! A workspace of a test's own, the program in it, and what a test asks of the machine.

pub(crate) mod capture;
pub(crate) mod dns;
pub(crate) mod host;
pub(crate) mod machine;
pub(crate) mod need;
pub(crate) mod running;
pub(crate) mod schema;
pub(crate) mod throwaway;
pub(crate) mod tmux;
pub(crate) mod tool;
pub(crate) mod viewer;

use std::ffi::OsString;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use assert_cmd::Command;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tempfile::TempDir;

use running::Cluster;

/// How long what a test reads may be in coming, on a machine however busy: without it a program that goes
/// on and says something else would keep all tests from their end.
const PATIENCE: Duration = Duration::from_secs(120);

/// Groups of the tests, apart from a developer's own cluster.
const MULTICAST_BASE: &str = "160";
/// A cluster with a name of its own takes free ports.
const CLUSTER: &str = "tests";

/// An empty home with its own run directory, lock file and images. The cache is shared by all
/// tests, so that packages are fetched once; a test of the cache takes one of its own.
pub(crate) struct Workspace {
    home: TempDir,
    run: TempDir,
    store: PathBuf,
    variables: Vec<(String, String)>,
}

impl Workspace {
    /// A workspace with the shared cache, for nodes with one processor each.
    pub(crate) fn new() -> Self {
        let mut workspace = Self::with_store(Path::new(env!("CARGO_TARGET_TMPDIR")).join("store"));
        // A node with one processor boots with three quarters of the work, where it is emulated.
        workspace.set("__smp", "1");
        workspace
    }

    /// A workspace with a cache of its own, empty.
    pub(crate) fn fresh() -> Self {
        let mut workspace = Self::with_store(PathBuf::new());
        workspace.store = workspace.home.path().join("store");
        workspace
    }

    /// As [`Workspace::fresh`], in memory, where syncing costs nothing: for hundreds of builds.
    pub(crate) fn in_memory() -> Self {
        let mut workspace = Self::in_directory("/dev/shm", PathBuf::new());
        workspace.store = workspace.home.path().join("store");
        workspace
    }

    fn with_store(store: PathBuf) -> Self {
        Self::in_directory("/tmp", store)
    }

    fn in_directory(directory: &str, store: PathBuf) -> Self {
        // Paths of sockets are short: at most 108 bytes.
        let short = || tempfile::Builder::new().prefix("xcb-").tempdir_in(directory).unwrap();
        Self { home: short(), run: short(), store, variables: Vec::new() }
    }

    /// Sets a variable for all commands that follow.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.variables.push((name.into(), value.into()));
    }

    /// The workspace's home directory.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// The directory that run directories are made in.
    pub(crate) fn run_directory(&self) -> &Path {
        self.run.path()
    }

    /// The environment of the program in this workspace, whole.
    pub(crate) fn environment(&self) -> Vec<(String, OsString)> {
        let own: [(&str, OsString); 6] = [
            ("PATH", std::env::var_os("PATH").unwrap_or_default()),
            ("HOME", self.home.path().into()),
            ("XCBUILD_STORE", self.store.clone().into()),
            ("XCBUILD_RUN", self.run.path().into()),
            ("XCLUSTER_MCAST_BASE", MULTICAST_BASE.into()),
            ("__cluster", CLUSTER.into()),
        ];
        let own = own.into_iter().map(|(n, v)| (n.to_owned(), v));
        own.chain(self.variables.iter().map(|(n, v)| (n.clone(), v.into()))).collect()
    }

    /// The program with arguments, in this workspace, with nothing else in its environment.
    pub(crate) fn xcbuild(&self, arguments: &[&str]) -> Command {
        Command::from_std(self.command(arguments))
    }

    /// The same, to be run beside the test.
    pub(crate) fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_xcbuild"));
        command.args(arguments).env_clear().envs(self.environment());
        command
    }

    /// Runs the program, which has to succeed, and gives its stdout.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let done = self.xcbuild(arguments).assert().success();
        String::from_utf8(done.get_output().stdout.clone()).unwrap()
    }

    /// Runs the program, which has to fail with that exit code, and gives its stderr.
    pub(crate) fn fails(&self, arguments: &[&str], code: i32) -> String {
        let done = self.xcbuild(arguments).assert().failure().code(code);
        assert_eq!(done.get_output().stdout, b"", "a failure says nothing on stdout");
        String::from_utf8(done.get_output().stderr.clone()).unwrap()
    }

    /// The only cluster of the tests, ended when dropped.
    pub(crate) fn cluster(&self) -> Cluster {
        Cluster::of(self)
    }
}

/// Reads what comes until a text is in it; what it read, then, or a failure at the end.
pub(crate) fn read_until(from: &mut (impl Read + AsFd), text: &str) -> String {
    let until = Instant::now() + PATIENCE;
    let mut so_far = Vec::new();
    loop {
        let more = read_within(from, until);
        so_far.extend(more.iter().flatten());
        let seen = String::from_utf8_lossy(&so_far).into_owned();
        if seen.contains(text) {
            return seen;
        }
        let more = more.unwrap_or_else(|| panic!("`{text}` did not come in {PATIENCE:?}: {seen}"));
        assert!(!more.is_empty(), "`{text}` did not come: {seen}");
    }
}

/// What comes next, nothing at the end; `None` if the time is over before.
fn read_within(from: &mut (impl Read + AsFd), until: Instant) -> Option<Vec<u8>> {
    let left = Timespec::try_from(until.saturating_duration_since(Instant::now())).unwrap();
    #[expect(clippy::disallowed_methods, reason = "a test that is not to rely on what it tests")]
    let ready = poll(&mut [PollFd::new(from, PollFlags::IN)], Some(&left)).unwrap();
    if ready == 0 {
        return None;
    }
    let mut part = vec![0; 4096];
    let count = from.read(&mut part).unwrap();
    part.truncate(count);
    Some(part)
}
