//! A node's serial console: what was and is written to it, and typing on it.
//!
//! qemu serves one client of the console's socket at a time, and writes all output to a log as
//! well. So what is shown comes from the log, for any number of viewers alike, and the socket is only
//! for typing: the first viewer has it, and a lock that tells the others so; they watch. Connecting
//! again for each key would not do: qemu throws away what it has not read when a client hangs up.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcsetattr};

use super::console_log::{failure_excerpt, panicked};
use super::host::{NodeHost, Watch, local};
use super::tail::{Tail, end_of};
use super::{Cluster, RunDir};
use xc_sys::lock::Lock;
use xc_topology::address::NodeId;
use xc_vm::process::Held;

/// What detaches a viewer: Ctrl-], as in telnet.
pub const DETACH: u8 = 0x1d;

/// How many lines of the past a console starts with.
const PAST: usize = 20;

/// The file that holds all that a node wrote to its console since its qemu was started.
///
/// # Errors
/// When the cluster has no such node.
pub fn log(run: &RunDir, node: NodeId) -> Result<PathBuf> {
    let cluster = Cluster::open(run)?;
    cluster.node(node)?;
    Ok(cluster.files(node).console_log)
}

/// The lines on a node's console that tell how it ended; none if it is not in the cluster.
pub fn end(run: &RunDir, node: NodeId) -> String {
    log(run, node).map(|log| failure_excerpt(&*local(), &log)).unwrap_or_default()
}

/// As many of the last lines that a node wrote to its console; none if it is not in the cluster.
pub fn end_lines(run: &RunDir, node: NodeId, lines: usize) -> String {
    log(run, node).map(|log| end_of(&*local(), &log, lines)).unwrap_or_default()
}

/// Why a node's kernel came to its end, if it did and the node has not booted since.
pub fn panic(run: &RunDir, node: NodeId) -> Option<String> {
    let cluster = Cluster::open(run).ok()?;
    panicked(&**cluster.host(), &cluster.files(node))
}

/// Gives what a node wrote to its console to `output`, piece by piece, and then what it goes on to
/// write, until its qemu ends.
///
/// # Errors
/// When the cluster has no such node, or the user cancels.
pub fn follow(run: &RunDir, node: NodeId, output: &mut dyn FnMut(&[u8])) -> Result<()> {
    let cluster = Cluster::open(run)?;
    cluster.node(node)?;
    let log = cluster.files(node).console_log;
    let (watch, mut tail) = (cluster.watch_logs()?, Tail::new(cluster.host(), &log));
    let held = cluster.hold(node)?;
    loop {
        let ended = held.as_ref().is_none_or(|held| held.wait(Instant::now()));
        output(&tail.bytes());
        if ended {
            return Ok(());
        }
        watch.wait(&held.iter().collect::<Vec<_>>(), None)?;
    }
}

/// Joins a node's console: `output` gets the last lines and all that comes, `input` is handed over
/// as it is typed, until [`DETACH`], its end, or the end of qemu. A terminal is set to raw meanwhile.
///
/// # Errors
/// When the node does not run, or the user cancels.
pub fn attach(
    run: &RunDir,
    node: NodeId,
    input: BorrowedFd<'_>,
    output: &mut dyn FnMut(&[u8]),
) -> Result<()> {
    let cluster = Cluster::open(run)?;
    cluster.node(node)?;
    let (host, files) = (cluster.host(), cluster.files(node));
    let (watch, mut tail) = (cluster.watch_logs()?, Tail::from_end(host, &files.console_log));
    let Some(held) = cluster.hold(node)? else { bail!("{node} does not run") };
    wait_for_socket(&cluster, &files.console, &held)?;
    let keyboard = Keyboard::take(&**host, &files.console)?;
    if keyboard.is_none() {
        output(b"Another user types on this console; you only watch.\n");
    }
    output(format!("{}\n", end_of(&**host, &files.console_log, PAST)).as_bytes());
    let _raw = Raw::set(input)?;
    let mut typed = [0_u8; 1024];
    loop {
        let socket = keyboard.as_ref().map(|k| k.socket.as_fd());
        let inputs: Vec<_> = std::iter::once(input).chain(socket).collect();
        let readable = watch.wait_with(&[&held], &inputs, None)?;
        output(&tail.bytes());
        if held.wait(Instant::now()) {
            return Ok(());
        }
        if let (Some(keyboard), Some(true)) = (&keyboard, readable.get(1)) {
            keyboard.drain()?;
        }
        if readable.first() != Some(&true) {
            continue;
        }
        let count = rustix::io::read(input, &mut typed).context("can't read what is typed")?;
        let detach = typed[..count].iter().position(|byte| *byte == DETACH);
        if let Some(keyboard) = &keyboard {
            keyboard.type_in(&typed[..detach.unwrap_or(count)])?;
        }
        if count == 0 || detach.is_some() {
            return Ok(());
        }
    }
}

/// A qemu that was started a moment ago has yet to make its sockets.
fn wait_for_socket(cluster: &Cluster, socket: &Path, held: &Held) -> Result<()> {
    let watch = cluster.host().watch(&[&cluster.run().path()])?;
    while cluster.host().written(socket).is_none() && !held.wait(Instant::now()) {
        watch.wait(&[held], None)?;
    }
    Ok(())
}

/// The one connection to a console on which can be typed.
struct Keyboard {
    socket: UnixStream,
    _lock: Lock,
}

impl Keyboard {
    /// Takes it, unless another viewer has it.
    fn take(host: &dyn NodeHost, path: &Path) -> Result<Option<Self>> {
        let Some(lock) = Lock::try_exclusive(&lock_of(path))? else { return Ok(None) };
        let connect = || {
            let socket = host.connect(path)?;
            socket.set_nonblocking(true)?;
            std::io::Result::Ok(socket)
        };
        let socket = connect().with_context(|| format!("no console at `{}`", path.display()))?;
        Ok(Some(Self { socket, _lock: lock }))
    }

    fn type_in(&self, bytes: &[u8]) -> Result<()> {
        // A node that reads nothing for so long that the socket is full loses what is typed.
        match (&self.socket).write_all(bytes) {
            Err(e) if e.kind() == ErrorKind::WouldBlock => Ok(()),
            result => result.context("can't write to the console"),
        }
    }

    /// Takes what qemu sends, which is in the log too, so that it never waits for us.
    fn drain(&self) -> Result<()> {
        let mut bytes = [0_u8; 4096];
        loop {
            match (&self.socket).read(&mut bytes) {
                // The end of qemu, which its process tells better.
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(e) => return Err(e).context("can't read from the console"),
            }
        }
    }
}

/// The lock of who types on the console with that socket.
pub(super) fn lock_of(console: &Path) -> PathBuf {
    console.with_extension("console.lock")
}

impl Cluster {
    fn watch_logs(&self) -> Result<Watch> {
        self.host().watch(&[&self.state().logs])
    }
}

/// A terminal that hands over every key as it is typed, until dropped.
struct Raw<'a> {
    terminal: BorrowedFd<'a>,
    before: Option<Termios>,
}

impl<'a> Raw<'a> {
    fn set(terminal: BorrowedFd<'a>) -> Result<Self> {
        if !isatty(terminal) {
            return Ok(Self { terminal, before: None });
        }
        let before = tcgetattr(terminal).context("can't read the terminal's settings")?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(terminal, OptionalActions::Now, &raw).context("can't set the terminal to raw")?;
        Ok(Self { terminal, before: Some(before) })
    }
}

impl Drop for Raw<'_> {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // A terminal that has gone needs no settings.
            let _ = tcsetattr(self.terminal, OptionalActions::Now, before);
        }
    }
}
