//! `xcbuild vm`: a terminal on a node, by telnet as the contract has it; by ssh where nodes ask for a
//! key.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use super::cluster::{self, ClusterName};
use super::terminal::Terminal;
use crate::cluster::status::NodeStatus;
use crate::cluster::{Status, status};
use crate::settings::{Settings, Variables};
use crate::sys::exec::{Exec, find_program, own_program};
use crate::topology::address::NodeId;

/// Open a terminal on a node: in a window of tmux or of the X display, or right here
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    cluster: ClusterName,
    /// The node, as in 1 or vm-001
    node: NodeId,
}

/// Runs the verb; without a place for windows this process becomes the telnet client.
///
/// # Errors
/// When the node does not run, or there is no telnet client.
pub fn run(arguments: &Arguments, mut variables: Variables) -> Result<ExitCode> {
    variables.set_options(&arguments.cluster);
    let settings = Settings::resolve(variables)?;
    let run = cluster::run_directory(&settings)?;
    let status = status(&run)?;
    let number = arguments.node.number();
    let Some(node) = status.nodes.iter().find(|n| n.number == number && n.is_alive()) else {
        bail!("{} does not run in the cluster `{}`", arguments.node, run.name());
    };
    let line = match &status.ssh_key {
        None => telnet(&settings.variables, &status, node)?,
        Some(_) => shell(&settings, &status, node)?,
    };
    if let Some(terminal) = Terminal::of(&settings.variables) {
        terminal.open(&node.name, &line, true)?;
        return Ok(ExitCode::SUCCESS);
    }
    let Some((program, args)) = line.split_first() else { bail!("an empty command") };
    Err(Exec::new(program).args(args).replace().into())
}

/// The command that opens a terminal by telnet.
fn telnet(variables: &Variables, status: &Status, node: &NodeStatus) -> Result<Vec<String>> {
    let address = [node.address.to_string(), node.telnet_port.to_string()];
    Ok([status.through.clone(), client(variables)?, address.into()].concat())
}

/// The command that opens one where nodes ask for a key.
fn shell(settings: &Settings, status: &Status, node: &NodeStatus) -> Result<Vec<String>> {
    let program = own_program().context("can't tell where xcbuild itself is")?;
    // A window's environment is that of tmux, or of the session: it may know nothing of ours.
    let run = std::path::absolute(&settings.places.run)?;
    let environment = ["env".to_owned(), format!("XCBUILD_RUN={}", run.display())];
    let command = [program.display().to_string(), "rsh".into()];
    let arguments = [format!("--cluster={}", status.cluster), node.number.to_string()];
    Ok([environment, command, arguments].concat())
}

/// The telnet client of this host.
fn client(variables: &Variables) -> Result<Vec<String>> {
    let path = variables.or("PATH", "/usr/bin:/bin");
    for client in [&["telnet"][..], &["busybox", "telnet"]] {
        if find_program(client[0], path.as_ref()).is_some() {
            return Ok(client.iter().map(ToString::to_string).collect());
        }
    }
    bail!(
        "no telnet client: sudo apt-get install telnet; `xcbuild console N` and `rsh N` need none"
    )
}
