//! `xcbuild shell-init`: for the user's interactive shell.

use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::cli::verb::Verb;
use crate::settings::Invocation;
use crate::ui;
use xc_sys::exec::own_program;
use xc_sys::shell::quote;

const FUNCTIONS: &str = include_str!("../../../../templates/shell/init.sh");
/// An alias of the same name would be put in the place of a function's, by zsh as soon as it reads a
/// text, so the functions are another text, evaluated after this.
const UNALIAS: &str = "unalias xc cdo lso vm xcadmin 2>/dev/null || true";
const BASH: &str = include_str!("../../../../templates/shell/completion.bash");
const ZSH: &str = include_str!("../../../../templates/shell/completion.zsh");

/// Print functions for a shell, xc, cdo, lso, vm and xcadmin: eval "$(xcbuild shell-init)"
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Print only the completion of a shell
    #[arg(long, value_name = "SHELL", hide = true)]
    completion: Option<Shell>,
}

impl Verb for Arguments {
    const NAME: &'static str = "shell-init";

    /// `shell-init`.
    ///
    /// # Errors
    /// When it is not known where xcbuild itself is.
    fn run(&self, _: Invocation) -> Result<ExitCode> {
        if let Some(shell) = self.completion {
            let text = match shell {
                Shell::Bash => BASH,
                Shell::Zsh => ZSH,
            };
            ui::result(text.trim_end());
            return Ok(ExitCode::SUCCESS);
        }
        let program = own_program().context("can't tell where xcbuild itself is")?;
        let program = quote(&program.display().to_string());
        let functions = quote(FUNCTIONS.trim_end());
        ui::result(format_args!("export XCLUSTER={program}\n{UNALIAS}\neval {functions}"));
        Ok(ExitCode::SUCCESS)
    }
}

/// A shell for which there is completion.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Shell {
    Bash,
    Zsh,
}
