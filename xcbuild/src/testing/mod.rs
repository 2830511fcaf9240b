//! Tests of overlays: the cases of their manifests, run on the nodes of a cluster that is there.
//!
//! ```text
//! cases, nodes ── run ──> tries on nodes by ssh ── judge ──> Outcome ── junit ──> a file for CI
//!                                                                    └─ artifacts ──> a directory
//! ```
//!
//! Cases run one after the other in the order of the manifests, since one may rely on what an
//! earlier one did; on all its nodes a case runs at the same time. A node that dies ends what runs
//! on it at once; that is an error, not a failure of the overlay, and so are the cases that come
//! later on it.
//!
//! | verdict | when | in JUnit |
//! |---|---|---|
//! | passed | all that the case expects holds | nothing |
//! | failed | it does not, within the case's time | `failure` |
//! | skipped | exit code 77 (as automake has it), `needs` fails, or the cluster has no such node | `skipped` |
//! | error | the node died or panicked, or its cluster did not come up | `error` |
//!
//! `judge` and [`junit`] are pure. Clusters are started and stopped by the caller.

pub(crate) mod artifacts;
mod judge;
pub(crate) mod junit;
pub(crate) mod run;

use std::fmt;
use std::time::Duration;

use xc_topology::address::NodeId;

/// What became of a case on a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// All that is expected holds.
    Passed,
    /// It does not, for that reason.
    Failed(String),
    /// It could not be tried here, for that reason.
    Skipped(String),
    /// What the case stands on is broken.
    Error(String),
}

impl Verdict {
    /// Whether a test run with it is a good one.
    pub(crate) fn is_good(&self) -> bool {
        matches!(self, Self::Passed | Self::Skipped(_))
    }

    /// The reason, where there is one.
    pub(crate) fn reason(&self) -> &str {
        match self {
            Self::Passed => "",
            Self::Failed(reason) | Self::Skipped(reason) | Self::Error(reason) => reason,
        }
    }
}

/// A case on a node, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// The overlay whose case it is.
    pub overlay: String,
    /// The case's name.
    pub case: String,
    /// The node; none where the case did not get so far.
    pub node: Option<NodeId>,
    /// What became of it.
    pub verdict: Verdict,
    /// How long it took, with all tries.
    pub took: Duration,
    /// What the command wrote at the last try; the end of the console where the node died.
    pub output: String,
}

impl Outcome {
    /// A case that was not run at all.
    pub(crate) fn without_run(
        overlay: &str,
        case: &str,
        node: Option<NodeId>,
        verdict: Verdict,
    ) -> Self {
        Self {
            overlay: overlay.into(),
            case: case.into(),
            node,
            verdict,
            took: Duration::ZERO,
            output: String::new(),
        }
    }
}

/// As people read it: `iptools: every tool runs, on vm-001`.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.overlay, self.case)?;
        self.node.map_or(Ok(()), |node| write!(f, ", on {node}"))
    }
}

/// How many there are of each verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sum {
    /// Passed.
    pub passed: usize,
    /// Failed.
    pub failed: usize,
    /// Skipped.
    pub skipped: usize,
    /// Errors.
    pub errors: usize,
}

impl Sum {
    /// The sum of outcomes.
    pub(crate) fn of<'a>(outcomes: impl IntoIterator<Item = &'a Outcome>) -> Self {
        let mut sum = Self::default();
        for outcome in outcomes {
            *match outcome.verdict {
                Verdict::Passed => &mut sum.passed,
                Verdict::Failed(_) => &mut sum.failed,
                Verdict::Skipped(_) => &mut sum.skipped,
                Verdict::Error(_) => &mut sum.errors,
            } += 1;
        }
        sum
    }

    /// All.
    pub(crate) fn all(&self) -> usize {
        self.passed + self.failed + self.skipped + self.errors
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { passed, failed, skipped, errors } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped, {errors} errors")
    }
}
