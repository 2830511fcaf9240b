//! `xcbuild scaleout`: more nodes for a running cluster.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::cluster::start::{judge, show};
use crate::cli::cluster::{self, params, tables, topology_file};
use crate::cli::verb::Verb;
use crate::settings::Invocation;
use crate::ui::{self, Progress};
use xc_cluster::scale::scale_out;
use xc_topology::address::NodeId;

/// Add nodes to the running cluster, and print all of its nodes
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The nodes, as in 5 or vm-005
    #[arg(required = true, value_name = "N")]
    nodes: Vec<NodeId>,
}

impl Verb for Arguments {
    const NAME: &'static str = "scaleout";
    const TAKES_SETTINGS: bool = true;

    /// Runs the verb.
    ///
    /// # Errors
    /// Whatever keeps a new node from being ready; none of the new ones is left then, but with
    /// `--keep-going`, which leaves all.
    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        let settings = invocation.settings()?;
        let (topology, overrides) = (topology_file::load(&settings)?, settings.overrides());
        let ids = cluster::distinct(&self.nodes);
        let nodes = ids.iter().map(|id| topology.node(*id, &overrides));
        let params = params::params(&settings, &topology, nodes.collect::<Result<_, _>>()?, false)?;
        let bar = Progress::sized("starting nodes", params.nodes.len() as u64, false);
        let scaled = scale_out(&params, &|event| show(&settings.cluster.name, &bar, &event))?;
        drop(bar);
        ui::result(tables::table(&scaled.status));
        judge(&scaled.failed)?;
        Ok(ExitCode::SUCCESS)
    }
}
