//! `xcbuild up`: from nothing to a running, checked cluster.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap_complete::ArgValueCompleter;

use crate::cli::build::work::WorkOptions;
use crate::cli::build::{base, cdrom};
use crate::cli::cluster::start::{judge, start};
use crate::cli::cluster::{self, checks, host_programs, images, tables, topology_file};
use crate::cli::completion;
use crate::cli::verb::Verb;
use crate::settings::{ClusterSettings, Invocation, Settings};
use crate::ui;
use xc_cluster::check::{Outcome, Pairs};
use xc_cluster::{RunDir, stop};
use xc_image::cdrom::Options;
use xc_store::store::Store;

/// The overlays of a first cluster.
const OVERLAYS: &[&str] = &["network-topology", "iptools"];
/// A tester at least, so that there is something to reach through the routers.
const TESTERS: u8 = 1;

/// Build the base image and the overlays, start the cluster, and check that it works
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    work: WorkOptions,
    /// A name that every node has to resolve, beside the cluster's own
    #[arg(long, value_name = "NAME")]
    check_name: Option<String>,
    /// The overlays [default: network-topology iptools]
    #[arg(add = ArgValueCompleter::new(completion::overlays))]
    overlays: Vec<String>,
}

impl Verb for Arguments {
    const NAME: &'static str = "up";
    const TAKES_SETTINGS: bool = true;

    /// Runs the verb.
    ///
    /// # Errors
    /// When something is missing on the host, can't be built or doesn't start; nothing runs then. With
    /// `--keep-going`, or when a check fails, the cluster goes on.
    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        let _recording = self.work.begin(&invocation)?;
        let settings = invocation.settings()?;
        let topology = topology_file::load(&settings)?;
        let testers = topology.counts.testers.max(TESTERS).to_string();
        let settings = settings.or(&ClusterSettings::testers, &testers)?;
        host_programs::check(&settings)?;
        cluster::refuse_running(&settings)?;
        if images::is_own(&settings)? {
            bail!(
                "`up` checks nodes of xcbuild's own base image; with an image of your own: `xcbuild mkcdrom`, {}",
                settings.cluster.name.command("start")
            );
        }
        let store = Store::open(&settings.places.store, &ui::reporter())?;
        base::build(&settings, &store)?;
        cdrom::build(&settings, &store, &overlays(self, &settings), &Options::default(), false)?;
        let report = start(&settings, false)?;
        let run = cluster::run_directory(&settings)?;
        let checked = checks::look(&run, &topology, Pairs::Firsts, self.check_name.as_deref());
        let outcomes = checked.or_else(|e| undone(&run, e))?;
        ui::result(tables::table(&report.status));
        ui::result("");
        ui::result(tables::checks(&outcomes));
        judge(&report.failed)?;
        checks::judge(&outcomes)?;
        let [rsh, look, stop] =
            ["rsh 1", "status --table", "stop"].map(|line| run.name().command(line));
        ui::hint(format_args!("go on with {rsh}, {look}, {stop}"));
        Ok(ExitCode::SUCCESS)
    }
}

/// A check that was cancelled or could not be made: nothing is left running.
fn undone(run: &RunDir, error: anyhow::Error) -> Result<Vec<Outcome>> {
    ui::status("Undoing", "what was started");
    match stop(run) {
        Ok(_) => Err(error),
        Err(left) => Err(error.context(format!("and not all of it could be undone: {left:#}"))),
    }
}

fn overlays(arguments: &Arguments, settings: &Settings) -> Vec<String> {
    let named = match arguments.overlays.as_slice() {
        [] => OVERLAYS.iter().map(ToString::to_string).collect(),
        given => given.to_vec(),
    };
    [named, settings.build.always.clone()].concat()
}
