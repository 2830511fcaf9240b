//! `xcbuild boot_vm`, `svm` and `xvm`: one node, as a start function of a hook starts them.

use std::process::ExitCode;

use anyhow::Result;

use super::start::{StartOptions, show, window};
use super::{cluster, params, terminal::Terminal, topology};
use crate::settings::{Settings, Variables, set_options};
use crate::ui::{self, Progress};
use xc_cluster::life;
use xc_topology::address::NodeId;

/// Start one node, in the cluster if that runs, else as its first; doesn't wait until it is ready
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    options: StartOptions,
    /// The node, as in 1 or vm-001
    #[arg(value_name = "N")]
    node: NodeId,
}

/// `boot_vm` and `svm`, without a window; `xvm` with one.
///
/// # Errors
/// When the node is in the cluster already, or its qemu can't be started.
pub fn run(arguments: &Arguments, mut variables: Variables, with_window: bool) -> Result<ExitCode> {
    set_options(&mut variables, &arguments.options);
    let settings = Settings::resolve(variables)?;
    let topology = topology::load(&settings)?;
    let node = topology.node(arguments.node, &settings.overrides()?)?;
    let mut params = params::params(&settings, &topology, vec![node], false)?;
    params.counts = Some(settings.counts(&topology));
    params.at_once = true;
    let bar = Progress::spinner(format_args!("starting {}", arguments.node));
    life::boot_one(&params, &|event| show(&settings.cluster.name, &bar, &event))?;
    drop(bar);
    ui::status("Started", arguments.node);
    let terminal = Terminal::of(&settings.variables).filter(|_| with_window);
    if let Some(terminal) = terminal {
        let run = cluster::run_directory(&settings)?;
        window(terminal, &settings, run.name(), arguments.node)?;
    }
    Ok(ExitCode::SUCCESS)
}
