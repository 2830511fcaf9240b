//! One cluster's tests: start, run, keep what is asked for, stop.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;

use super::frames::Frames;
use super::unit::Unit;
use super::{Arguments, When};
use crate::cli::{cluster, params};
use crate::cluster::{self as clusters, Event, RunDir, StartParams, Status, stop};
use crate::overlay::manifest::test::Case;
use crate::settings::Settings;
use crate::sys::cancel;
use crate::testing::artifacts::Artifacts;
use crate::testing::junit::{self, Suite};
use crate::testing::run::Bench;
use crate::testing::{Outcome, Verdict};
use crate::topology::Topology;
use crate::topology::show::View;
use crate::ui;

/// How many lines of a failed case's output are shown.
const OUTPUT_LINES: usize = 20;

/// How long a cluster of tests waits for memory that others have.
const PATIENCE: Duration = Duration::from_secs(3600);

/// What came of one cluster.
#[derive(Debug)]
pub struct Session {
    /// What became of the cases.
    pub suites: Vec<Suite>,
    /// What kept them from being run to the end, or the cluster from being stopped.
    pub broken: Option<anyhow::Error>,
}

/// Tests a unit. Its cluster is stopped at the end, however that comes, unless it is to be kept.
pub fn run(unit: &Unit, arguments: &Arguments) -> Session {
    let mut session = Session { suites: Vec::new(), broken: None };
    if let Err(error) = whole(unit, arguments, &mut session) {
        session.broken.get_or_insert(error);
    }
    session
}

fn whole(unit: &Unit, arguments: &Arguments, session: &mut Session) -> Result<()> {
    let name = &unit.settings.cluster.name;
    let kept = arguments.artifacts.as_deref().map(|dir| Artifacts::create(dir, name));
    let kept = kept.transpose()?;
    let frames = Frames::plan(unit, arguments, kept.as_ref())?;
    let run = cluster::run_directory(&unit.settings)?;
    let status = match start(&unit.settings, &unit.topology) {
        Ok(status) => Some(status),
        Err(error) => {
            let reason = format!("the cluster did not come up: {}", ui::causes(&error));
            if cancel::requested() {
                session.broken = Some(error);
            } else {
                ui::bad("Failed", format_args!("cluster `{name}`: {}", ui::causes(&error)));
            }
            session.suites = lost(unit, &reason);
            None
        }
    };
    if let Some(status) = &status
        && let Err(error) = cases(unit, status, (&run, kept.as_ref(), &frames), &mut session.suites)
    {
        session.broken = Some(error);
    }
    let good = session.suites.iter().flat_map(|s| &s.outcomes).all(|o| o.verdict.is_good());
    let good = good && session.broken.is_none();
    let suites = &session.suites;
    let described = kept.as_ref().map_or(Ok(()), |kept| describe(unit, &run, kept, suites));
    let stays = status.is_some() && stays(arguments.keep, good);
    let stopped = if stays { left_running(name) } else { stop(&run).map(drop) };
    let cleaned = clean(unit, kept.as_ref(), stays, good);
    described.and(stopped).and(cleaned)
}

fn stays(keep: When, good: bool) -> bool {
    !cancel::requested() && keep.keeps(good)
}

fn left_running(name: &str) -> Result<()> {
    ui::hint(format_args!(
        "the cluster goes on: `xcbuild rsh --cluster={name} 1` looks into it, `xcbuild stop --cluster={name}` ends it"
    ));
    Ok(())
}

/// Starts the cluster; several do so at once, so each line has the cluster's name.
fn start(settings: &Settings, topology: &Topology) -> Result<Status> {
    let name = &settings.cluster.name;
    let nodes = topology.nodes(&settings.counts(topology), &settings.overrides()?)?;
    let params = params::params(settings, topology, nodes, false)?;
    // Tests that run beside this one give their memory back.
    let params = StartParams { queue: params.queue.or(Some(PATIENCE)), ..params };
    ui::status("Starting", format_args!("cluster `{name}`, {} nodes", params.nodes.len()));
    let report = clusters::start(&params, &|event| match event {
        Event::Fallback(reason) => {
            ui::warn(format_args!("nodes run without KVM, some ten times slower: {reason}"))
        }
        Event::Queued(room) => {
            ui::warn(room);
            ui::status("Waiting", format_args!("for memory, with cluster `{name}`"));
        }
        Event::Unwinding => ui::status("Undoing", format_args!("the start of `{name}`")),
        _ => {}
    })?;
    let seconds = report.boot_time.as_secs_f32();
    ui::status("Started", format_args!("cluster `{name}` in {seconds:.1} s"));
    Ok(report.status)
}

/// Runs all cases; those that don't get their turn are in the suites, too.
fn cases(
    unit: &Unit,
    status: &Status,
    (run, kept, frames): (&RunDir, Option<&Artifacts>, &Frames<'_>),
    suites: &mut Vec<Suite>,
) -> Result<()> {
    let bench = Bench::new(run)?;
    let mut broken = None;
    for (overlay, cases) in &unit.tested {
        let mut suite = suite(unit, overlay, Some(status));
        for case in cases {
            if broken.is_some() {
                suite.outcomes.push(not_run(overlay, case, "cancelled before it ran"));
                continue;
            }
            let tried = || bench.case(overlay, case, &show);
            match frames.beside(run, (overlay, case.name.get_ref()), tried) {
                Ok(outcomes) => suite.outcomes.extend(outcomes),
                Err(error) => {
                    suite.outcomes.push(not_run(overlay, case, &ui::causes(&error)));
                    broken = Some(error);
                }
            }
        }
        let keep = |kept: &Artifacts| suite.outcomes.iter().try_for_each(|o| kept.outcome(o));
        kept.map_or(Ok(()), keep)?;
        suites.push(suite);
    }
    broken.map_or(Ok(()), Err)
}

fn not_run(overlay: &str, case: &Case, reason: &str) -> Outcome {
    Outcome::without_run(overlay, case.name.get_ref(), None, Verdict::Error(reason.into()))
}

/// The suites of a cluster that there is not.
fn lost(unit: &Unit, reason: &str) -> Vec<Suite> {
    let suite = |(overlay, cases): &(String, Vec<Case>)| {
        let outcomes = cases.iter().map(|case| not_run(overlay, case, reason)).collect();
        Suite { outcomes, ..suite(unit, overlay, None) }
    };
    unit.tested.iter().map(suite).collect()
}

fn suite(unit: &Unit, overlay: &str, status: Option<&Status>) -> Suite {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut properties = vec![
        ("cluster".to_owned(), unit.settings.cluster.name.clone()),
        ("topology".to_owned(), unit.topology.name.clone()),
        ("overlays".to_owned(), unit.overlays.join(" ")),
        ("xcbuild".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
    ];
    if let Some(status) = status {
        properties.push(("nodes".to_owned(), status.nodes.len().to_string()));
        properties.extend(status.network.clone().map(|kind| ("network".to_owned(), kind)));
    }
    Suite { name: overlay.into(), began: now.as_secs(), properties, outcomes: Vec::new() }
}

fn show(outcome: &Outcome) {
    let seconds = outcome.took.as_secs_f32();
    let (verb, reason) = match &outcome.verdict {
        Verdict::Passed => return ui::status("Passed", format_args!("{outcome} ({seconds:.1} s)")),
        Verdict::Skipped(reason) => {
            return ui::status("Skipped", format_args!("{outcome}: {reason}"));
        }
        Verdict::Failed(reason) => ("Failed", reason),
        Verdict::Error(reason) => ("Error", reason),
    };
    let lines: Vec<&str> = outcome.output.lines().collect();
    let last = &lines[lines.len().saturating_sub(OUTPUT_LINES)..];
    let output: String = last.iter().map(|line| format!("\n    {line}")).collect();
    ui::bad(verb, format_args!("{outcome} ({seconds:.1} s): {reason}{output}"));
}

/// Keeps what is known of the cluster while it runs, and what came of its cases.
fn describe(unit: &Unit, run: &RunDir, kept: &Artifacts, suites: &[Suite]) -> Result<()> {
    kept.text("junit.xml", &junit::xml(suites))?;
    let settings = &unit.settings;
    let overrides = settings.overrides()?;
    let nodes = unit.topology.nodes(&settings.counts(&unit.topology), &overrides)?;
    let view = View::of(&unit.topology, &nodes, &overrides);
    kept.text("topology.json", &view.json()?)?;
    kept.text("status.json", &serde_json::to_string_pretty(&clusters::status(run)?)?)?;
    let line = |(name, value): (&str, String)| format!("{name}={value}\n");
    kept.text("settings", &settings.contract().into_iter().map(line).collect::<String>())
}

/// Keeps the logs and removes what nobody needs any more.
fn clean(unit: &Unit, kept: Option<&Artifacts>, stays: bool, good: bool) -> Result<()> {
    let places = &unit.settings.places;
    let logs = places.tmp.join(format!("cluster-{}", unit.settings.cluster.name));
    if let Some(kept) = kept.filter(|_| logs.exists()) {
        kept.logs(&logs)?;
        ui::status("Kept", kept.path().display());
    }
    if stays {
        return Ok(());
    }
    fs_err::remove_file(&places.cdrom)?;
    if logs.exists() && (good || kept.is_some()) {
        fs_err::remove_dir_all(&logs)?;
    } else if logs.exists() {
        ui::hint(format_args!("the consoles are in `{}`", logs.display()));
    }
    Ok(())
}
