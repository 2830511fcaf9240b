//! Commands that hints name, and errors that carry hints.
//!
//! A hint is a value: what an error says about itself and what helps are apart, and the command line
//! decides how both look. A command is made from the [`ClusterName`] that it is about and brings
//! `--cluster` by itself, so that whoever follows a hint hits that cluster and no other.

use std::fmt;

use crate::ClusterName;

/// A command of ours on a cluster, to be shown to the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    cluster: ClusterName,
    sudo: bool,
    verb: String,
    arguments: String,
}

impl ClusterName {
    /// The command that does `line`, a verb and what comes after it, on this cluster.
    pub fn command(&self, line: impl fmt::Display) -> Command {
        let line = line.to_string();
        let (verb, arguments) = line.split_once(' ').unwrap_or((&line, ""));
        Command {
            cluster: self.clone(),
            sudo: false,
            verb: verb.into(),
            arguments: arguments.into(),
        }
    }

    /// That this cluster does not run, and what starts it.
    pub fn not_running(&self) -> ClusterError {
        let start = self.command(if self.is_default() { "up" } else { "start" });
        ClusterError::new(ErrorKind::NotRunning, format_args!("the cluster `{self}` does not run"))
            .with_hint(start.hint("starts one"))
    }
}

impl Command {
    /// The same command, as root and with the user's environment.
    pub fn by_sudo(self) -> Self {
        Self { sudo: true, ..self }
    }

    /// The command as a hint, with what it does: `starts one`.
    pub fn hint(self, effect: impl fmt::Display) -> Hint {
        Hint { command: self, effect: effect.to_string() }
    }
}

/// In backquotes, as texts name commands.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cluster, sudo, verb, arguments } = self;
        write!(f, "`{}xcbuild {verb}", if *sudo { "sudo -E " } else { "" })?;
        if !cluster.is_default() {
            write!(f, " --cluster={cluster}")?;
        }
        if !arguments.is_empty() {
            write!(f, " {arguments}")?;
        }
        f.write_str("`")
    }
}

/// A command that helps, and what it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// The command.
    pub command: Command,
    /// What it does, as the sentence goes on: `starts one`.
    pub effect: String,
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.command, self.effect)
    }
}

/// What kind of failure it is, for callers that decide by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// There is no such cluster, or none of its nodes is alive.
    NotRunning,
    /// A node is dead, paused, or in a state where it can't do what was asked.
    NodeUnavailable,
    /// What is saved of a cluster can't be understood.
    Damaged,
    /// What is saved of a cluster is another version's.
    OtherVersion,
    /// What was asked for is there already, or its parts are not.
    Conflict,
}

/// A failure with hints; shown without them unless the caller renders them, see [`hints`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ClusterError {
    /// What kind of failure it is.
    pub kind: ErrorKind,
    /// What failed, and why.
    pub message: String,
    /// What helps.
    pub hints: Vec<Hint>,
}

impl ClusterError {
    /// A failure that nothing is known to help against.
    pub fn new(kind: ErrorKind, message: impl fmt::Display) -> Self {
        Self { kind, message: message.to_string(), hints: Vec::new() }
    }

    /// The failure with one hint more.
    pub fn with_hint(mut self, hint: Hint) -> Self {
        self.hints.push(hint);
        self
    }
}

/// The hints that an error and its causes carry.
pub fn hints(error: &anyhow::Error) -> impl Iterator<Item = &Hint> {
    error.chain().filter_map(|cause| cause.downcast_ref::<ClusterError>()).flat_map(|e| &e.hints)
}

/// What kind of failure an error or one of its causes is.
pub fn kind(error: &anyhow::Error) -> Option<ErrorKind> {
    error.chain().find_map(|cause| cause.downcast_ref::<ClusterError>()).map(|e| e.kind)
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::{ErrorKind, hints, kind};
    use crate::ClusterName;

    fn name(text: &str) -> ClusterName {
        text.parse().unwrap()
    }

    #[test]
    fn commands_are_for_the_cluster_that_is_meant() {
        let (default, ci) = (ClusterName::default(), name("ci"));
        for (command, expected) in [
            (default.command("rsh 1 ip route"), "`xcbuild rsh 1 ip route`"),
            (ci.command("rsh 1 ip route"), "`xcbuild rsh --cluster=ci 1 ip route`"),
            (ci.command("stop"), "`xcbuild stop --cluster=ci`"),
            (ci.command("link").by_sudo(), "`sudo -E xcbuild link --cluster=ci`"),
        ] {
            assert_eq!(command.to_string(), expected);
        }
    }

    #[test]
    fn errors_carry_hints_through_contexts() {
        for (cluster, expected) in [
            (ClusterName::default(), "`xcbuild up` starts one"),
            (name("ci"), "`xcbuild start --cluster=ci` starts one"),
        ] {
            let error = cluster.not_running();
            assert_eq!(error.kind, ErrorKind::NotRunning);
            assert_eq!(error.to_string(), format!("the cluster `{cluster}` does not run"));
            let error = Err::<(), _>(error).context("context").unwrap_err();
            assert_eq!(kind(&error), Some(ErrorKind::NotRunning));
            assert_eq!(hints(&error).map(ToString::to_string).collect::<Vec<_>>(), [expected]);
        }
    }
}
