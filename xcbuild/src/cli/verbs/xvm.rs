//! `xcbuild xvm`: one node with a window.

use std::process::ExitCode;

use anyhow::Result;

use super::boot_vm;
use crate::cli::cluster::options::StartOptions;
use crate::cli::verb::Verb;
use crate::settings::{Settings, Variables, set_options};
use xc_topology::address::NodeId;

/// As `boot_vm`, with a window of tmux or the X display that shows its console
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    options: StartOptions,
    /// The node, as in 1 or vm-001
    #[arg(value_name = "N")]
    node: NodeId,
}

impl Verb for Arguments {
    const NAME: &'static str = "xvm";

    fn run(&self, mut variables: Variables) -> Result<ExitCode> {
        set_options(&mut variables, &self.options);
        boot_vm::run(&Settings::resolve(variables)?, self.node, true)
    }
}
