//! `xcbuild rsh`: a command on a node.

use std::process::{ExitCode, ExitStatus};

use anyhow::Result;

use super::cluster::{self, ClusterOption};
use crate::settings::{Settings, Variables, set_options};
use crate::ui;
use xc_cluster::access::{SSH_LOST, Target};
use xc_cluster::vigil::NodeDied;
use xc_topology::address::NodeId;

/// Run a command on a node by ssh, or a shell; its exit code is passed on, 255 is ssh's own
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    cluster: ClusterOption,
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
    set_options(&mut variables, &arguments.cluster);
    let settings = Settings::resolve(variables)?;
    let target = Target::find(&cluster::run_directory(&settings)?, arguments.node)?;
    if arguments.bg {
        target.run_in_background(&arguments.command)?;
        return Ok(ExitCode::SUCCESS);
    }
    ended(target.run(&arguments.command))
}

/// How ssh or scp ended, passed on; that the node died meanwhile is told, and is 255, as where ssh
/// loses a node.
///
/// # Errors
/// Any other.
pub fn ended(result: Result<ExitStatus>) -> Result<ExitCode> {
    match result {
        Err(error) if error.is::<NodeDied>() => {
            ui::error(&error);
            Ok(ExitCode::from(SSH_LOST))
        }
        result => Ok(cluster::passed_on(result?)),
    }
}
