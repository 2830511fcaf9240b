//! The command line. A verb is a file in [`verbs`]: it reads its arguments, resolves the settings,
//! calls the module that does the work, and prints what came of it.
//!
//! | module | subject |
//! |---|---|
//! | [`verb`], [`verbs`] | what a verb is, and all of them |
//! | [`hook`], [`argv`] | the command line before it is parsed |
//! | [`build`] | what verbs that build share |
//! | [`cluster`] | what verbs of clusters share |
//! | [`completion`] | for shells |
//! | [`failure`] | errors as users see them, and exit codes |

mod argv;
mod build;
mod cluster;
mod completion;
mod failure;
mod hook;
mod verb;
mod verbs;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::settings::{Given, HostSettings, Invocation, options};
use crate::ui;
use xc_sys::cancel;

use verbs::VERBS;

/// The id of the option that is for all verbs.
const QUIET: &str = "quiet";

/// The program for the parser, with all verbs.
fn command() -> Command {
    let quiet = Arg::new(QUIET).long("quiet").short('q').global(true);
    Command::new("xcbuild")
        .version(env!("CARGO_PKG_VERSION"))
        .about(
            "Builds overlays and a base image into cached ISOs and runs clusters of VMs from them",
        )
        .max_term_width(100)
        .args_override_self(true)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .arg(quiet.action(ArgAction::SetTrue).help("Say only warnings and errors on stderr"))
        .subcommands(VERBS.iter().map(|verb| (verb.command)()))
}

/// Runs the program with a command line and gives its exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    completion::answer();
    let given = Given::of_process();
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let code = Invocation::new(given.clone()).host().map(|host| {
        start_log(&host);
        hook::intercept(&arguments, &host)
    });
    match code.map_err(anyhow::Error::from) {
        Ok(Some(code)) => return code,
        Ok(None) => {}
        Err(e) => return failure::failed(&e),
    }
    match parse(arguments, given) {
        Ok((matches, invocation)) => dispatch(&matches, invocation),
        Err(e) => failure::usage(&e),
    }
}

/// What the command line says: the verb with its arguments, and all settings.
fn parse(
    arguments: Vec<OsString>,
    mut given: Given,
) -> Result<(ArgMatches, Invocation), clap::Error> {
    let command = command();
    let arguments = argv::normalized(arguments, &mut given);
    let matches = command.try_get_matches_from(arguments)?;
    options::take(&matches, &mut given);
    Ok((matches, Invocation::new(given)))
}

/// Runs the verb that was parsed.
fn dispatch(matches: &ArgMatches, invocation: Invocation) -> ExitCode {
    if matches.get_flag(QUIET) {
        ui::set_level(ui::Level::Quiet);
    }
    let Some((name, matches)) = matches.subcommand() else { return ExitCode::from(failure::USAGE) };
    let Some(verb) = VERBS.iter().find(|verb| verb.name == name) else {
        return ExitCode::from(failure::USAGE);
    };
    let done = cancel::install()
        .map_err(anyhow::Error::from)
        .and_then(|()| (verb.run)(matches, invocation));
    done.unwrap_or_else(|e| failure::failed(&e))
}

/// `XCBUILD_LOG=debug` shows each command that is run; the syntax is that of `tracing`'s EnvFilter.
fn start_log(host: &HostSettings) {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_new(&host.log).unwrap_or_else(|_| EnvFilter::new("off"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}

/// What users type for all verbs and those below them, as `dns serve`.
#[cfg(test)]
pub(crate) fn paths_of_verbs() -> Vec<String> {
    let command = command();
    let path = |verb: &Command| {
        let below = verb.get_subcommands().map(|c| format!("{} {}", verb.get_name(), c.get_name()));
        std::iter::once(verb.get_name().to_owned()).chain(below).collect::<Vec<_>>()
    };
    command.get_subcommands().flat_map(path).collect()
}

#[cfg(test)]
mod tests;
