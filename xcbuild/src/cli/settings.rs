//! Options that are settings of other verbs: `mkcdrom --nrouters=1 env` tells an overlay what
//! `starts` will be told.
//!
//! In the shell tool every option sets its variable, whatever the command. Here an option has to be
//! one of some verb, so that a misspelt one is an error.

use std::ffi::OsString;

use clap::{Arg, Command};

use crate::settings::Variables;

/// The verbs that take others' options: those that show, build or use settings.
const TAKERS: &[&str] = &[
    "boot_vm", "cache", "env", "mkcdrom", "ovl", "scaleout", "start", "starts", "svm", "up",
    "ximage", "xvm",
];
/// The verbs whose options are settings.
const GIVERS: &[&str] = &["mkcdrom", "nsadd", "start"];
/// Settings that `env` prints and that are an option of no verb.
const OTHERS: &[&str] = &[
    "base_libs",
    "bbver",
    "cached",
    "diskimver",
    "dropbearver",
    "ipver",
    "kcfg",
    "kobj",
    "kver",
    "loader",
];

/// The command line without the options that are settings of other verbs, which go into the
/// variables.
pub fn taken(arguments: Vec<OsString>, variables: &mut Variables) -> Vec<OsString> {
    let Some(verb) = arguments.iter().skip(1).find(|a| !a.as_encoded_bytes().starts_with(b"-"))
    else {
        return arguments;
    };
    let Some(verb) = verb.to_str().filter(|verb| TAKERS.contains(verb)).map(str::to_owned) else {
        return arguments;
    };
    let command = super::command();
    let Some(own) = command.find_subcommand(&verb) else { return arguments };
    let mut words = 0;
    let mut left = Vec::new();
    for argument in arguments {
        let text = argument.to_str().unwrap_or_default();
        let option = text.strip_prefix("--").and_then(|option| option.split_once('='));
        match option {
            // The program, the verb, and the first of its arguments: from there on all is the verb's.
            Some((name, value)) if words < 3 && option_of(own, name).is_none() => {
                let given = |verb| option_of(command.find_subcommand(verb)?, name);
                match GIVERS.iter().find_map(given).or_else(|| other(name)) {
                    Some(setting) => variables.set(format!("__{setting}"), value),
                    None => left.push(argument),
                }
            }
            _ => {
                words += usize::from(!text.starts_with('-'));
                left.push(argument);
            }
        }
    }
    left
}

/// The setting that a verb's option of that name is, if it has one which takes a value. (`--timeout`
/// is `__boot_timeout`: its variable has a name of its own.)
fn option_of<'a>(verb: &'a Command, name: &str) -> Option<&'a str> {
    let takes = |arg: &&Arg| arg.get_long() == Some(name) && arg.get_action().takes_values();
    verb.get_arguments().find(takes).map(|arg| arg.get_id().as_str())
}

fn other(name: &str) -> Option<&'static str> {
    let name = name.replace('-', "_");
    OTHERS.iter().find(|other| **other == name).copied()
}

#[cfg(test)]
mod tests {
    use super::taken;
    use crate::settings::Variables;

    #[test]
    fn settings_of_other_verbs_are_taken_and_misspelt_ones_are_left() {
        for (given, expected, set) in [
            ("x env --nets-vm=0,3 --mem=7", "x env", &[("__mem", "7"), ("__nets_vm", "0,3")][..]),
            ("x mkcdrom --nrouters=1 --label=x a", "x mkcdrom --label=x a", &[("__nrouters", "1")]),
            ("x mkcdrom --nrouter=1 a", "x mkcdrom --nrouter=1 a", &[]),
            ("x mkcdrom a --mem=1", "x mkcdrom a --mem=1", &[]),
            ("x env --timeout=7", "x env", &[("__boot_timeout", "7")]),
            ("x -q env --mem=7", "x -q env", &[("__mem", "7")]),
            ("x start --kver=6 --base-libs=l", "x start", &[("__base_libs", "l"), ("__kver", "6")]),
            ("x stop --mem=7", "x stop --mem=7", &[]),
            ("x", "x", &[]),
        ] {
            let mut variables = Variables::default();
            let left = taken(given.split(' ').map(Into::into).collect(), &mut variables);
            let left: Vec<_> = left.iter().map(|a| a.to_str().unwrap()).collect();
            assert_eq!(left.join(" "), expected);
            assert_eq!(variables.iter().collect::<Vec<_>>(), set, "{given}");
        }
    }
}
