//! Options of the command line that are settings: from the table to the parser, and what was parsed
//! back to [`Given`].

use clap::builder::ValueHint;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use clap_complete::ArgValueCandidates;
use clap_complete::engine::CompletionCandidate;

use super::definition::{Definition, Kind};
use super::{Given, table};
use xc_topology::address::NodeId;

/// A command of the parser with the options that it takes; `path` is what the user types, `dns serve`.
pub(crate) fn add(command: Command, path: &str) -> Command {
    let taken = table::all().filter(|definition| definition.is_taken_by(path));
    command.args(taken.map(arg))
}

/// The command with the options of the commands below it.
pub(crate) fn add_below(mut command: Command, path: &str) -> Command {
    let names: Vec<String> = command.get_subcommands().map(|c| c.get_name().to_owned()).collect();
    for name in names {
        let path = format!("{path} {name}");
        command = command.mut_subcommand(&name, |below| add_below(add(below, &path), &path));
    }
    command
}

/// The command with the options of other verbs that set something for what comes later:
/// `mkcdrom --nrouters=1 env` says to an overlay what `starts` will be said.
///
/// In the shell tool every option sets its variable, whatever the command. Here an option has to be one
/// of the table, so that a misspelt one is an error.
pub(crate) fn add_shared(mut command: Command) -> Command {
    for definition in table::all().filter(|definition| definition.is_shared()) {
        if !command.get_arguments().any(|arg| arg.get_long() == definition.option) {
            command = command.arg(arg(definition).short(None).hide(true));
        }
    }
    command
}

/// Sets what was given on the command line, of a verb and of the commands below it.
pub(crate) fn take(matches: &ArgMatches, given: &mut Given) {
    for definition in table::all() {
        let id = definition.variable;
        if matches.try_contains_id(id).is_ok()
            && matches.value_source(id) == Some(ValueSource::CommandLine)
        {
            given.set_option(id, text(definition, matches));
        }
    }
    if let Some((_, below)) = matches.subcommand() {
        take(below, given);
    }
}

/// The variable of an option for a single node, `mem201`, if it is one.
pub(crate) fn of_node(option: &str) -> Option<String> {
    let number = option.trim_start_matches(|c: char| !c.is_ascii_digit());
    let name = option.strip_suffix(number)?.trim_end_matches('_');
    number.parse::<NodeId>().ok()?;
    let found = table::all().filter(|d| d.per_node);
    let mut names = found.filter_map(|d| d.variable.strip_prefix("__"));
    names.any(|known| known == name).then(|| format!("__{option}"))
}

fn text(definition: &Definition, matches: &ArgMatches) -> String {
    if definition.kind == Kind::Flag {
        return "yes".into();
    }
    let values = matches.get_many::<String>(definition.variable).into_iter().flatten();
    values.map(String::as_str).collect::<Vec<_>>().join(",")
}

fn arg(definition: &'static Definition) -> Arg {
    let arg = Arg::new(definition.variable).long(definition.option).short(definition.short);
    let arg = arg.help(help(definition));
    let arg = match definition.kind {
        Kind::Flag => return arg.action(ArgAction::SetTrue),
        Kind::Words(',') => arg.action(ArgAction::Append),
        Kind::Path => arg.value_hint(ValueHint::AnyPath),
        Kind::Choice(words) => arg
            .add(ArgValueCandidates::new(|| words.iter().map(CompletionCandidate::new).collect())),
        _ => arg,
    };
    let arg = arg.value_name(definition.value_name);
    match definition.bare {
        Some(value) => arg.num_args(0..=1).require_equals(true).default_missing_value(value),
        None => arg,
    }
}

/// The doc line, then all else that is known.
fn help(definition: &Definition) -> String {
    let mut help = definition.text().to_owned();
    if let Some(option) = definition.option.filter(|_| definition.per_node) {
        help += &format!("; --{option}201= for one node");
    }
    if let Some(default) = definition.default_text() {
        help += &format!(" [default: {default}]");
    }
    help + &format!(" [env: {}]", definition.variable)
}
