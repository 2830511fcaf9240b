//! `netns`: bridges and taps in a namespace that others may share: that of `nsadd`, or one of the user's own.
//!
//! What is made is written down link by link, since a namespace outlives its clusters and also has
//! links of others. Links are removed from within the namespace, or by root from anywhere.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::driver::{Attach, Availability, DnsListener, Driver, Request, Site, Translation};
use super::host::{Finding, Host, NFT, Program};
use super::{Kind, taps};
use crate::RunDir;
use xc_net::apply::{apply, existing, undo, within};
use xc_net::bridges::{self, Wiring};
use xc_net::namespace::{CLUSTER_TABLE, index_of};
use xc_net::op::{Op, Undo};
use xc_net::user::UserNet;
use xc_sys::{namespace, tap};
use xc_topology::address::{NetworkId, NodeId};
use xc_vm::port::Port;

/// The links of a cluster in a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Netns {
    /// The namespace's file, where it has a name.
    file: Option<PathBuf>,
    /// Device and inode, by which the namespace is known again.
    identity: (u64, u64),
    /// What is still to be done.
    plan: Vec<Op>,
    /// What takes back all that was or is to be done.
    made: Vec<Undo>,
}

impl Driver for Netns {
    fn summary() -> &'static str {
        "bridges in a namespace of nsadd"
    }

    fn preflight(_: &Request) -> Result<Availability> {
        let ours = own_namespace().is_some();
        if !ours && existing(["xcbr1"])?.is_empty() {
            return Ok(Availability::Elsewhere(
                "works within a namespace: `sudo -E xcbuild nsadd 1` makes one, \
                 `sudo -E xcbuild nsenter 1` enters it"
                    .into(),
            ));
        }
        tap::open().with_context(|| {
            let (device, other) = (tap::DEVICE, Kind::FALLBACK);
            format!(
                "--net=netns needs taps, and {device} can't be opened; --net={other} needs none"
            )
        })?;
        Ok(Availability::Usable)
    }

    /// Within a namespace the kind is in use; outside it takes root to enter one.
    fn find(host: &Host) -> Finding {
        if let Some(lacking) = host.lacks_for_bridges() {
            return lacking;
        }
        match own_namespace() {
            Some(name) => Finding::good(format!("this is the namespace {name}")),
            None => Finding::bad(
                "not in a namespace of its own",
                "sudo -E xcbuild nsadd 1 && sudo -E xcbuild nsenter 1",
            ),
        }
    }

    fn programs() -> &'static [Program] {
        &[NFT]
    }

    /// No links yet, in the namespace that this process is in.
    fn new(_: &RunDir) -> Result<Self> {
        Ok(Self {
            file: namespace::own_name().map(|name| namespace::path(&name)),
            identity: namespace::own().context("can't tell which namespace this is")?,
            plan: Vec::new(),
            made: Vec::new(),
        })
    }

    fn dns_listener(&self) -> DnsListener {
        DnsListener::Namespace
    }

    fn plan(&mut self, wiring: &Wiring<'_>, _: &UserNet) -> Result<()> {
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

    fn attach(&self, to: &Attach<'_>) -> Port {
        taps::attach(to)
    }

    fn make(&mut self, _: &mut Site<'_>) -> Result<()> {
        self.inside(|| apply(&self.plan))?;
        self.plan.clear();
        Ok(())
    }

    fn unplug(&mut self, interfaces: &[(NodeId, NetworkId)]) -> Result<()> {
        let taps = taps::of(interfaces);
        let is_one = |u: &Undo| matches!(u, Undo::Link(link) if taps.contains(link));
        let gone: Vec<_> = self.made.iter().filter(|u| is_one(u)).cloned().collect();
        self.remove(&gone)?;
        self.made.retain(|u| !is_one(u));
        Ok(())
    }

    fn teardown(&self) -> Result<()> {
        self.remove(&self.made)
    }

    fn netns_prefix(&self) -> Vec<String> {
        match &self.file {
            Some(file) if !self.is_ours() => {
                vec!["nsenter".into(), format!("--net={}", file.display()), "--".into()]
            }
            _ => Vec::new(),
        }
    }

    fn translation(&self) -> Option<Translation> {
        let name = self.file.as_deref().and_then(|file| file.file_name()?.to_str());
        Some(Translation {
            table: CLUSTER_TABLE,
            remedy: "`xcbuild nsdel` and `nsadd` make the namespace again".into(),
            namespace: name.and_then(index_of).map(ToOwned::to_owned),
        })
    }
}

impl Netns {
    fn is_ours(&self) -> bool {
        namespace::own().ok() == Some(self.identity)
    }

    fn remove(&self, made: &[Undo]) -> Result<()> {
        let has_gone = |file| namespace::identity(file).ok() != Some(self.identity);
        if self.file.as_deref().is_some_and(has_gone) && !self.is_ours() {
            // All that was in the namespace has gone with it.
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

/// The name of the namespace that this process is in, if `nsadd` made it.
fn own_namespace() -> Option<String> {
    namespace::own_name().filter(|name| index_of(name).is_some())
}
