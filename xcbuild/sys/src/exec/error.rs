//! Why a program gave no result, and what to do about it.

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;

use super::Output;

/// How much of a failed program's stderr goes into the error.
const STDERR_LINES: usize = 20;

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

/// The error of a program that ran and did not succeed.
pub fn failure(command: String, status: ExitStatus, output: &Output) -> ExecError {
    ExecError::Failed { command, status, stderr: tail(&output.stderr) }
}

/// The end of what a program wrote to stderr.
pub(super) fn tail(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(STDERR_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::{Exec, ExecError};

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
}
