//! `xcbuild nsdel`: takes a cluster's network namespace away.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::cluster::caller::Caller;
use crate::cli::verb::Verb;
use crate::settings::Invocation;
use crate::ui;
use xc_net::host;

/// Remove a network namespace of `nsadd`, and leave the host as it was before
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Its number
    index: u8,
}

impl Verb for Arguments {
    const NAME: &'static str = "nsdel";

    /// Runs the verb.
    ///
    /// # Errors
    /// When there is none, something runs in it, or something of it can't be removed.
    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        let name = Caller::of(&invocation.host()?)?.namespace(self.index);
        host::remove(&name, &ui::reporter())?;
        ui::status("Removed", format_args!("namespace {name}"));
        Ok(ExitCode::SUCCESS)
    }
}
