//! The command line. A verb is a file in [`verbs`]: it reads its arguments, resolves the settings,
//! calls the module that does the work, and prints what came of it.
//!
//! | module | subject |
//! |---|---|
//! | [`verb`], [`verbs`] | what a verb is, and all of them |
//! | [`hook`], [`spelling`], [`settings`], [`environment`] | the command line before it is parsed |
//! | [`build`] | what verbs that build share |
//! | [`cluster`] | what verbs of clusters share |
//! | [`completion`] | for shells |
//! | [`failure`] | errors as users see them, and exit codes |

mod build;
mod cluster;
mod completion;
mod environment;
mod failure;
mod hook;
mod settings;
mod spelling;
mod verb;
mod verbs;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::settings::of_process;
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
    start_log();
    let mut variables = of_process();
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if let Some(code) = hook::intercept(&arguments, &variables) {
        return code;
    }
    let arguments = spelling::normal(arguments, &mut variables);
    let arguments = settings::taken(verbs::normal(arguments), &mut variables);
    let arguments = environment::added(arguments, &variables);
    match command().try_get_matches_from(arguments) {
        Ok(matches) => dispatch(&matches, variables),
        Err(e) => failure::usage(&e),
    }
}

/// Runs the verb that was parsed.
fn dispatch(matches: &ArgMatches, variables: crate::settings::Variables) -> ExitCode {
    if matches.get_flag(QUIET) {
        ui::set_level(ui::Level::Quiet);
    }
    let Some((name, matches)) = matches.subcommand() else { return ExitCode::from(failure::USAGE) };
    let Some(verb) = VERBS.iter().find(|verb| verb.name == name) else {
        return ExitCode::from(failure::USAGE);
    };
    let done = cancel::install()
        .map_err(anyhow::Error::from)
        .and_then(|()| (verb.run)(matches, variables));
    done.unwrap_or_else(|e| failure::failed(&e))
}

/// `XCBUILD_LOG=debug` shows each command that is run; the syntax is that of `tracing`'s EnvFilter.
fn start_log() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_env("XCBUILD_LOG").unwrap_or_else(|_| EnvFilter::new("off"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}

#[cfg(test)]
mod tests {
    use super::command;

    #[test]
    fn parser_is_consistent() {
        command().debug_assert();
    }
}
