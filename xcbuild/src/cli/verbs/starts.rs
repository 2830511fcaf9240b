//! `xcbuild starts`: the cluster without windows.

use std::process::ExitCode;

use anyhow::Result;

use super::start;
use crate::cli::verb::Verb;
use crate::settings::Invocation;

/// As `start`, without windows
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

impl Verb for Arguments {
    const NAME: &'static str = "starts";
    const TAKES_SETTINGS: bool = true;

    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        start::run(&invocation.settings()?, false)
    }
}
