//! `xcbuild rsh`: a command on a node.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::cluster::exit_codes::ended;
use crate::cli::cluster::{self, ClusterOption};
use crate::cli::verb::Verb;
use crate::settings::{Settings, Variables, set_options};
use xc_cluster::access::Target;
use xc_topology::address::NodeId;

/// Run a command on a node by ssh, or a shell; its exit code is passed on, 255 is ssh's own
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
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

impl Verb for Arguments {
    const NAME: &'static str = "rsh";

    /// Runs the verb.
    ///
    /// # Errors
    /// When there is no such node running, or ssh can't be started.
    fn run(&self, mut variables: Variables) -> Result<ExitCode> {
        set_options(&mut variables, &self.cluster);
        let settings = Settings::resolve(variables)?;
        let target = Target::find(&cluster::run_directory(&settings)?, self.node)?;
        if self.bg {
            target.run_in_background(&self.command)?;
            return Ok(ExitCode::SUCCESS);
        }
        ended(target.run(&self.command))
    }
}
