//! `xcbuild netns-apply`: for xcbuild itself, in the namespace of a cluster: does the steps that it
//! reads.

use std::io::Read;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Command;

use crate::cli::verb::Verb;
use crate::settings::Invocation;
use xc_cluster::network::Steps;
use xc_net::apply::{apply, undo};

/// Do steps in this network namespace, for xcbuild itself
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

impl Verb for Arguments {
    const NAME: &'static str = "netns-apply";

    fn configure(command: Command) -> Command {
        command.hide(true)
    }

    /// # Errors
    /// When stdin has no steps, or one fails; what was done is undone then.
    fn run(&self, _: Invocation) -> Result<ExitCode> {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("can't read the steps")?;
        let steps: Steps = serde_json::from_str(&text).context("these are no steps")?;
        undo(&steps.undo)?;
        apply(&steps.apply)?;
        Ok(ExitCode::SUCCESS)
    }
}
