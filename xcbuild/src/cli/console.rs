//! `xcbuild logs` and `xcbuild console`: what a node writes to its serial console.

use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::process::ExitCode;

use anyhow::Result;

use super::cluster::{self, ClusterOption};
use crate::settings::{Settings, Variables, set_options};
use crate::ui;
use xc_cluster::queries::Queries;
use xc_cluster::{RunDir, console};
use xc_topology::address::NodeId;

/// Print what a node has written to its console
#[derive(Debug, clap::Args)]
pub struct LogsArguments {
    #[command(flatten)]
    cluster: ClusterOption,
    /// Go on with what it writes, until it ends
    #[arg(long, short)]
    follow: bool,
    /// The node, as in 1 or vm-001
    node: NodeId,
}

/// Join a node's console; Ctrl-] leaves it
#[derive(Debug, clap::Args)]
pub struct ConsoleArguments {
    #[command(flatten)]
    cluster: ClusterOption,
    /// The node, as in 1 or vm-001
    node: NodeId,
}

/// `logs`.
///
/// # Errors
/// When the cluster has no such node.
pub fn logs(arguments: &LogsArguments, variables: Variables) -> Result<ExitCode> {
    let run = run_directory(&arguments.cluster, variables)?;
    // A file gets what was written; a terminal is not asked what the node's shell asked its own.
    let (mut queries, terminal) = (Queries::default(), io::stdout().is_terminal());
    let mut show = |bytes: &[u8]| match terminal {
        true => ui::result_bytes(&queries.remove(bytes)),
        false => ui::result_bytes(bytes),
    };
    if arguments.follow {
        console::follow(&run, arguments.node, &mut show)?;
    } else {
        show(&fs_err::read(console::log(&run, arguments.node)?)?);
    }
    Ok(ExitCode::SUCCESS)
}

/// `console`.
///
/// # Errors
/// When the node does not run.
pub fn attach(arguments: &ConsoleArguments, variables: Variables) -> Result<ExitCode> {
    let run = run_directory(&arguments.cluster, variables)?;
    console::log(&run, arguments.node)?;
    ui::hint("Ctrl-] leaves the console");
    console::attach(&run, arguments.node, io::stdin().as_fd(), &mut ui::result_bytes)?;
    Ok(ExitCode::SUCCESS)
}

fn run_directory(name: &ClusterOption, mut variables: Variables) -> Result<RunDir> {
    set_options(&mut variables, name);
    cluster::run_directory(&Settings::resolve(variables)?)
}
