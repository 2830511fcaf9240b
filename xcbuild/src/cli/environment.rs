//! Options of the contract's commands that the environment gives: `__dest=DIR xcbuild cplib FILE` is
//! `xcbuild cplib --dest=DIR FILE`. Settings of the cluster are read from there by
//! [`crate::settings`] anyway; these are the options that are no settings.

use std::ffi::OsString;

use clap::{ArgAction, Command};

use crate::settings::Variables;

/// The commands, and their options that are read.
const READ: &[(&str, &[&str])] = &[
    ("cache", &["list", "clear"]),
    ("cplib", &["dest"]),
    ("cploader", &["dest"]),
    ("install_prog", &["dest"]),
    ("mkcdrom", &["label", "script", "cidata", "layout"]),
    ("mkimage", &["format", "size", "bootable"]),
    ("rsh", &["bg"]),
    ("ximage", &["script"]),
];

/// The command line with the options that the environment gives and it does not.
pub fn added(mut arguments: Vec<OsString>, variables: &Variables) -> Vec<OsString> {
    let is_option = |a: &OsString| a.as_encoded_bytes().starts_with(b"-");
    let Some(at) = arguments.iter().skip(1).position(|a| !is_option(a)).map(|at| at + 1) else {
        return arguments;
    };
    let command = super::command();
    let found = READ.iter().find(|(verb, _)| arguments[at].to_str() == Some(verb));
    let Some((verb, names)) = found else { return arguments };
    let Some(verb) = command.find_subcommand(verb) else { return arguments };
    let given = arguments[at + 1..].iter().take_while(|a| is_option(a)).count();
    let first = arguments.get(at + 1 + given).and_then(|a| a.to_str());
    if first.is_some_and(|word| verb.find_subcommand(word).is_some()) {
        return arguments;
    }
    let options = &arguments[at + 1..=at + given];
    let is_given = |name: &str| {
        let texts = options.iter().filter_map(|a| a.to_str()?.strip_prefix("--"));
        texts.map(|text| text.split('=').next()).any(|option| option == Some(name))
    };
    let missing = names.iter().filter(|name| !is_given(name));
    let added: Vec<_> = missing
        .filter_map(|name| option(verb, name, variables.get(&format!("__{name}"))?))
        .collect();
    arguments.splice(at + 1..at + 1, added);
    arguments
}

/// An option as the command line has it. A flag is set by any word but `no`.
fn option(verb: &Command, name: &str, value: &str) -> Option<OsString> {
    let arg = verb.get_arguments().find(|arg| arg.get_long() == Some(name))?;
    match arg.get_action() {
        ArgAction::SetTrue => (value != "no").then(|| format!("--{name}").into()),
        _ => Some(format!("--{name}={value}").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::added;
    use crate::settings::Variables;

    #[test]
    fn options_come_from_the_environment_unless_they_are_given() {
        let set = [
            ("__label", "a b"),
            ("__script", "s"),
            ("__dest", "/d"),
            ("__bg", "yes"),
            ("__bootable", "no"),
            ("__list", "yes"),
            ("__size", ""),
        ];
        for (given, expected) in [
            ("x mkcdrom o", &["x", "mkcdrom", "--label=a b", "--script=s", "o"][..]),
            ("x -q mkcdrom --label=c o", &["x", "-q", "mkcdrom", "--script=s", "--label=c", "o"]),
            ("x install_prog ls --dest=y", &["x", "install_prog", "--dest=/d", "ls", "--dest=y"]),
            ("x rsh --bg 1 ls", &["x", "rsh", "--bg", "1", "ls"]),
            ("x rsh 1 ls --bg", &["x", "rsh", "--bg", "1", "ls", "--bg"]),
            ("x mkimage", &["x", "mkimage"]),
            ("x cache o", &["x", "cache", "--list", "o"]),
            ("x cache size", &["x", "cache", "size"]),
            ("x start", &["x", "start"]),
            ("x", &["x"]),
        ] {
            let line = given.split(' ').map(Into::into).collect();
            assert_eq!(added(line, &Variables::from_pairs(set)), *expected, "{given}");
        }
    }
}
