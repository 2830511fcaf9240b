//! `xcbuild rcp`: files from a node, or to it.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use super::cluster::{self, ClusterName};
use super::rsh::ended;
use crate::cluster::access::Target;
use crate::settings::{Settings, Variables};
use crate::topology::address::NodeId;

/// Copy a file or directory from a node by scp
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    cluster: ClusterName,
    /// Copy to the node: LOCAL is then the source and REMOTE the target
    #[arg(long)]
    to: bool,
    /// The node, as in 1 or vm-001
    node: NodeId,
    /// The path on the node
    remote: String,
    /// The path here
    local: PathBuf,
}

/// Runs the verb.
///
/// # Errors
/// When there is no such node running, or scp can't be started.
pub fn run(arguments: &Arguments, mut variables: Variables) -> Result<ExitCode> {
    variables.set_options(&arguments.cluster);
    let settings = Settings::resolve(variables)?;
    let target = Target::find(&cluster::run_directory(&settings)?, arguments.node)?;
    let Arguments { to, remote, local, .. } = arguments;
    ended(if *to { target.send(local, remote) } else { target.fetch(remote, local) })
}
