//! `xcbuild stop`: ends the cluster and all that belongs to it.

use std::process::ExitCode;

use anyhow::Result;

use super::cluster::{self, ClusterName};
use crate::cluster::stop;
use crate::settings::{Settings, Variables};
use crate::ui;

/// Stop the cluster and leave nothing of it
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    cluster: ClusterName,
}

/// Runs the verb. That there is no cluster is a success: it is as the user wants it.
///
/// # Errors
/// When something of the cluster can't be ended or removed.
pub fn run(arguments: &Arguments, mut variables: Variables) -> Result<ExitCode> {
    variables.set_options(&arguments.cluster);
    let settings = Settings::resolve(variables)?;
    let stopped = stop(&cluster::run_directory(&settings)?)?;
    if stopped.existed {
        ui::status("Stopped", format_args!("cluster `{}`", settings.cluster.name));
    } else {
        ui::status("Stopped", format_args!("nothing: no cluster `{}`", settings.cluster.name));
    }
    Ok(ExitCode::SUCCESS)
}
