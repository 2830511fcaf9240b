//! `xcbuild check`: whether the networks of the running cluster work.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::cluster::checks::{judge, look};
use crate::cli::cluster::topology_file;
use crate::cli::cluster::{self, tables};
use crate::cli::verb::Verb;
use crate::settings::Invocation;
use crate::ui;
use xc_cluster::check::Pairs;

/// Check that nodes reach each other by the topology's ways, and know names
///
/// TOPOLOGY names the topology that the cluster was started with.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Every cluster node with every tester, not only the first of each group
    #[arg(long)]
    all: bool,
    /// A name that every node has to resolve, beside the cluster's own
    #[arg(long, value_name = "NAME")]
    check_name: Option<String>,
}

impl Verb for Arguments {
    const NAME: &'static str = "check";

    /// Runs the verb.
    ///
    /// # Errors
    /// When the cluster does not run, or something in it does not work.
    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        let settings = invocation.settings()?;
        let (run, topology) = (cluster::run_directory(&settings)?, topology_file::load(&settings)?);
        let pairs = if self.all { Pairs::All } else { Pairs::Firsts };
        let outcomes = look(&run, &topology, pairs, self.check_name.as_deref())?;
        ui::result(tables::checks(&outcomes));
        judge(&outcomes)?;
        Ok(ExitCode::SUCCESS)
    }
}
