//! Clusters while they run, and their end, whatever becomes of the test.

use std::io::Write;
use std::ops::Deref;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use xc_harness::Fixture;

use super::Workspace;
use super::need::QEMU;

/// Reads what it needs, waits for the end of its standard input, which comes with that of the process
/// that holds the other end, and cleans up. Neither its command line nor its environment names the
/// workspace: tests look for processes that do.
const WATCH: &str = "read -r program && read -r HOME && read -r XCBUILD_RUN || exit
    cat >/dev/null
    export HOME XCBUILD_RUN
    $program stop --all
    rm -rf -- $HOME $XCBUILD_RUN";

/// The lane of tests whose machines take no ports of the host: those on hosts to throw away, and disks
/// that boot by themselves. All others are in the lane without a name.
pub(crate) const NAMESPACE_LANE: &str = "namespaces";

/// The right to run a cluster; `stop` is run when it is dropped. If this process is killed before, a
/// watcher does that, so that nothing is left running.
pub(crate) struct Cluster {
    stop: Command,
    watcher: Child,
}

impl Cluster {
    /// The right to run one in that workspace.
    ///
    /// # Panics
    /// If the test is not `serial`: two clusters may want the same ports of the host.
    pub(super) fn of(workspace: &Workspace) -> Self {
        xc_harness::assert_serial();
        let mut watcher = Command::new("sh");
        watcher.args(["-c", WATCH]).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        watcher.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // Not of the terminal's group, which a Ctrl-C ends.
        let mut watcher = watcher.process_group(0).spawn().unwrap();
        let (home, run) = (workspace.home().display(), workspace.run_directory().display());
        let lines = format!("{}\n{home}\n{run}\n", env!("CARGO_BIN_EXE_xcbuild"));
        watcher.stdin.as_mut().unwrap().write_all(lines.as_bytes()).unwrap();
        Self { stop: workspace.command(&["stop"]), watcher }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.stop.output();
        let _ = self.watcher.kill();
        let _ = self.watcher.wait();
    }
}

/// A workspace with a running cluster, for tests to share.
pub(crate) struct Running {
    // It is dropped first.
    _cluster: Cluster,
    workspace: Workspace,
}

impl Running {
    /// Starts a cluster by these words of the command line.
    pub(crate) fn start(workspace: Workspace, words: &[&str]) -> Self {
        let cluster = workspace.cluster();
        workspace.ok(words);
        Self { _cluster: cluster, workspace }
    }
}

impl Deref for Running {
    type Target = Workspace;

    fn deref(&self) -> &Workspace {
        &self.workspace
    }
}

/// vm-001 and the router vm-201, both on networks 0 and 1.
pub(crate) static PAIR: Fixture<Running> = Fixture::new(&[QEMU], || {
    let words = ["up", "--nvm=1", "--nrouters=1", "--ntesters=0", "network-topology", "iptools"];
    Running::start(Workspace::new(), &words)
});
