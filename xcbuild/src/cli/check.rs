//! `xcbuild check`: whether the networks of the running cluster work.

use std::process::ExitCode;

use anyhow::{Result, bail};

use super::cluster::{self, ClusterOption};
use super::topology;
use crate::settings::{Settings, Variables, set_options};
use crate::ui;
use xc_cluster::RunDir;
use xc_cluster::check::{self, Outcome, Pairs, Verdict};
use xc_topology::Topology;

/// Check that nodes reach each other by the topology's ways, and know names
///
/// TOPOLOGY names the topology that the cluster was started with.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    cluster: ClusterOption,
    /// Every cluster node with every tester, not only the first of each group
    #[arg(long)]
    all: bool,
    /// A name that every node has to resolve, beside the cluster's own
    #[arg(long, value_name = "NAME")]
    check_name: Option<String>,
}

/// Runs the verb.
///
/// # Errors
/// When the cluster does not run, or something in it does not work.
pub fn run(arguments: &Arguments, mut variables: Variables) -> Result<ExitCode> {
    set_options(&mut variables, &arguments.cluster);
    let settings = Settings::resolve(variables)?;
    let (run, topology) = (cluster::run_directory(&settings)?, topology::load(&settings)?);
    let pairs = if arguments.all { Pairs::All } else { Pairs::Firsts };
    let outcomes = look(&run, &topology, pairs, arguments.check_name.as_deref())?;
    ui::result(cluster::checks(&outcomes));
    judge(&outcomes)?;
    Ok(ExitCode::SUCCESS)
}

/// Looks what works, with the cluster's own name for the host among the names.
///
/// # Errors
/// When the cluster does not run, ssh can't be started, or the user cancels.
pub fn look(
    run: &RunDir,
    topology: &Topology,
    pairs: Pairs,
    name: Option<&str>,
) -> Result<Vec<Outcome>> {
    let host = format!("{}.{}", topology::HOST, topology::ZONE);
    let names: Vec<_> = std::iter::once(host.as_str()).chain(name).collect();
    ui::status("Checking", "that the nodes reach each other and know names");
    check::check(run, topology, pairs, &names)
}

/// Says what could not be checked.
///
/// # Errors
/// When something does not work.
pub fn judge(outcomes: &[Outcome]) -> Result<()> {
    let failed = outcomes.iter().filter(|o| o.verdict == Verdict::Failed).count();
    if failed > 0 {
        bail!("{failed} of {} checks failed; the cluster is left running", outcomes.len());
    }
    if outcomes.iter().any(|o| o.verdict != Verdict::Ok) {
        ui::warn("not everything could be checked");
    }
    Ok(())
}
