//! `xcbuild test`: overlays' tests on clusters of their own.

mod frames;
mod session;
mod suites;
mod unit;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap_complete::ArgValueCompleter;

use crate::cli::build::work::WorkOptions;
use crate::cli::build::{base, cdrom};
use crate::cli::cluster::{self, host_programs, tables};
use crate::cli::completion;
use crate::cli::verb::Verb;
use crate::settings::Invocation;
use crate::testing::junit::{self, Suite};
use crate::testing::{Outcome, Sum, Verdict};
use crate::ui;
use session::Session;
use xc_cluster::capture::CapturePoint;
use xc_image::cdrom::Options as IsoOptions;
use xc_store::store::Store;
use xc_sys::files::write_atomic;
use xc_sys::jobs;

/// Build overlays, start a cluster, run the overlays' tests on its nodes, and stop it
///
/// Tests are the cases under [test] in the overlays' ovl.toml; docs/overlays.md has their form. The
/// exit code is 0 if none failed. Nodes that need more memory than the host has left wait until other
/// clusters of yours that run give theirs back, up to an hour (`__queue` has it in seconds). What comes out is a table on stdout, JUnit XML where it is asked
/// for, and with --artifacts the consoles, the output of each case and the resolved topology.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The cluster's name [default: test-OVL-PID]
    #[arg(long, value_name = "NAME", conflicts_with = "parallel")]
    cluster: Option<String>,
    /// The topology [default: what the overlay is made for, else $TOPOLOGY, else xnet]
    #[arg(long, value_name = "NAME")]
    topology: Option<String>,
    #[command(flatten)]
    work: WorkOptions,
    /// Write what came of the tests here, as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Keep results, consoles, logs, the output of cases and the topology here, a directory a cluster
    #[arg(long, value_name = "DIR")]
    artifacts: Option<PathBuf>,
    /// Keep the frames of the networks, for each case a pcapng file beside its output
    ///
    /// --capture alone is --capture=always. What is recorded is all that passes between the nodes from
    /// the case's begin to its end, in every kind of network.
    #[arg(long, value_name = "WHEN", num_args = 0..=1, require_equals = true, requires = "artifacts",
          default_value = "never", default_missing_value = "always")]
    capture: When,
    /// What --capture records, as in 1,201:2 [default: all networks but 0]
    #[arg(long, value_name = "NET|NODE:NET,…", value_delimiter = ',', requires = "capture")]
    capture_nets: Vec<CapturePoint>,
    /// Whether the cluster goes on running at the end, for a look into it
    #[arg(long, value_name = "WHEN", default_value = "never")]
    keep: When,
    /// Give each overlay a cluster of its own, so many of them at a time
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    parallel: Option<u8>,
    /// Overlays that come before the named ones and are not tested; --base= for none
    #[arg(long, value_name = "OVL,…", value_delimiter = ',', default_value = "network-topology")]
    base: Vec<String>,
    /// The overlays
    #[arg(required = true, value_name = "OVL", add = ArgValueCompleter::new(completion::overlays))]
    overlays: Vec<String>,
}

impl Verb for Arguments {
    const NAME: &'static str = "test";

    /// Runs the verb.
    ///
    /// # Errors
    /// When a test failed or could not be made, or something can't be built or written.
    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        let _recording = self.work.begin(&invocation)?;
        let settings = invocation.settings()?;
        let units = unit::plan(self, &settings)?;
        host_programs::check(&settings)?;
        units.iter().try_for_each(|unit| cluster::refuse_running(&unit.settings))?;
        let store = Store::open(&settings.places.store, &ui::reporter())?;
        base::build(&settings, &store)?;
        for unit in &units {
            let options = IsoOptions::default();
            cdrom::build(&unit.settings, &store, &unit.overlays, &options, false)?;
        }
        let limit = usize::from(self.parallel.unwrap_or(1));
        let sessions = jobs::map(&units, limit, |unit| session::run(unit, self));
        let all = sessions.into_iter().zip(&units);
        finish(self, all.map(|(s, unit)| s.unwrap_or_else(|_| Session::panicked(unit))).collect())
    }
}

/// When something is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum When {
    Never,
    OnFailure,
    Always,
}

impl When {
    /// Whether it is, if all went well or not.
    fn keeps(self, good: bool) -> bool {
        match self {
            Self::Never => false,
            Self::OnFailure => !good,
            Self::Always => true,
        }
    }
}

/// Writes and prints what came of all.
fn finish(arguments: &Arguments, sessions: Vec<Session>) -> Result<ExitCode> {
    let (mut suites, mut broken) = (Vec::new(), Vec::new());
    for session in sessions {
        suites.extend(session.suites);
        broken.extend(session.broken);
    }
    if let Some(path) = &arguments.junit {
        match write_atomic(path, junit::xml(&suites).as_bytes()) {
            Ok(()) => ui::status("Wrote", path.display()),
            Err(error) => broken.push(error.into()),
        }
    }
    ui::result(table(&suites));
    let sum = Sum::of(suites.iter().flat_map(|s| &s.outcomes));
    ui::result(sum);
    if let Some(error) = last_of(broken) {
        return Err(error);
    }
    if sum.failed + sum.errors > 0 {
        bail!("{} of {} tests did not pass", sum.failed + sum.errors, sum.all());
    }
    Ok(ExitCode::SUCCESS)
}

/// Tells all errors but one, which is left for the end of the program: that the user cancelled, where
/// he did, which then decides the exit code.
fn last_of(broken: Vec<anyhow::Error>) -> Option<anyhow::Error> {
    let (mut cancelled, mut others): (Vec<_>, Vec<_>) =
        broken.into_iter().partition(crate::cli::failure::cancelled);
    let last = cancelled.pop().or_else(|| others.pop());
    others.iter().for_each(ui::error);
    // Each cluster was cancelled; that is worth a line where it has more to say.
    cancelled.iter().filter(|error| error.chain().nth(1).is_some()).for_each(ui::error);
    last
}

fn table(suites: &[Suite]) -> String {
    let row = |outcome: &Outcome| {
        let result = match outcome.verdict {
            Verdict::Passed => "passed",
            Verdict::Failed(_) => "FAILED",
            Verdict::Skipped(_) => "SKIPPED",
            Verdict::Error(_) => "ERROR",
        };
        [
            outcome.overlay.clone(),
            outcome.case.clone(),
            outcome.node.map_or("-".into(), |node| node.to_string()),
            result.into(),
            format!("{:.1} s", outcome.took.as_secs_f32()),
            outcome.verdict.reason().lines().next().unwrap_or_default().into(),
        ]
    };
    let heads = ["OVERLAY", "CASE", "NODE", "RESULT", "TIME", "REASON"];
    tables::aligned(heads, suites.iter().flat_map(|s| &s.outcomes).map(row))
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::last_of;
    use xc_sys::cancel::Cancelled;
    use xc_sys::cancel::fixture::after_a_cancel;

    #[test]
    fn a_cancel_decides_the_exit_code_and_hides_no_other_error() {
        let broken = || vec![anyhow!(Cancelled).context("left"), anyhow!(Cancelled), anyhow!("a")];
        assert_eq!(last_of(broken()).unwrap().to_string(), "a");
        assert!(last_of(Vec::new()).is_none());
        let path =
            "cli::verbs::test::tests::a_cancel_decides_the_exit_code_and_hides_no_other_error";
        after_a_cancel(path, || {
            assert!(last_of(broken()).unwrap().is::<Cancelled>());
        });
    }
}
