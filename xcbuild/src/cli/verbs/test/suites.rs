//! What came of a cluster's cases, as suites, and as it is told while they run.

use std::time::{SystemTime, UNIX_EPOCH};

use super::unit::Unit;
use crate::testing::junit::Suite;
use crate::testing::{Outcome, Verdict};
use crate::ui;
use xc_cluster::Status;
use xc_overlay::manifest::test::Case;

/// How many lines of a failed case's output are shown.
const OUTPUT_LINES: usize = 20;

/// A case that did not get its turn, or not to its end.
pub(super) fn not_run(overlay: &str, case: &Case, reason: &str) -> Outcome {
    Outcome::without_run(overlay, case.name.get_ref(), None, Verdict::Error(reason.into()))
}

/// The suites of a cluster that there is not.
pub(super) fn lost(unit: &Unit, reason: &str) -> Vec<Suite> {
    let suite = |(overlay, cases): &(String, Vec<Case>)| {
        let outcomes = cases.iter().map(|case| not_run(overlay, case, reason)).collect();
        Suite { outcomes, ..suite(unit, overlay, None) }
    };
    unit.tested.iter().map(suite).collect()
}

/// A suite of an overlay without outcomes yet; `status` is that of its cluster, if there is one.
pub(super) fn suite(unit: &Unit, overlay: &str, status: Option<&Status>) -> Suite {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut properties = vec![
        ("cluster".to_owned(), unit.settings.cluster.name.to_string()),
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

/// Tells of an outcome.
pub(super) fn show(outcome: &Outcome) {
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
    ui::failure(verb, format_args!("{outcome} ({seconds:.1} s): {reason}{output}"));
}
