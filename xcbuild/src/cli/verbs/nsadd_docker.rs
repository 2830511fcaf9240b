//! `xcbuild nsadd_docker`: the contract's, which joined a namespace to Docker's bridge.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Command;

use crate::cli::verb::Verb;
use crate::settings::Invocation;

/// Not built; says what to use instead
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Whatever the contract's command takes.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _arguments: Vec<String>,
}

impl Verb for Arguments {
    const NAME: &'static str = "nsadd_docker";

    fn configure(command: Command) -> Command {
        command.hide(true)
    }

    /// # Errors
    /// Always.
    fn run(&self, _: Invocation) -> Result<ExitCode> {
        bail!(
            "nsadd_docker is not built: `xcbuild nsadd N` makes a namespace that is joined to the \
             host, through which containers on Docker's bridge are reached, too; a script in \
             __net_setup wires nodes to any other bridge"
        )
    }
}
