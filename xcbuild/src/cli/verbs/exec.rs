//! `xcbuild exec`: a command on many nodes at once.

use std::collections::BTreeMap;
use std::process::{ExitCode, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Result, bail};
use clap::ArgGroup;

use crate::cli::cluster;
use crate::cli::cluster::remote_command::RemoteCommand;
use crate::cli::verb::Verb;
use crate::settings::Invocation;
use crate::ui;
use crate::ui::relay::Labelled;
use xc_cluster::RunDir;
use xc_cluster::access::{CommandEnd, Reach, Target, on_all};
use xc_topology::address::{NodeId, Role};

/// Run a command on many nodes at once; each line of output starts with its node's name
///
/// The exit code is 0 if it is 0 on all nodes, else 1, also where a node can't be asked; how many ended with which is said at the end.
#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("what").args(["command", "exact"]).required(true)))]
pub(crate) struct Arguments {
    /// On all nodes [default]
    #[arg(long, conflicts_with_all = ["role", "nodes"])]
    all: bool,
    /// On the nodes of a role: vms, routers, testers
    #[arg(long, value_name = "ROLE", conflicts_with = "nodes")]
    role: Option<Role>,
    /// On these nodes, as in 1,201
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    nodes: Vec<NodeId>,
    #[command(flatten)]
    command: RemoteCommand,
}

impl Verb for Arguments {
    const NAME: &'static str = "exec";

    /// Runs the verb.
    ///
    /// # Errors
    /// When no such node runs, or ssh can't be started.
    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        let command = self.command.words();
        let settings = invocation.settings()?;
        let run = cluster::run_directory(&settings)?;
        let Reach { answering, unreachable } = asked(self, &run)?;
        let mut codes = BTreeMap::<String, Vec<NodeId>>::new();
        for (node, reason) in &unreachable {
            ui::warn(format_args!("{node} {reason}"));
            codes.entry("not asked".into()).or_default().push(*node);
        }
        // One at a time, so that the lines of nodes don't mix.
        let output = Mutex::new(Labelled::default());
        let codes = Mutex::new(codes);
        let ended = on_all(
            &answering,
            &command,
            &|node, source, bytes| locked(&output).write(&node.to_string(), source, bytes),
            &|node, result| {
                // Whether it is read or not: the node has ended.
                let _ = locked(&output).finish(&node.to_string());
                let how = match result {
                    Ok(status) => how(status),
                    Err(died) => {
                        ui::warn(died);
                        "as their nodes died".into()
                    }
                };
                locked(&codes).entry(how).or_default().push(node);
            },
        )?;
        if ended == CommandEnd::ReaderGone {
            return Ok(ExitCode::from(ui::READER_GONE));
        }
        let codes = codes.into_inner().unwrap_or_else(PoisonError::into_inner);
        let summary: Vec<_> = codes.iter().map(|(how, nodes)| summed_up(how, nodes)).collect();
        ui::status("Ended", summary.join(", "));
        let good = codes.keys().all(|how| how == SUCCESS);
        Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// The nodes that were named, or all of the role.
fn asked(arguments: &Arguments, run: &RunDir) -> Result<Reach> {
    if !arguments.nodes.is_empty() {
        let nodes = cluster::distinct(&arguments.nodes);
        let found = nodes.iter().map(|id| Target::find(run, *id));
        return Ok(Reach { answering: found.collect::<Result<_>>()?, unreachable: vec![] });
    }
    let mut reach = Reach::of(run)?;
    let wanted = |node: NodeId| arguments.role.is_none_or(|role| node.role() == role);
    reach.answering.retain(|target| wanted(target.node));
    reach.unreachable.retain(|(node, _)| wanted(*node));
    if reach.answering.is_empty() && reach.unreachable.is_empty() {
        bail!("no node of that role runs");
    }
    Ok(reach)
}

const SUCCESS: &str = "with exit code 0";

/// How many nodes ended so, and which, unless that is as it should be.
fn summed_up(how: &str, nodes: &[NodeId]) -> String {
    if how == SUCCESS {
        return format!("{} {how}", nodes.len());
    }
    let names: Vec<_> = nodes.iter().map(NodeId::to_string).collect();
    format!("{} {how} ({})", nodes.len(), names.join(", "))
}

fn how(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("with exit code {code}"),
        None => format!("by {status}"),
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
