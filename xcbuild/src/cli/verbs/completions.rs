//! `xcbuild completions bash|zsh|fish`: what those shells complete for us.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap_complete::env::{Bash, EnvCompleter, Fish, Zsh};

use crate::cli::completion::VARIABLE;
use crate::cli::verb::Verb;
use crate::settings::Invocation;
use crate::ui;
use xc_sys::exec::own_program;

const NAME: &str = "xcbuild";

/// Print what a shell evaluates to complete commands, options and overlays
///
/// For bash: eval "$(xcbuild completions bash)" in ~/.bashrc; zsh alike, after compinit; for fish:
/// xcbuild completions fish | source.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The shell
    shell: Shell,
}

impl Verb for Arguments {
    const NAME: &'static str = "completions";

    /// Runs the verb.
    ///
    /// # Errors
    /// When it is not known where xcbuild itself is.
    fn run(&self, _: Invocation) -> Result<ExitCode> {
        let program = own_program().context("can't tell where xcbuild itself is")?;
        let shell: &dyn EnvCompleter = match self.shell {
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
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}
