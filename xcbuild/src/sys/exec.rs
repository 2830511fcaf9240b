//! Other programs: the one place that starts them.
//!
//! Every command is logged before it runs (`XCBUILD_LOG=debug`), and a failure carries the
//! program, how it ended and the last lines it wrote to stderr. A program that is missing is an
//! error that names the Debian package which has it.
//!
//! A program that is waited for is started in a process group of its own and ended as a group when
//! the user cancels, so that nothing it started is left behind.

mod bounded;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use rustix::fs::Mode;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

pub use bounded::Bounded;

use super::cancel;
use super::wait::first;
use crate::timeline;

/// How much of a failed program's stderr goes into the error.
const STDERR_LINES: usize = 20;
/// How long a program has to end by itself when it is told to.
const POLITE: Duration = Duration::from_secs(2);
/// How often, and after which pause, a program is tried that somebody has open for writing.
const BUSY: (u32, Duration) = (200, Duration::from_millis(5));
/// How long a pipe is read after the program's end, if somebody else still holds it.
const LINGER: Duration = Duration::from_secs(1);

/// The packages that have the programs we call, for errors that say what to install.
const PACKAGES: &[(&str, &str)] = &[
    ("apt-get", "apt"),
    ("ip", "iproute2"),
    ("mcopy", "mtools"),
    ("mformat", "mtools"),
    ("mke2fs", "e2fsprogs"),
    ("mmd", "mtools"),
    ("nft", "nftables"),
    ("qemu-img", "qemu-utils"),
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("scp", "openssh-client"),
    ("slirp4netns", "slirp4netns"),
    ("ssh", "openssh-client"),
    ("telnet", "telnet"),
    ("unshare", "util-linux"),
];

/// Why a program gave no result.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// There is no such program.
    #[error("program `{program}` is not installed{}", install_hint(program))]
    Missing {
        /// As it was asked for.
        program: String,
    },
    /// It could not be started, or its pipes failed.
    #[error("can't run `{program}`")]
    Io {
        /// As it was asked for.
        program: String,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// It ran and did not succeed.
    #[error("`{command}` {}{}", ending(*status), indented(stderr))]
    Failed {
        /// The whole command, for the reader.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// The last lines of its stderr.
        stderr: String,
    },
    /// The user ended it.
    #[error("cancelled while `{program}` ran")]
    Cancelled {
        /// As it was asked for.
        program: String,
    },
}

impl ExecError {
    /// The exit code that the program ended with, where it ended by itself.
    pub fn code(&self) -> Option<i32> {
        match self {
            Self::Failed { status, .. } => status.code(),
            _ => None,
        }
    }

    /// The end of what it wrote to stderr, where it ran.
    pub fn stderr(&self) -> &str {
        match self {
            Self::Failed { stderr, .. } => stderr,
            _ => "",
        }
    }
}

fn install_hint(program: &str) -> String {
    let name = Path::new(program).file_name().and_then(OsStr::to_str).unwrap_or(program);
    match PACKAGES.iter().find(|(p, _)| *p == name) {
        Some((_, package)) => format!("; it is in the package `{package}`"),
        None => String::new(),
    }
}

fn ending(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => format!("ended with {status}"),
    }
}

fn indented(stderr: &str) -> String {
    stderr.lines().map(|l| format!("\n    {l}")).collect()
}

/// What a program left when it succeeded.
#[derive(Debug, Clone)]
pub struct Output {
    /// All it wrote to stdout.
    pub stdout: Vec<u8>,
    /// All it wrote to stderr.
    pub stderr: Vec<u8>,
}

/// A command to run: program, arguments, environment, directory, input.
#[derive(Debug)]
pub struct Exec {
    pub(super) command: Command,
    stdin: Option<Vec<u8>>,
    /// What a detached program's files and directories are without.
    umask: Mode,
}

impl Exec {
    /// A command without arguments, with our environment, in our directory, with empty input.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self { command: Command::new(program), stdin: None, umask: Mode::RWXG | Mode::RWXO }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(mut self, args: I) -> Self {
        self.command.args(args);
        self
    }

    /// Sets a variable in the program's environment.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Gives the program only the variables that are set after this call.
    #[must_use]
    pub fn env_clear(mut self) -> Self {
        self.command.env_clear();
        self
    }

    /// Runs the program in that directory.
    #[must_use]
    pub fn cwd(mut self, directory: impl AsRef<Path>) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// Has a detached program make its files and sockets without execute permission, too: sockets
    /// of a server are then of mode 0600. None for a program that makes directories.
    #[must_use]
    pub fn makes_only_files(mut self) -> Self {
        self.umask |= Mode::XUSR;
        self
    }

    /// Gives the program those bytes as input.
    #[must_use]
    pub fn stdin_bytes(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    /// Runs it to its end and gives what it wrote to stdout.
    ///
    /// # Errors
    /// [`ExecError`] when it can't be started, fails, or the user cancels.
    pub fn output(self) -> Result<Vec<u8>, ExecError> {
        self.capture().map(|o| o.stdout)
    }

    /// Runs it to its end and gives what it wrote.
    ///
    /// # Errors
    /// [`ExecError`] when it can't be started, fails, or the user cancels.
    pub fn capture(self) -> Result<Output, ExecError> {
        let command = self.line();
        let (status, out) = self.complete()?;
        if status.success() {
            return Ok(out);
        }
        Err(failure(command, status, &out))
    }

    /// Runs it to its end and gives how it ended and what it wrote, whether it succeeded or not.
    ///
    /// # Errors
    /// [`ExecError`] when it can't be started, or the user cancels.
    pub fn complete(self) -> Result<(ExitStatus, Output), ExecError> {
        self.complete_with(end_group)
    }

    /// As [`Exec::complete`], with the way in which the program is ended when the user cancels.
    pub(super) fn complete_with(
        mut self,
        end: impl FnOnce(Pid) + Send + 'static,
    ) -> Result<(ExitStatus, Output), ExecError> {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let program = self.program();
        let _span = timeline::span("run", self.line());
        let input = self.stdin.take();
        self.command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
        let mut child = self.start()?;
        let group = child_pid(&child);
        let watch = cancel::on_cancel(move || end(group));
        let done = communicate(&mut child, group, input);
        if watch.fired() {
            return Err(ExecError::Cancelled { program });
        }
        done.map_err(|source| ExecError::Io { program, source })
    }

    /// Runs it with our own terminal, input and output, and gives how it ended.
    ///
    /// # Errors
    /// [`ExecError`] when it can't be started.
    pub fn status(mut self) -> Result<ExitStatus, ExecError> {
        let program = self.program();
        self.start()?.wait().map_err(|source| ExecError::Io { program, source })
    }

    /// Starts it in a process group of its own, to be read while it runs.
    ///
    /// # Errors
    /// [`ExecError`] when it can't be started.
    pub fn running(mut self) -> Result<Running, ExecError> {
        self.command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        self.command.process_group(0);
        Ok(Running { child: self.start()? })
    }

    /// Becomes the program; returns only if that fails.
    pub fn replace(mut self) -> ExecError {
        tracing::debug!(command = %self.line(), "exec");
        let source = self.command.exec();
        self.error(source)
    }

    /// Starts it in a session of its own, to go on after us: no input, output to those files. What
    /// it makes, its sockets above all, is for our user alone.
    ///
    /// # Errors
    /// [`ExecError`] when it can't be started.
    #[allow(unsafe_code)]
    pub fn detached(mut self, stdout: File, stderr: File) -> Result<Child, ExecError> {
        self.command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
        let mask = self.umask;
        // SAFETY: umask and setsid are async-signal-safe and touch no memory of the parent.
        unsafe {
            self.command.pre_exec(move || {
                rustix::process::umask(mask);
                rustix::process::setsid().map(drop).map_err(Into::into)
            });
        }
        self.start()
    }

    fn start(&mut self) -> Result<Child, ExecError> {
        tracing::debug!(command = %self.line(), "run");
        unless_busy(|| self.command.spawn()).map_err(|source| self.error(source))
    }

    fn error(&self, source: io::Error) -> ExecError {
        let program = self.program();
        // A missing working directory is also ENOENT, and would be blamed on the program.
        let place_is_there = self.command.get_current_dir().is_none_or(Path::is_dir);
        if source.kind() == io::ErrorKind::NotFound && place_is_there {
            ExecError::Missing { program }
        } else {
            ExecError::Io { program, source }
        }
    }

    pub(super) fn program(&self) -> String {
        self.command.get_program().to_string_lossy().into_owned()
    }

    /// The command as a person would type it, for logs and errors.
    pub fn line(&self) -> String {
        let words = std::iter::once(self.command.get_program()).chain(self.command.get_args());
        words.map(quoted).collect::<Vec<_>>().join(" ")
    }
}

/// A program that runs and is read; it is ended when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
}

impl Running {
    /// What it writes to stdout; the first call has it.
    pub fn stdout(&mut self) -> Option<File> {
        self.child.stdout.take().map(|pipe| OwnedFd::from(pipe).into())
    }

    /// Asks it to end, and returns when it has or the time is over; then it is ended the hard way.
    pub fn end(self, within: Duration) {
        let id = child_pid(&self.child);
        let _ = kill_process_group(id, Signal::TERM);
        if let Ok(process) = pidfd_open(id, PidfdFlags::empty()) {
            // Cancelled or not, what is left is ended as it is dropped.
            let _ = first(&[process.as_fd()], Instant::now() + within);
        }
    }

    /// The end of what it wrote to stderr, once it has ended by itself.
    pub fn last_words(&mut self) -> String {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = self.child.stderr.take() {
            // What came before an error is all that there is.
            let _ = pipe.read_to_end(&mut bytes);
        }
        tail(&bytes)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = kill_process_group(child_pid(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}

/// The path of this program, for starting it again.
///
/// # Errors
/// When the kernel does not tell.
pub fn own_program() -> io::Result<PathBuf> {
    std::env::current_exe()
}

/// The program's path when it is found on `path` (the value of `PATH`).
pub fn find_program(name: &str, path: &OsStr) -> Option<PathBuf> {
    let executable =
        |p: &PathBuf| rustix::fs::access(p, rustix::fs::Access::EXEC_OK).is_ok() && p.is_file();
    std::env::split_paths(path).map(|d| d.join(name)).find(executable)
}

/// Tries again while the program's file is open for writing (ETXTBSY). Whoever has just written it has
/// closed it; but a process that another of our threads was starting then has a copy of the
/// descriptor, until it becomes its own program.
fn unless_busy<T>(mut start: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let (tries, pause) = BUSY;
    for _ in 1..tries {
        match start() {
            Err(e) if e.kind() == io::ErrorKind::ExecutableFileBusy => std::thread::sleep(pause),
            done => return done,
        }
    }
    start()
}

fn child_pid(child: &Child) -> Pid {
    Pid::from_child(child)
}

/// Ends a group of processes, politely at first. It runs on the thread of the signals, which must go
/// on at once.
fn end_group(group: Pid) {
    let _ = kill_process_group(group, Signal::TERM);
    std::thread::spawn(move || {
        std::thread::sleep(POLITE);
        let _ = kill_process_group(group, Signal::KILL);
    });
}

/// Feeds stdin and empties both outputs at once, so that no pipe can fill up and block the program.
///
/// The program's own end is the end: what it leaves running in its group is ended with it, and what
/// has left the group and still holds a pipe is not waited for.
fn communicate(
    child: &mut Child,
    group: Pid,
    input: Option<Vec<u8>>,
) -> io::Result<(ExitStatus, Output)> {
    if let (Some(mut pipe), Some(bytes)) = (child.stdin.take(), input) {
        // A program that reads only a part of its input closes the pipe: not our error.
        std::thread::spawn(move || pipe.write_all(&bytes));
    }
    let (stdout, stderr) = (Drain::new(child.stdout.take()), Drain::new(child.stderr.take()));
    let status = child.wait()?;
    let _ = kill_process_group(group, Signal::KILL);
    Ok((status, Output { stdout: stdout.finish()?, stderr: stderr.finish()? }))
}

/// What comes out of a pipe, read by a thread of its own.
struct Drain {
    bytes: Arc<Mutex<Vec<u8>>>,
    end: mpsc::Receiver<io::Result<()>>,
}

impl Drain {
    fn new(pipe: Option<impl Read + Send + 'static>) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let (done, end) = mpsc::channel();
        let into = Arc::clone(&bytes);
        std::thread::spawn(move || {
            // Nobody waits for a pipe that was given up.
            let _ = done.send(pipe.map_or(Ok(()), |pipe| read_into(pipe, &into)));
        });
        Self { bytes, end }
    }

    /// All that came until the pipe's end, or until nobody who matters writes to it.
    fn finish(self) -> io::Result<Vec<u8>> {
        self.end.recv_timeout(LINGER).unwrap_or(Ok(()))?;
        Ok(std::mem::take(&mut self.bytes.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn read_into(mut pipe: impl Read, into: &Mutex<Vec<u8>>) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        match pipe.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(got) => {
                let mut bytes = into.lock().unwrap_or_else(PoisonError::into_inner);
                bytes.extend_from_slice(&buffer[..got]);
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// The error of a program that ran and did not succeed.
pub fn failure(command: String, status: ExitStatus, output: &Output) -> ExecError {
    ExecError::Failed { command, status, stderr: tail(&output.stderr) }
}

fn tail(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(STDERR_LINES)..].join("\n")
}

fn quoted(word: &OsStr) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_=./:,@%+".contains(&b);
    let text = OsString::from(word).to_string_lossy().into_owned();
    if !text.is_empty() && text.bytes().all(plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use super::{BUSY, Exec, ExecError, unless_busy};

    #[test]
    fn output_is_what_the_program_wrote() {
        let out = Exec::new("cat").stdin_bytes("a\nb\n").output().unwrap();
        assert_eq!(out, b"a\nb\n");
    }

    #[test]
    fn large_input_and_output_do_not_block() {
        let bytes = vec![7; 1 << 20];
        assert_eq!(Exec::new("cat").stdin_bytes(bytes.clone()).output().unwrap(), bytes);
    }

    #[test]
    fn what_a_program_leaves_running_is_not_waited_for() {
        let began = std::time::Instant::now();
        let script = "sleep 60 & setsid sleep 61 & echo done; exit 0";
        assert_eq!(Exec::new("sh").args(["-c", script]).output().unwrap(), b"done\n");
        // Not a measurement: with waiting it would be a minute.
        assert!(began.elapsed() < std::time::Duration::from_secs(50));
    }

    #[test]
    fn failure_names_command_code_and_stderr() {
        let e = Exec::new("sh").args(["-c", "echo 'no such thing' >&2; exit 3"]).output();
        let e = e.unwrap_err();
        assert_eq!(e.code(), Some(3));
        let text = e.to_string();
        assert!(text.contains("exit code 3\n    no such thing"), "{text}");
    }

    #[test]
    fn missing_program_names_its_package() {
        let e = Exec::new("/nonexistent/qemu-system-x86_64").output().unwrap_err();
        assert!(matches!(e, ExecError::Missing { .. }));
        assert!(e.to_string().ends_with("it is in the package `qemu-system-x86`"));
    }

    #[test]
    fn missing_directory_is_not_a_missing_program() {
        let e = Exec::new("true").cwd("/nonexistent").output().unwrap_err();
        assert!(matches!(e, ExecError::Io { .. }));
    }

    #[test]
    fn a_program_that_is_being_written_is_waited_for() {
        for (busy, expected) in
            [(0, Ok(1)), (2, Ok(3)), (BUSY.0, Err(ErrorKind::ExecutableFileBusy))]
        {
            let mut tries = 0;
            let done = unless_busy(|| {
                tries += 1;
                if tries > busy { Ok(tries) } else { Err(ErrorKind::ExecutableFileBusy.into()) }
            });
            assert_eq!(done.map_err(|e: Error| e.kind()), expected, "{busy}");
        }
        let missing = unless_busy(|| Err::<(), _>(ErrorKind::NotFound.into()));
        assert_eq!(missing.unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn line_can_be_pasted_into_a_shell() {
        let e = Exec::new("echo").args(["a b", "it's", "", "x=1"]);
        assert_eq!(e.line(), r"echo 'a b' 'it'\''s' '' x=1");
    }
}
