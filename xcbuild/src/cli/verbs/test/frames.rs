//! The frames of a cluster's networks while its cases run, a file for each case.
//!
//! What was seen is a help and no verdict: where a place can't be looked at, since all its nodes have
//! died or the user may not, that is told, and the case runs all the same.

use std::io::BufWriter;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::unit::Unit;
use super::{Arguments, When};
use crate::testing::Outcome;
use crate::testing::artifacts::Artifacts;
use crate::ui;
use xc_capture::SNAPLEN;
use xc_cluster::RunDir;
use xc_cluster::capture::{CapturePoint, Opened, Recording, open};
use xc_topology::address::MAINTENANCE;
use xc_topology::nodes::Node;

/// What is recorded of a cluster, and where it goes.
#[derive(Debug)]
pub(super) struct Frames<'a> {
    when: When,
    places: Vec<CapturePoint>,
    kept: Option<&'a Artifacts>,
}

impl<'a> Frames<'a> {
    /// What the user wants of a unit's cluster.
    ///
    /// # Errors
    /// When that has no such network or link.
    pub(super) fn plan(
        unit: &Unit,
        arguments: &Arguments,
        kept: Option<&'a Artifacts>,
    ) -> Result<Self> {
        let settings = &unit.settings;
        let counts = settings.counts(&unit.topology);
        let nodes = unit.topology.nodes(&counts, &settings.overrides())?;
        let mut places = arguments.capture_nets.clone();
        if let Some(place) = places.iter().find(|place| !has(&nodes, **place)) {
            bail!("--capture-nets: there is no {place} in cluster `{}`", settings.cluster.name);
        }
        if places.is_empty() {
            let all = nodes.iter().flat_map(|node| &node.interfaces).map(|i| i.network);
            places = all.filter(|n| *n != MAINTENANCE).map(CapturePoint::Network).collect();
            places.sort_unstable();
            places.dedup();
        }
        Ok(Self { when: arguments.capture, places, kept })
    }

    /// Does something for a case of an overlay, with a recording beside it.
    ///
    /// # Errors
    /// Those of what is done.
    pub(super) fn beside(
        &self,
        run: &RunDir,
        (overlay, case): (&str, &str),
        work: impl FnOnce() -> Result<Vec<Outcome>>,
    ) -> Result<Vec<Outcome>> {
        let Some(kept) = self.kept.filter(|_| self.when != When::Never) else { return work() };
        let begun = self.begin(run, || kept.frames(overlay, case));
        let outcomes = work();
        let good = outcomes.as_ref().is_ok_and(|all| all.iter().all(|o| o.verdict.is_good()));
        let end = |(recording, path): (Recording, PathBuf)| self.end(recording, &path, good);
        if let Err(error) = begun.and_then(|begun| begun.map_or(Ok(()), end)) {
            ui::warn(format_args!("{overlay}: {case}: no frames kept: {}", ui::causes(&error)));
        }
        outcomes
    }

    /// Opens the places that are there; each that is not is told. `None` if that are all.
    fn begin(
        &self,
        run: &RunDir,
        path: impl FnOnce() -> Result<PathBuf>,
    ) -> Result<Option<(Recording, PathBuf)>> {
        let mut opened = Opened::default();
        for place in &self.places {
            match open(run, &[*place], SNAPLEN) {
                Ok(more) => opened.extend(more),
                Err(error) => {
                    ui::warn(format_args!("no frames of {place}: {}", ui::causes(&error)))
                }
            }
        }
        if opened.sources.is_empty() {
            return Ok(None);
        }
        let path = path()?;
        let file = BufWriter::new(fs_err::File::create(&path)?);
        Ok(Some((opened.record(file).context("can't record")?, path)))
    }

    fn end(&self, recording: Recording, path: &Path, good: bool) -> Result<()> {
        let summary =
            recording.end().with_context(|| format!("can't write `{}`", path.display()))?;
        if !self.when.keeps(good) {
            return Ok(fs_err::remove_file(path)?);
        }
        if summary.dropped > 0 {
            let (path, dropped) = (path.display(), summary.dropped);
            ui::warn(format_args!("`{path}` lacks {dropped} frames: they came too fast"));
        }
        for (place, why) in &summary.ended {
            let why = why.as_deref().unwrap_or("its node or link has gone");
            ui::warn(format_args!("`{}` has not all of {place}: {why}", path.display()));
        }
        Ok(())
    }
}

/// Whether a node is there.
fn has(nodes: &[Node], place: CapturePoint) -> bool {
    let on = |node: &Node, network| node.interfaces.iter().any(|i| i.network == network);
    match place {
        CapturePoint::Network(network) => nodes.iter().any(|node| on(node, network)),
        CapturePoint::Link(id, network) => {
            nodes.iter().any(|node| node.id == id && on(node, network))
        }
    }
}
