//! One cluster's tests: start, run, keep what is asked for, stop.

use std::cell::Cell;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, anyhow};

use super::frames::Frames;
use super::suites::{lost, not_run, show, suite};
use super::unit::Unit;
use super::{Arguments, When};
use crate::cli::cluster::{self, params};
use crate::settings::Settings;
use crate::testing::artifacts::Artifacts;
use crate::testing::junit::{self, Suite};
use crate::testing::run::CaseRunner;
use crate::ui;
use xc_cluster::start::StartError;
use xc_cluster::{self as clusters, ClusterName, Event, RunDir, Status, stop};
use xc_sys::cancel;
use xc_topology::Topology;
use xc_topology::show::View;

/// How long a cluster of tests waits for memory that others have.
const PATIENCE: Duration = Duration::from_secs(3600);

/// What came of one cluster.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// What became of the cases.
    pub suites: Vec<Suite>,
    /// What kept them from being run to the end, the cluster from being stopped, or what came of it
    /// from being kept.
    pub broken: Vec<anyhow::Error>,
}

impl Session {
    /// Of a unit whose thread has panicked.
    pub(super) fn panicked(unit: &Unit) -> Self {
        let name = &unit.settings.cluster.name;
        let error = anyhow!(
            "xcbuild has panicked while it tested on cluster `{name}`, which may still run: \
             {stop} ends it",
            stop = name.command("stop")
        );
        Self { suites: lost(unit, "xcbuild has panicked"), broken: vec![error] }
    }

    /// Takes note of an error, beside those that there are.
    fn note(&mut self, done: Result<()>) {
        self.broken.extend(done.err());
    }

    fn is_good(&self) -> bool {
        let mut outcomes = self.suites.iter().flat_map(|suite| &suite.outcomes);
        self.broken.is_empty() && outcomes.all(|outcome| outcome.verdict.is_good())
    }
}

/// Tests a unit. Its cluster is stopped at the end, however that comes, unless it is to be kept.
pub(super) fn run(unit: &Unit, arguments: &Arguments) -> Session {
    let mut session = Session::default();
    let used = whole(unit, arguments, &mut session).unwrap_or_else(|error| {
        session.suites = lost(unit, &ui::causes(&error));
        // Who has the name has the ISO of that name as well.
        let used = error.is::<StartError>();
        session.broken.push(error);
        used
    });
    if !used {
        session.note(fs_err::remove_file(&unit.settings.places.cdrom).map_err(Into::into));
    }
    session
}

/// Tells whether the cluster stays.
///
/// # Errors
/// What keeps it from being begun.
fn whole(unit: &Unit, arguments: &Arguments, session: &mut Session) -> Result<bool> {
    let name = &unit.settings.cluster.name;
    let kept = arguments.artifacts.as_deref().map(|dir| Artifacts::create(dir, name.as_str()));
    let kept = kept.transpose()?;
    let frames = Frames::plan(unit, arguments, kept.as_ref())?;
    let run = cluster::run_directory(&unit.settings)?;
    let kept = kept.as_ref();
    let undone = Cell::new(false);
    let started = start(&unit.settings, &unit.topology, &undone);
    let up = started.is_ok();
    match started {
        Ok(status) => cases(unit, &status, (&run, kept, &frames), session),
        Err(error) if error.is::<StartError>() => return Err(error),
        Err(error) => not_started(unit, error, session),
    }
    let good = session.is_good();
    let described = kept.map_or(Ok(()), |kept| describe(unit, &run, kept, &session.suites));
    session.note(described);
    let stays = up && stays(arguments.keep, good);
    if stays {
        left_running(name);
    } else if up {
        session.note(stop(&run).map(drop));
    }
    let logs = unit.settings.places.tmp.join(format!("cluster-{name}"));
    if up || undone.get() {
        session.note(keep_logs(&logs, kept, stays, good));
    }
    Ok(stays)
}

/// A start that failed has undone itself: there is nothing to stop.
fn not_started(unit: &Unit, error: anyhow::Error, session: &mut Session) {
    let reason = ui::causes(&error);
    session.suites = lost(unit, &format!("the cluster did not come up: {reason}"));
    if cancel::requested() {
        session.broken.push(error);
    } else {
        ui::failure("Failed", format_args!("cluster `{}`: {reason}", unit.settings.cluster.name));
    }
}

fn stays(keep: When, good: bool) -> bool {
    !cancel::requested() && keep.keeps(good)
}

fn left_running(name: &ClusterName) {
    let [rsh, stop] = ["rsh 1", "stop"].map(|line| name.command(line));
    ui::hint(format_args!("the cluster goes on: {rsh} looks into it, {stop} ends it"));
}

/// Starts the cluster; several do so at once, so each line has the cluster's name. `undone` is set
/// where it was begun in vain.
fn start(settings: &Settings, topology: &Topology, undone: &Cell<bool>) -> Result<Status> {
    let name = &settings.cluster.name;
    let nodes = topology.nodes(&settings.counts(topology), &settings.overrides())?;
    let mut params = params::params(settings, topology, nodes, false)?;
    // Tests that run beside this one give their memory back.
    params.admission.queue.get_or_insert(PATIENCE);
    ui::status("Starting", format_args!("cluster `{name}`, {} nodes", params.nodes.len()));
    let report = clusters::start(&params, &|event| {
        undone.set(undone.get() || event == Event::Unwinding);
        show_event(name, event);
    })?;
    let seconds = report.boot_time.as_secs_f32();
    ui::status("Started", format_args!("cluster `{name}` in {seconds:.1} s"));
    Ok(report.status)
}

/// Shows a step of a start: what is worth a line where several start at once.
fn show_event(name: &ClusterName, event: Event) {
    match event {
        Event::Fallback(reason) => {
            ui::warn(format_args!("nodes run without KVM, some ten times slower: {reason}"))
        }
        Event::NetworkFallback(kind, reason) => ui::warn(format_args!(
            "cluster `{name}`: networks are {} (--net={kind}): {reason}",
            kind.summary()
        )),
        Event::Queued(room) => {
            ui::warn(room);
            ui::status("Waiting", format_args!("for memory, with cluster `{name}`"));
        }
        // Told where nodes are added to what runs.
        Event::Changed(_) => {}
        Event::Stopping => {
            ui::status("Stopping", format_args!("what is left of a cluster `{name}`"))
        }
        Event::Warning(node, what) => {
            ui::warn(format_args!("cluster `{name}`: {node}: {what}"));
        }
        Event::Failed(failed) => ui::warn(format_args!("cluster `{name}`: {failed}")),
        Event::Unwinding => ui::status("Undoing", format_args!("the start of `{name}`")),
        Event::Network(_)
        | Event::DnsThere(_)
        | Event::Dns(_)
        | Event::Launched(_)
        | Event::Ready(..) => {}
    }
}

/// Runs all cases; those that don't get their turn are in the suites, too.
fn cases(
    unit: &Unit,
    status: &Status,
    (run, kept, frames): (&RunDir, Option<&Artifacts>, &Frames<'_>),
    session: &mut Session,
) {
    let bench = match CaseRunner::new(run) {
        Ok(bench) => bench,
        Err(error) => {
            session.suites = lost(unit, &ui::causes(&error));
            return session.broken.push(error);
        }
    };
    let mut ended = None;
    for (overlay, cases) in &unit.tested {
        let mut suite = suite(unit, overlay, Some(status));
        for case in cases {
            if ended.is_some() {
                let reason = if cancel::requested() { "cancelled" } else { "the run ended" };
                suite.outcomes.push(not_run(overlay, case, &format!("{reason} before it ran")));
                continue;
            }
            let tried = || bench.case(overlay, case, &show);
            match frames.beside(run, (overlay, case.name.get_ref()), tried) {
                Ok(outcomes) => suite.outcomes.extend(outcomes),
                Err(error) => {
                    suite.outcomes.push(not_run(overlay, case, &ui::causes(&error)));
                    ended = Some(error);
                }
            }
        }
        let keep = |kept: &Artifacts| suite.outcomes.iter().try_for_each(|o| kept.outcome(o));
        session.note(kept.map_or(Ok(()), keep));
        session.suites.push(suite);
    }
    session.broken.extend(ended);
}

/// Keeps what is known of the cluster while it runs, and what came of its cases.
fn describe(unit: &Unit, run: &RunDir, kept: &Artifacts, suites: &[Suite]) -> Result<()> {
    kept.text("junit.xml", &junit::xml(suites))?;
    let settings = &unit.settings;
    let overrides = settings.overrides();
    let nodes = unit.topology.nodes(&settings.counts(&unit.topology), &overrides)?;
    let view = View::of(&unit.topology, &nodes, &overrides);
    kept.text("topology.json", &view.json()?)?;
    kept.text("status.json", &serde_json::to_string_pretty(&clusters::status(run)?)?)?;
    let line = |(name, value): (&str, String)| format!("{name}={value}\n");
    kept.text("settings", &settings.contract().into_iter().map(line).collect::<String>())
}

/// Keeps the logs with the artifacts, and removes them where nobody needs them any more.
fn keep_logs(logs: &Path, kept: Option<&Artifacts>, stays: bool, good: bool) -> Result<()> {
    if !logs.exists() {
        return Ok(());
    }
    if let Some(kept) = kept {
        kept.logs(logs)?;
        ui::status("Kept", kept.path().display());
    }
    if stays {
        return Ok(());
    }
    if good || kept.is_some() {
        fs_err::remove_dir_all(logs)?;
    } else {
        ui::hint(format_args!("the consoles are in `{}`", logs.display()));
    }
    Ok(())
}
