//! `xcbuild vm`: a terminal on a node, by telnet as the contract has it.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::cli::cluster;
use crate::cli::cluster::terminal::{Terminal, on_node};
use crate::cli::verb::Verb;
use crate::settings::Invocation;
use xc_cluster::ClusterName;
use xc_cluster::status;
use xc_sys::exec::{Exec, find_program};
use xc_topology::address::NodeId;

/// Open a terminal on a node by telnet (by ssh where nodes take nobody without a key): in a window
/// of tmux or of the X display, or right here
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The node, as in 1 or vm-001
    node: NodeId,
}

impl Verb for Arguments {
    const NAME: &'static str = "vm";

    /// Runs the verb; without a place for windows this process becomes the telnet client.
    ///
    /// # Errors
    /// When the node does not run, or there is no telnet client.
    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        let settings = invocation.settings()?;
        let run = cluster::run_directory(&settings)?;
        let status = status(&run)?;
        let Some(node) = status.nodes.iter().find(|n| n.number == self.node && n.is_alive()) else {
            bail!("{} does not run in the cluster `{}`", self.node, run.name());
        };
        let line = if status.ssh_key.is_some() {
            on_node("rsh", &settings, run.name(), self.node)?
        } else {
            let client = client(&settings.host()?.path, run.name())?;
            let address = [node.address.to_string(), node.telnet_port.to_string()];
            [status.netns_prefix.clone(), client, address.into()].concat()
        };
        if let Some(terminal) = Terminal::of(&settings.host()?) {
            terminal.open(&node.name, &line, true)?;
            return Ok(ExitCode::SUCCESS);
        }
        let Some((program, args)) = line.split_first() else { bail!("an empty command") };
        Err(Exec::new(program).args(args).replace().into())
    }
}

/// The telnet client of this host.
fn client(path: &str, cluster: &ClusterName) -> Result<Vec<String>> {
    for client in [&["telnet"][..], &["busybox", "telnet"]] {
        if find_program(client[0], path.as_ref()).is_some() {
            return Ok(client.iter().map(ToString::to_string).collect());
        }
    }
    let [console, rsh] = ["console N", "rsh N"].map(|line| cluster.command(line));
    bail!("no telnet client: sudo apt-get install telnet; {console} and {rsh} need none")
}
