//! Whether the networks of a cluster work, as `check` and `up` ask and tell.

use anyhow::{Result, bail};

use super::dns_zone::{HOST, ZONE};
use crate::ui;
use xc_cluster::RunDir;
use xc_cluster::check::{self, Outcome, Pairs, Verdict};
use xc_topology::Topology;

/// Looks what works, with the cluster's own name for the host among the names.
///
/// # Errors
/// When the cluster does not run, ssh can't be started, or the user cancels.
pub(crate) fn look(
    run: &RunDir,
    topology: &Topology,
    pairs: Pairs,
    name: Option<&str>,
) -> Result<Vec<Outcome>> {
    let host = format!("{}.{}", HOST, ZONE);
    let names: Vec<_> = std::iter::once(host.as_str()).chain(name).collect();
    ui::status("Checking", "that the nodes reach each other and know names");
    check::check(run, topology, pairs, &names)
}

/// Says what could not be checked.
///
/// # Errors
/// When something does not work.
pub(crate) fn judge(outcomes: &[Outcome]) -> Result<()> {
    let failed = outcomes.iter().filter(|o| o.verdict == Verdict::Failed).count();
    if failed > 0 {
        bail!("{failed} of {} checks failed; the cluster is left running", outcomes.len());
    }
    if outcomes.iter().any(|o| o.verdict != Verdict::Ok) {
        ui::warn("not everything could be checked");
    }
    Ok(())
}
