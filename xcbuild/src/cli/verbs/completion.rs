//! `xcbuild completion`: the names of commands, as the contract has it.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::hook;
use crate::cli::verb::Verb;
use crate::settings::Invocation;
use crate::ui;

/// Print the names of commands, the hook's among them
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How they begin
    prefix: Option<String>,
}

impl Verb for Arguments {
    const NAME: &'static str = "completion";

    /// # Errors
    /// None.
    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        let prefix = self.prefix.as_deref().unwrap_or_default();
        let all = hook::commands(&invocation.host()?);
        all.iter().filter(|name| name.starts_with(prefix)).for_each(ui::result);
        Ok(ExitCode::SUCCESS)
    }
}
