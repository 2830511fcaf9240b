//! `xcbuild rsh`: a command on a node.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::cli::cluster;
use crate::cli::cluster::exit_codes::ended;
use crate::cli::verb::Verb;
use crate::settings::Invocation;
use crate::settings::table::verbs::RshSettings;
use xc_cluster::access::Target;
use xc_topology::address::NodeId;

/// Run a command on a node by ssh, or a shell; its exit code is passed on, 255 is ssh's own
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The node, as in 1 or vm-001
    node: NodeId,
    /// The command and its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

impl Verb for Arguments {
    const NAME: &'static str = "rsh";

    /// Runs the verb.
    ///
    /// # Errors
    /// When there is no such node running, or ssh can't be started.
    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        let settings = invocation.settings()?;
        let target = Target::find(&cluster::run_directory(&settings)?, self.node)?;
        if invocation.read::<RshSettings>()?.background {
            if self.command.is_empty() {
                bail!("say what to leave running: --bg is for a command");
            }
            target.run_in_background(&self.command)?;
            return Ok(ExitCode::SUCCESS);
        }
        ended(target.run(&self.command))
    }
}
