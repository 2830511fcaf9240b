//! `xcbuild status`: the truth about a cluster.

use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;

use super::cluster::{self, ClusterName};
use crate::cluster::status;
use crate::settings::{Settings, Variables};
use crate::ui;

/// Print which nodes are alive; the exit code is their number
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    cluster: ClusterName,
    #[command(flatten)]
    form: Form,
}

/// How it is printed.
#[derive(Debug, clap::Args, Serialize)]
struct Form {
    /// A table with roles, states and addresses
    #[arg(long, conflicts_with = "json")]
    #[serde(skip)]
    table: bool,
    /// All that is known, for programs; the exit code is 0
    #[arg(long)]
    #[serde(skip)]
    json: bool,
}

/// Runs the verb. As in the contract, the exit code is the number of nodes that are alive.
///
/// # Errors
/// When the cluster's state is there and can't be read.
pub fn run(arguments: &Arguments, mut variables: Variables) -> Result<ExitCode> {
    variables.set_options(&arguments.cluster);
    let settings = Settings::resolve(variables)?;
    let status = status(&cluster::run_directory(&settings)?)?;
    if arguments.form.json {
        ui::result(serde_json::to_string_pretty(&status)?);
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.form.table {
        ui::result(cluster::table(&status));
    } else {
        ui::result(status.contract_lines());
    }
    if status.interrupted {
        ui::warn("the start of this cluster was broken off; `xcbuild stop` cleans up");
    }
    if status.dns == Some(false) && status.alive() > 0 {
        ui::warn("the cluster's DNS proxy has ended; nodes resolve only each other's names");
    }
    Ok(ExitCode::from(u8::try_from(status.alive()).unwrap_or(u8::MAX)))
}
