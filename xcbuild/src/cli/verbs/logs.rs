//! `xcbuild logs`: what a node has written to its serial console.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use anyhow::Result;

use crate::cli::cluster;
use crate::cli::verb::Verb;
use crate::settings::Invocation;
use crate::ui;
use xc_cluster::console;
use xc_cluster::queries::Queries;
use xc_topology::address::NodeId;

/// Print what a node has written to its console
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Go on with what it writes, until it ends
    #[arg(long, short)]
    follow: bool,
    /// The node, as in 1 or vm-001
    node: NodeId,
}

impl Verb for Arguments {
    const NAME: &'static str = "logs";

    /// # Errors
    /// When the cluster has no such node.
    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        let run = cluster::run_directory(&invocation.settings()?)?;
        // A file gets what was written; a terminal is not asked what the node's shell asked its own.
        let (mut queries, terminal) = (Queries::default(), io::stdout().is_terminal());
        let mut show = |bytes: &[u8]| match terminal {
            true => ui::result_bytes(&queries.remove(bytes)),
            false => ui::result_bytes(bytes),
        };
        if self.follow {
            console::follow(&run, self.node, &mut show)?;
        } else {
            show(&fs_err::read(console::log(&run, self.node)?)?);
        }
        Ok(ExitCode::SUCCESS)
    }
}
