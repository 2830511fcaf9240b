//! `xcbuild shell-init` and `xcbuild completion`: for the user's interactive shell.

use std::process::ExitCode;

use anyhow::{Context, Result};

use super::env::quoted;
use super::hook;
use crate::settings::Variables;
use crate::sys::exec::own_program;
use crate::ui;

const FUNCTIONS: &str = include_str!("../../../templates/shell/init.sh");
const BASH: &str = include_str!("../../../templates/shell/completion.bash");

/// Print functions for a shell, xc, cdo, lso, vm and xcadmin: eval "$(xcbuild shell-init)"
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Print only bash's completion
    #[arg(long, hide = true)]
    bash: bool,
}

/// Print the names of commands, the hook's among them
#[derive(Debug, clap::Args)]
pub struct Completion {
    /// How they begin
    prefix: Option<String>,
}

/// `shell-init`.
///
/// # Errors
/// When it is not known where xcbuild itself is.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    if arguments.bash {
        ui::result(BASH.trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    let program = own_program().context("can't tell where xcbuild itself is")?;
    let program = quoted(&program.display().to_string());
    ui::result(format_args!("export XCLUSTER={program}\n{}", FUNCTIONS.trim_end()));
    Ok(ExitCode::SUCCESS)
}

/// `completion`.
///
/// # Errors
/// None.
pub fn completion(arguments: &Completion, variables: &Variables) -> Result<ExitCode> {
    let prefix = arguments.prefix.as_deref().unwrap_or_default();
    hook::commands(variables).iter().filter(|name| name.starts_with(prefix)).for_each(ui::result);
    Ok(ExitCode::SUCCESS)
}
