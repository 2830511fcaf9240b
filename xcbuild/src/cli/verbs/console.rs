//! `xcbuild console`: a node's serial console.

use std::io;
use std::os::fd::AsFd;
use std::process::ExitCode;

use anyhow::Result;

use crate::cli::cluster;
use crate::cli::verb::Verb;
use crate::settings::Invocation;
use crate::ui;
use xc_cluster::console;
use xc_topology::address::NodeId;

/// Join a node's console; Ctrl-] leaves it
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The node, as in 1 or vm-001
    node: NodeId,
}

impl Verb for Arguments {
    const NAME: &'static str = "console";

    /// # Errors
    /// When the node does not run.
    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        let run = cluster::run_directory(&invocation.settings()?)?;
        console::log(&run, self.node)?;
        ui::hint("Ctrl-] leaves the console");
        console::attach(&run, self.node, io::stdin().as_fd(), &mut ui::result_bytes)?;
        Ok(ExitCode::SUCCESS)
    }
}
