//! `xcbuild status`: the truth about a cluster.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::cli::cluster::{self, tables};
use crate::cli::verb::Verb;
use crate::settings::Invocation;
use crate::top::model::Sample;
use crate::ui;
use xc_cluster::status::NodeCondition;
use xc_cluster::{RunDir, live, status};
use xc_sys::cancel;

/// How often --watch looks what nodes take of the host.
const INTERVAL: Duration = Duration::from_secs(2);

/// Print which nodes are alive; the exit code is their number
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    form: Form,
}

impl Verb for Arguments {
    const NAME: &'static str = "status";

    /// Runs the verb. As in the contract, the exit code is the number of nodes that are alive.
    ///
    /// # Errors
    /// When the cluster's state is there and can't be read.
    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        let settings = invocation.settings()?;
        let run = cluster::run_directory(&settings)?;
        if self.form.watch {
            return watch(&run, self.form.json);
        }
        let (status, name) = (status(&run)?, run.name());
        if self.form.json {
            ui::result(serde_json::to_string_pretty(&status)?);
            return Ok(ExitCode::SUCCESS);
        }
        if self.form.table {
            ui::result(tables::full_table(&status));
        } else {
            ui::result(status.contract_lines());
        }
        if !status.exists {
            ui::warn(ui::causes(&name.not_running().into()));
        } else if status.of_another_boot {
            ui::warn(format_args!(
                "this host has booted since the cluster was started, and nothing of it runs; {} cleans up",
                name.command("stop")
            ));
        } else if status.interrupted {
            ui::warn(format_args!(
                "the start of this cluster was broken off; {} cleans up",
                name.command("stop")
            ));
        }
        let failed = status.nodes.iter().filter(|node| node.condition == NodeCondition::Failed);
        for (node, failure) in failed.filter_map(|n| Some((n, n.failure.as_ref()?))) {
            let logs = name.command(format_args!("logs {}", node.number.number()));
            ui::warn(format_args!("{} has failed: {failure}; {logs}", node.name));
        }
        if status.dns == Some(false) && status.alive() > 0 {
            ui::warn("the cluster's DNS proxy has ended; nodes resolve only each other's names");
        }
        Ok(ExitCode::from(u8::try_from(status.alive()).unwrap_or(u8::MAX)))
    }
}

/// How it is printed.
#[derive(Debug, clap::Args)]
struct Form {
    /// A table: states, what nodes take of the host, ports, addresses, faults of links
    #[arg(long, conflicts_with = "json")]
    table: bool,
    /// All that is known, for programs; the exit code is 0
    #[arg(long)]
    json: bool,
    /// Go on as it changes, with what nodes take of the host, until Ctrl-C; with --json a line each
    #[arg(long)]
    watch: bool,
}

/// Shows the cluster anew whenever something about it has changed, and every so often.
fn watch(run: &RunDir, json: bool) -> Result<ExitCode> {
    let mut before: Option<Sample> = None;
    let mut shown = String::new();
    loop {
        let now = Sample { status: status(run)?, at: Instant::now() };
        let text = if json {
            serde_json::to_string(&now.status)?
        } else {
            tables::live_table(&now, before.as_ref())
        };
        if text != shown {
            if json {
                ui::result(&text)
            } else {
                ui::redraw(&text)
            }
            shown = text;
        }
        match live::changed(run, &now.status, None, now.at + INTERVAL) {
            Err(_) if cancel::requested() => return Ok(ExitCode::SUCCESS),
            result => result?,
        };
        before = Some(now);
    }
}
