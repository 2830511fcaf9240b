//! Other programs: the one place that starts them.
//!
//! Every command is logged before it runs (`XCBUILD_LOG=debug`), and a failure carries the
//! program, how it ended and the last lines it wrote to stderr. A program that is missing is an
//! error that names the Debian package which has it.
//!
//! A program that is waited for is started in its own process group and ended as a group when
//! the user cancels, so that nothing it started is left behind.

mod bounded;
mod error;
mod find;
mod pipes;
mod run;
mod running;
mod stream;

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Child, Command};

use rustix::fs::Mode;
use rustix::process::Pid;

pub use bounded::Bounded;
pub use error::{ExecError, failure};
pub use find::{find_program, own_program};
pub use run::Output;
pub use running::Running;
pub use stream::{Source, Streamed};

use crate::shell::quote;

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

    pub(super) fn program(&self) -> String {
        self.command.get_program().to_string_lossy().into_owned()
    }

    /// The command as a person would type it, for logs and errors.
    pub fn line(&self) -> String {
        let words = std::iter::once(self.command.get_program()).chain(self.command.get_args());
        words.map(|word| quote(&word.to_string_lossy())).collect::<Vec<_>>().join(" ")
    }
}

fn child_pid(child: &Child) -> Pid {
    Pid::from_child(child)
}

#[cfg(test)]
mod tests {
    use super::Exec;

    #[test]
    fn line_can_be_pasted_into_a_shell() {
        let e = Exec::new("echo").args(["a b", "it's", "", "x=1"]);
        assert_eq!(e.line(), r"echo 'a b' 'it'\''s' '' x=1");
    }
}
