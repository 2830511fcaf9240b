//! `xcbuild completions bash|zsh|fish`: what those shells complete for us.
//!
//! The shell gets a small script that asks this program at each Tab, by the variable [`VARIABLE`], so
//! that names of overlays are those that there are then.

use std::ffi::OsStr;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::CommandFactory;
use clap_complete::engine::{CompletionCandidate, PathCompleter, ValueCompleter};
use clap_complete::env::{Bash, CompleteEnv, EnvCompleter, Fish, Zsh};

use super::{Arguments as Program, overlays as places, ovl};
use crate::settings::{Settings, of_process};
use crate::ui;
use xc_sys::exec::own_program;

/// Set by the shell's script to the shell's name when it asks.
const VARIABLE: &str = "XCBUILD_COMPLETE";
const NAME: &str = "xcbuild";

/// Print what a shell evaluates to complete commands, options and overlays
///
/// For bash: eval "$(xcbuild completions bash)" in ~/.bashrc; zsh alike, after compinit; for fish:
/// xcbuild completions fish | source.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The shell
    shell: Shell,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// Runs the verb.
///
/// # Errors
/// When it is not known where xcbuild itself is.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let program = own_program().context("can't tell where xcbuild itself is")?;
    let shell: &dyn EnvCompleter = match arguments.shell {
        Shell::Bash => &Bash,
        Shell::Zsh => &Zsh,
        Shell::Fish => &Fish,
    };
    let mut script = Vec::new();
    let program = program.display().to_string();
    shell.write_registration(VARIABLE, NAME, NAME, &program, &mut script)?;
    ui::result_bytes(&script);
    Ok(ExitCode::SUCCESS)
}

/// Answers a shell that asks, and then ends the program; else does nothing.
pub fn answer() {
    CompleteEnv::with_factory(Program::command).var(VARIABLE).complete();
}

/// The overlays whose names begin so, with what they are for; files, where a path is begun.
pub fn overlays(begun: &OsStr) -> Vec<CompletionCandidate> {
    let text = begun.to_string_lossy();
    if text.contains('/') || text.starts_with('.') {
        return PathCompleter::any().complete(begun);
    }
    // A shell that completes has nobody to tell errors to.
    let search = Settings::resolve(of_process()).ok();
    let Some(search) = search.and_then(|settings| places::search(&settings).ok()) else {
        return Vec::new();
    };
    let all = search.all().into_iter().filter(|overlay| overlay.name.starts_with(&*text));
    all.map(|overlay| {
        let help = ovl::description(&search, &overlay);
        CompletionCandidate::new(overlay.name).help(Some(help.into()))
    })
    .collect()
}
