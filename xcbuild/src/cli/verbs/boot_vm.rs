//! `xcbuild boot_vm` and `svm`: one node, as a start function of a hook starts them.

use std::process::ExitCode;

use anyhow::Result;

use clap::Command;

use crate::cli::cluster::start::show;
use crate::cli::cluster::terminal::{Terminal, window};
use crate::cli::cluster::{self, params, topology_file};
use crate::cli::verb::Verb;
use crate::settings::{Invocation, Settings};
use crate::ui::{self, Progress};
use xc_cluster::scale::boot_one;
use xc_topology::address::NodeId;

/// Start one node, in the cluster if that runs, else as its first; doesn't wait until it is ready
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The node, as in 1 or vm-001
    #[arg(value_name = "N")]
    node: NodeId,
}

impl Verb for Arguments {
    const NAME: &'static str = "boot_vm";
    const TAKES_SETTINGS: bool = true;

    fn configure(command: Command) -> Command {
        command.alias("boot-vm").visible_alias("svm")
    }

    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        run(&invocation.settings()?, self.node, false)
    }
}

/// Starts a node, with a window if `with_window`.
///
/// # Errors
/// When the node is in the cluster already, or its qemu can't be started.
pub(super) fn run(settings: &Settings, node: NodeId, with_window: bool) -> Result<ExitCode> {
    let topology = topology_file::load(settings)?;
    let planned = topology.node(node, &settings.overrides())?;
    let mut params = params::params(settings, &topology, vec![planned], false)?;
    params.counts = Some(settings.counts(&topology));
    params.bring_up.detach = true;
    let bar = Progress::spinner(format_args!("starting {}", node));
    boot_one(&params, &|event| show(&settings.cluster.name, &bar, &event))?;
    drop(bar);
    ui::status("Started", node);
    let terminal = Terminal::of(&settings.host()?).filter(|_| with_window);
    if let Some(terminal) = terminal {
        let run = cluster::run_directory(settings)?;
        window(terminal, settings, run.name(), node)?;
    }
    Ok(ExitCode::SUCCESS)
}
