//! `xcbuild exec`: a command on many nodes at once.

use std::collections::BTreeMap;
use std::process::{ExitCode, ExitStatus};
use std::sync::{Mutex, PoisonError};

use anyhow::{Result, bail};

use super::cluster::{self, ClusterName};
use crate::cluster::access::{Target, on_all};
use crate::settings::{Settings, Variables};
use crate::sys::exec::Output;
use crate::topology::address::{NodeId, Role};
use crate::ui;

/// Run a command on many nodes at once; each line of output starts with its node's name
///
/// The exit code is 0 if it is 0 on all nodes, else 1; how many ended with which is said at the end.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    cluster: ClusterName,
    /// On all nodes [default]
    #[arg(long, conflicts_with_all = ["role", "nodes"])]
    all: bool,
    /// On the nodes of a role: vms, routers, testers
    #[arg(long, value_name = "ROLE", conflicts_with = "nodes")]
    role: Option<Role>,
    /// On these nodes, as in 1,201
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    nodes: Vec<NodeId>,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

/// Runs the verb.
///
/// # Errors
/// When no such node runs, or ssh can't be started.
pub fn run(arguments: &Arguments, mut variables: Variables) -> Result<ExitCode> {
    variables.set_options(&arguments.cluster);
    let settings = Settings::resolve(variables)?;
    let run = cluster::run_directory(&settings)?;
    let mut targets = match arguments.nodes.as_slice() {
        [] => Target::all(&run)?,
        nodes => {
            let nodes = cluster::distinct(nodes);
            nodes.iter().map(|id| Target::find(&run, *id)).collect::<Result<_>>()?
        }
    };
    targets.retain(|t| arguments.role.is_none_or(|role| t.node.role() == role));
    if targets.is_empty() {
        bail!("no node of that role runs");
    }
    let codes = Mutex::new(BTreeMap::<String, usize>::new());
    on_all(&targets, &arguments.command, &|node, ended| {
        // One at a time, so that the lines of nodes don't mix.
        let mut codes = codes.lock().unwrap_or_else(PoisonError::into_inner);
        let how = match ended {
            Ok((status, output)) => {
                show(node, &output);
                how(status)
            }
            Err(died) => {
                ui::warn(died);
                "as their nodes died".into()
            }
        };
        *codes.entry(how).or_default() += 1;
    })?;
    let codes = codes.into_inner().unwrap_or_else(PoisonError::into_inner);
    let summary: Vec<_> = codes.iter().map(|(how, count)| format!("{count} {how}")).collect();
    ui::status("Ended", summary.join(", "));
    let good = codes.keys().all(|how| how == SUCCESS);
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

const SUCCESS: &str = "with exit code 0";

fn how(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("with exit code {code}"),
        None => format!("by {status}"),
    }
}

fn show(node: NodeId, output: &Output) {
    let lines = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    lines(&output.stdout).lines().for_each(|l| ui::result(format_args!("{node}: {l}")));
    lines(&output.stderr).lines().for_each(|l| ui::log(format_args!("{node}: {l}")));
}
