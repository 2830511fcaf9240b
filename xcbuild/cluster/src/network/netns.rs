//! Bridges and taps in a namespace that others may share: that of `nsadd`, or one of the user's own.
//!
//! What is made is written down link by link, since a namespace outlives its clusters and has links
//! of others beside ours. Links are removed from within the namespace, or by root from anywhere.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use xc_net::apply::{apply, existing, undo, within};
use xc_net::bridges::{self, Wiring};
use xc_net::op::{Op, Undo};
use xc_sys::namespace;

/// The links of a cluster in a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Netns {
    /// The namespace's file, where it has a name.
    file: Option<PathBuf>,
    /// Device and inode, by which the namespace is known again.
    identity: (u64, u64),
    /// What is still to be done.
    plan: Vec<Op>,
    /// What takes back all that was or is to be done.
    made: Vec<Undo>,
}

impl Netns {
    /// No links yet, in the namespace that this process is in.
    pub(super) fn here() -> Result<Self> {
        Ok(Self {
            file: namespace::own_name().map(|name| namespace::path(&name)),
            identity: namespace::own().context("can't tell which namespace this is")?,
            plan: Vec::new(),
            made: Vec::new(),
        })
    }

    /// Plans what more nodes need.
    pub(super) fn add(&mut self, wiring: &Wiring<'_>) -> Result<()> {
        let (bridges, taps) = bridges::links(wiring.nodes);
        let (taken, there) = self.inside(|| {
            let taken = existing(taps.iter().map(String::as_str))?;
            Ok((taken, existing(bridges.iter().map(String::as_str))?))
        })?;
        if let Some(taken) = taken.first() {
            bail!(
                "the tap {taken} is there already, of another cluster in this namespace perhaps; stop that one, or use another namespace"
            );
        }
        let owner = rustix::process::geteuid().as_raw();
        self.plan = bridges::plan(wiring, owner, &there);
        self.made.extend(self.plan.iter().filter_map(Op::undo));
        Ok(())
    }

    /// Makes what is planned.
    pub(super) fn make(&mut self) -> Result<()> {
        self.inside(|| apply(&self.plan))?;
        self.plan.clear();
        Ok(())
    }

    /// Removes all links.
    pub(super) fn take_back(&self) -> Result<()> {
        self.remove(&self.made)
    }

    /// Removes some links.
    pub(super) fn drop(&mut self, links: &[String]) -> Result<()> {
        let is_one = |u: &Undo| matches!(u, Undo::Link(link) if links.contains(link));
        let gone: Vec<_> = self.made.iter().filter(|u| is_one(u)).cloned().collect();
        self.remove(&gone)?;
        self.made.retain(|u| !is_one(u));
        Ok(())
    }

    /// The words that enter the namespace; none if this process is in it.
    pub(super) fn reach(&self) -> Vec<String> {
        match &self.file {
            Some(file) if !self.is_ours() => {
                vec!["nsenter".into(), format!("--net={}", file.display()), "--".into()]
            }
            _ => Vec::new(),
        }
    }

    fn is_ours(&self) -> bool {
        namespace::own().ok() == Some(self.identity)
    }

    fn remove(&self, made: &[Undo]) -> Result<()> {
        let has_gone = |file| namespace::identity(file).ok() != Some(self.identity);
        if self.file.as_deref().is_some_and(has_gone) && !self.is_ours() {
            // With the namespace, all that was in it has gone.
            return Ok(());
        }
        self.inside(|| undo(made))
    }

    /// Does something in the namespace, which only root may enter.
    fn inside<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        if self.is_ours() {
            return work();
        }
        match &self.file {
            Some(file) if rustix::process::geteuid().is_root() => within(file, work),
            Some(file) => bail!(
                "the cluster's networks are in the namespace `{}`; do this within it (sudo -E xcbuild nsenter)",
                file.display()
            ),
            None => bail!(
                "the cluster's networks are in another namespace, which has no name; do this within it"
            ),
        }
    }
}
