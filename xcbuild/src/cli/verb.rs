//! What a verb is to the rest of the command line.
//!
//! A verb is a file in `verbs/` and its line in `verbs/mod.rs`: the arguments with their help, and
//! what is done with them. All else follows from these: dispatch, help, completion, the names that a
//! hook sees.

use std::process::ExitCode;

use anyhow::Result;
use clap::{ArgMatches, Args, Command};

use crate::settings::Variables;

/// A verb: the type of its arguments, whose doc comment is its help.
pub(crate) trait Verb: Args {
    /// What the user types.
    const NAME: &'static str;

    /// Aliases, and whatever else the parser has to know of the command as a whole.
    fn configure(command: Command) -> Command {
        command
    }

    /// Does it, and gives the exit code.
    ///
    /// # Errors
    /// Each verb says which.
    fn run(&self, variables: Variables) -> Result<ExitCode>;
}

/// A verb in the list of all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    /// What the user types.
    pub(crate) name: &'static str,
    /// Its command for the parser.
    pub(crate) command: fn() -> Command,
    /// Does what was parsed.
    pub(crate) run: fn(&ArgMatches, Variables) -> Result<ExitCode>,
}

impl Entry {
    /// The entry of a verb.
    pub(crate) const fn of<V: Verb>() -> Self {
        Self { name: V::NAME, command: command::<V>, run: run::<V> }
    }
}

fn command<V: Verb>() -> Command {
    V::configure(V::augment_args(Command::new(V::NAME)))
}

fn run<V: Verb>(matches: &ArgMatches, variables: Variables) -> Result<ExitCode> {
    V::from_arg_matches(matches)?.run(variables)
}
