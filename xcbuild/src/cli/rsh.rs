//! `xcbuild rsh`: a command on a node.

use std::process::ExitCode;

use anyhow::Result;

use super::cluster::{self, ClusterName};
use crate::cluster::access::Target;
use crate::settings::{Settings, Variables};
use crate::topology::address::NodeId;

/// Run a command on a node by ssh, or a shell; its exit code is passed on, 255 is ssh's own
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    cluster: ClusterName,
    /// Leave it running and return at once
    #[arg(long, requires = "command")]
    bg: bool,
    /// The node, as in 1 or vm-001
    node: NodeId,
    /// The command and its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

/// Runs the verb.
///
/// # Errors
/// When there is no such node running, or ssh can't be started.
pub fn run(arguments: &Arguments, mut variables: Variables) -> Result<ExitCode> {
    variables.set_options(&arguments.cluster);
    let settings = Settings::resolve(variables)?;
    let target = Target::find(&cluster::run_directory(&settings)?, arguments.node)?;
    if arguments.bg {
        target.run_in_background(&arguments.command)?;
        return Ok(ExitCode::SUCCESS);
    }
    Ok(cluster::passed_on(target.run(&arguments.command)?))
}
