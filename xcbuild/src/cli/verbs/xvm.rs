//! `xcbuild xvm`: one node with a window.

use std::process::ExitCode;

use anyhow::Result;

use super::boot_vm;
use crate::cli::verb::Verb;
use crate::settings::Invocation;
use xc_topology::address::NodeId;

/// As `boot_vm`, with a window of tmux or the X display that shows its console
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The node, as in 1 or vm-001
    #[arg(value_name = "N")]
    node: NodeId,
}

impl Verb for Arguments {
    const NAME: &'static str = "xvm";
    const TAKES_SETTINGS: bool = true;

    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        boot_vm::run(&invocation.settings()?, self.node, true)
    }
}
