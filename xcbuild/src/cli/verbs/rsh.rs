//! `xcbuild rsh`: a command on a node.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::cli::cluster;
use crate::cli::cluster::exit_codes::ended;
use crate::cli::cluster::remote_command::RemoteCommand;
use crate::cli::verb::Verb;
use crate::settings::Invocation;
use crate::settings::table::verbs::RshSettings;
use crate::ui;
use xc_cluster::access::{CommandEnd, Target};
use xc_topology::address::NodeId;

const EXAMPLES: &str = "\
Examples:
  xcbuild rsh 1 'ip route | wc -l'      the node's shell reads the line
  xcbuild rsh 1 -- touch 'a b' '$c'     the program gets these arguments, whatever is in them";

/// Run a command on a node by ssh, or a shell; its exit code is passed on, 255 is ssh's own
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The node, as in 1 or vm-001
    node: NodeId,
    #[command(flatten)]
    command: RemoteCommand,
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
        let command = self.command.words();
        if invocation.read::<RshSettings>()?.background {
            if command.is_empty() {
                bail!("say what to leave running: --bg is for a command");
            }
            target.run_in_background(&command)?;
            return Ok(ExitCode::SUCCESS);
        }
        match target.run(&command, &ui::relay::piped(), &mut ui::relay::hand_on) {
            Ok(CommandEnd::ReaderGone) => Ok(ExitCode::from(ui::READER_GONE)),
            Ok(CommandEnd::Exited(status)) => ended(Ok(status)),
            Err(error) => ended(Err(error)),
        }
    }
}
