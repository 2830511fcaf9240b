//! `xcbuild wait`: returns when nodes are ready.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;

use crate::cli::cluster;
use crate::cli::verb::Verb;
use crate::settings::Invocation;
use crate::ui;
use xc_cluster::Cluster;
use xc_topology::address::NodeId;

/// How long `wait` waits unless another time is given, in seconds.
const WAIT: u64 = 300;

/// Wait until nodes are ready
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How many seconds to wait
    #[arg(long, value_name = "SECONDS", default_value_t = WAIT)]
    timeout: u64,
    /// The nodes, as in 1 or vm-001 [default: all]
    #[arg(value_name = "N")]
    nodes: Vec<NodeId>,
}

impl Verb for Arguments {
    const NAME: &'static str = "wait";

    /// # Errors
    /// When one has failed or died, or the time is up.
    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        let run = cluster::run_directory(&invocation.settings()?)?;
        let status =
            Cluster::open(&run)?.wait_ready(&self.nodes, Duration::from_secs(self.timeout))?;
        ui::status("Ready", format_args!("cluster `{}`", status.cluster));
        Ok(ExitCode::SUCCESS)
    }
}
