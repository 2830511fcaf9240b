//! `xcbuild starts`: the cluster without windows.

use std::process::ExitCode;

use anyhow::Result;

use super::start;
use crate::cli::cluster::options::StartOptions;
use crate::cli::verb::Verb;
use crate::settings::{Settings, Variables, set_options};

/// As `start`, without windows
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    options: StartOptions,
}

impl Verb for Arguments {
    const NAME: &'static str = "starts";

    fn run(&self, mut variables: Variables) -> Result<ExitCode> {
        set_options(&mut variables, &self.options);
        start::run(&Settings::resolve(variables)?, false)
    }
}
