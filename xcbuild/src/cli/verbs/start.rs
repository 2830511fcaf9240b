//! `xcbuild start`: the cluster, from finished images.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::cluster::start::{judge, start};
use crate::cli::cluster::tables;
use crate::cli::cluster::terminal::{Terminal, window};
use crate::cli::verb::Verb;
use crate::settings::{Invocation, Settings};
use crate::ui;

/// Start the cluster from the base image and the cdrom, with a window for each node in tmux or on
/// the X display; stop a running one of the name first
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

impl Verb for Arguments {
    const NAME: &'static str = "start";
    const TAKES_SETTINGS: bool = true;

    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        run(&invocation.settings()?, true)
    }
}

/// Starts the cluster, with a window for each node if `windows`.
///
/// # Errors
/// Whatever keeps a node from being ready; nothing of the cluster is left then.
pub(super) fn run(settings: &Settings, windows: bool) -> Result<ExitCode> {
    let report = start(settings, true)?;
    if let Some(terminal) = Terminal::of(&settings.host()?).filter(|_| windows) {
        let cluster = &report.status.cluster;
        let mut nodes = report.status.nodes.iter();
        nodes.try_for_each(|node| window(terminal, settings, cluster, node.number))?;
    }
    ui::result(tables::table(&report.status));
    judge(&report.failed)?;
    Ok(ExitCode::SUCCESS)
}
