//! What a verb is to the rest of the command line.
//!
//! A verb is a file in `verbs/` and its line in `verbs/mod.rs`: the arguments with their help, and
//! what is done with them. All else follows from these: dispatch, help, completion, the names that a
//! hook sees.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::{ArgMatches, Args, Command};

use crate::settings::{Invocation, options};

/// A verb: the type of its arguments, whose doc comment is its help.
pub(crate) trait Verb: Args {
    /// What the user types.
    const NAME: &'static str;

    /// Whether it takes the options of other verbs that set something for what comes later.
    const TAKES_SETTINGS: bool = false;

    /// Aliases, and whatever else the parser has to know of the command as a whole.
    fn configure(command: Command) -> Command {
        command
    }

    /// The command line in the spelling that the parser knows, for a verb that takes others' options.
    fn spelled(arguments: Vec<OsString>) -> Vec<OsString> {
        arguments
    }

    /// Does it, and gives the exit code.
    ///
    /// # Errors
    /// Each verb says which.
    fn run(&self, invocation: Invocation) -> Result<ExitCode>;
}

/// A verb in the list of all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    /// What the user types.
    pub(crate) name: &'static str,
    /// Its command for the parser.
    pub(crate) command: fn() -> Command,
    /// Its command line in the spelling that the parser knows.
    pub(crate) spelled: fn(Vec<OsString>) -> Vec<OsString>,
    /// Does what was parsed.
    pub(crate) run: fn(&ArgMatches, Invocation) -> Result<ExitCode>,
}

impl Entry {
    /// The entry of a verb.
    pub(crate) const fn of<V: Verb>() -> Self {
        Self { name: V::NAME, command: command::<V>, spelled: V::spelled, run: run::<V> }
    }
}

fn command<V: Verb>() -> Command {
    let command = V::augment_args(options::add(Command::new(V::NAME), V::NAME));
    let command = options::add_below(V::configure(command), V::NAME);
    if V::TAKES_SETTINGS { options::add_shared(command) } else { command }
}

fn run<V: Verb>(matches: &ArgMatches, invocation: Invocation) -> Result<ExitCode> {
    V::from_arg_matches(matches)?.run(invocation)
}
