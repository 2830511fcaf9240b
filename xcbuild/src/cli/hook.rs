//! Commands that are not ours: functions of the user's hook, `XCLUSTER_HOOK`.
//!
//! A hook is a shell file that is written to be sourced into the shell tool; its `cmd_NAME()`
//! functions are commands there, and use the tool's own. So it is sourced into a shell that has
//! what it relies on (`templates/hook/prelude.sh`), and we become that shell. A function may also
//! take the place of a command of ours; from within it the command is ours again.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Command;

use super::command;
use super::failure::USAGE;
use crate::settings::HostSettings;
use crate::ui;
use xc_report::suggest::did_you_mean;
use xc_sys::exec::{Exec, own_program};

const PRELUDE: &str = include_str!("../../../templates/hook/prelude.sh");

/// The user's hook.
struct Hook<'a> {
    path: &'a str,
    text: Option<String>,
}

impl<'a> Hook<'a> {
    fn of(host: &'a HostSettings) -> Option<Self> {
        let path = host.hook.as_deref()?;
        Some(Self { path, text: fs_err::read_to_string(path).ok() })
    }

    /// The commands that stand in the file itself; it may source others.
    fn names(&self) -> impl Iterator<Item = &str> {
        self.text.iter().flat_map(|text| text.lines()).filter_map(defined)
    }

    /// bash where the file asks for it, else the shell that scripts rely on.
    fn shell(&self) -> &'static str {
        let first = self.text.as_deref().and_then(|t| t.lines().next()).unwrap_or_default();
        let asks = first.starts_with("#!") && first.contains("bash");
        let parses = |shell| Exec::new(shell).args(["-n", self.path]).output().is_ok();
        if asks || (!parses("sh") && parses("bash")) { "bash" } else { "sh" }
    }
}

/// The command that a line begins to define, as `cmd_NAME() {` does.
fn defined(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = line.strip_prefix("function ").map_or(line, str::trim_start);
    let name = line.strip_prefix("cmd_")?;
    let end = name.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))?;
    let (name, rest) = name.split_at(end);
    let rest = rest.trim_start();
    (!name.is_empty() && (rest.starts_with('(') || rest.starts_with('{'))).then_some(name)
}

/// The names of all commands, ours and the hook's, sorted.
pub(super) fn commands(host: &HostSettings) -> Vec<String> {
    let mut names = own_names(|command| !command.is_hide_set());
    if let Some(hook) = Hook::of(host) {
        names.extend(hook.names().map(ToOwned::to_owned));
    }
    names.sort();
    names.dedup();
    names
}

/// The names of our commands, as far as they are wanted.
fn own_names(wanted: impl Fn(&Command) -> bool) -> Vec<String> {
    let command = command();
    let all = command.get_subcommands().filter(|command| wanted(command));
    let names = all.flat_map(|c| std::iter::once(c.get_name()).chain(c.get_all_aliases()));
    names.map(ToOwned::to_owned).chain(["help".to_owned()]).collect()
}

/// Runs the command line if its command is the hook's, or nobody's; `None` if it is ours.
pub(super) fn intercept(arguments: &[OsString], host: &HostSettings) -> Option<ExitCode> {
    let at = arguments.iter().skip(1).position(|a| !a.as_encoded_bytes().starts_with(b"-"))? + 1;
    let verb = arguments[at].to_string_lossy().into_owned();
    let own = own_names(|_| true).contains(&verb);
    let hook = Hook::of(host);
    // From within a function of the hook the command is ours.
    let in_hook = host.in_hook;
    let replaced = |hook: &Hook<'_>| {
        let name = verb.replace('-', "_");
        !in_hook && hook.names().any(|n| n == name)
    };
    match hook {
        Some(hook) if hook.text.is_some() && (!own || replaced(&hook)) => {
            let unknown = unknown(&verb, host);
            Some(become_shell(&hook, &arguments[at..], &unknown).unwrap_or_else(|e| {
                ui::error(&e);
                ExitCode::FAILURE
            }))
        }
        _ if own => None,
        _ => {
            ui::error(&anyhow::anyhow!("{}", unknown(&verb, host)));
            Some(ExitCode::from(USAGE))
        }
    }
}

fn unknown(verb: &str, host: &HostSettings) -> String {
    let known = commands(host);
    let near = did_you_mean(verb, known.iter().map(String::as_str));
    let hook = match Hook::of(host) {
        Some(Hook { path, text: None }) => format!("\n  the hook `{path}` can't be read"),
        Some(Hook { path, .. }) => format!("\n  the hook `{path}` has no cmd_{verb}() either"),
        None => String::new(),
    };
    format!("there is no command `{verb}`{near}; `xcbuild help` lists them{hook}")
}

fn become_shell(hook: &Hook<'_>, command: &[OsString], unknown: &str) -> Result<ExitCode> {
    let program = own_program().context("can't tell where xcbuild itself is")?;
    // The shell's `.` looks for a bare name on PATH.
    let path = std::path::absolute(Path::new(hook.path))?;
    let mut verbs: Vec<String> = own_names(|_| true);
    verbs.retain(|name| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
    let shell = Exec::new(hook.shell()).args(["-c", PRELUDE]).arg(program);
    let shell = shell.args(command.iter().map(OsString::as_os_str).collect::<Vec<&OsStr>>());
    let shell = shell.env("XCLUSTER_HOOK", path).env("XCBUILD_UNKNOWN", unknown);
    Err(shell.env("XCBUILD_VERBS", verbs.join(" ")).replace().into())
}

#[cfg(test)]
mod tests {
    use super::{commands, defined};
    use crate::settings::tests::host;

    #[test]
    fn definitions_are_seen_as_shells_do() {
        for (line, name) in [
            ("cmd_mystart() {", Some("mystart")),
            ("  cmd_a_1 ()", Some("a_1")),
            ("function cmd_x {", Some("x")),
            ("cmd_start", None),
            ("cmd_start --nvm=1 (", None),
            ("#cmd_x() {", None),
            ("cmd_() {", None),
        ] {
            assert_eq!(defined(line), name, "{line}");
        }
    }

    #[test]
    fn commands_are_sorted_and_have_the_contracts_spelling() {
        let all = commands(&host(&[]));
        assert!(all.is_sorted());
        for name in ["start", "starts", "stop_vm", "reset_vm", "install_prog", "help"] {
            assert!(all.iter().any(|n| n == name), "{name}");
        }
        for hidden in ["netns-apply", "netns-capture", "nsadd_docker"] {
            assert!(!all.iter().any(|n| n == hidden), "{hidden}");
        }
    }
}
