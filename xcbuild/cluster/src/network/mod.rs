//! What carries a cluster's networks: planned with the cluster, made before its nodes, undone after
//! them.
//!
//! | kind | made for the cluster | undone by |
//! |---|---|---|
//! | `user` | nothing: each qemu carries its own | |
//! | [`netns`] | taps, and missing bridges, in the namespace that xcbuild runs in | removing the links, from within or as root |
//! | [`rootless`] | a namespace that a process of ours holds, all bridges and taps in it, and slirp4netns for the outside | ending the processes |

mod netns;
mod rootless;

use std::fs::File;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use self::netns::Netns;
use self::rootless::Rootless;
use super::RunDir;
use super::state::{InterfaceState, State};
use xc_net::apply::existing;
use xc_net::bridges::{self, Wiring};
use xc_net::op::{Op, Undo};
use xc_net::{Kind, Wanted};
use xc_sys::{namespace, tap};
use xc_topology::address::{HOST_BYTE, MAINTENANCE, NodeId, Prefix, ipv4, ipv6};
use xc_vm::process::ProcessId;

/// The verb by which xcbuild does steps within another namespace.
pub const APPLY_VERB: &str = "netns-apply";

/// A cluster's network, as its state has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub enum Network {
    /// What qemu carries by itself.
    #[default]
    User,
    /// Bridges and taps in a namespace of `nsadd`.
    Netns(Netns),
    /// Bridges and taps in a namespace of the cluster's own.
    Rootless(Rootless),
}

/// Steps to be done in a namespace by an xcbuild that was started in it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Steps {
    /// What is done.
    pub apply: Vec<Op>,
    /// What is taken back.
    pub undo: Vec<Undo>,
}

/// What a start takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    /// The kind; where it needs taps, they can be made.
    pub kind: Kind,
    /// Why it is not the kind that was wanted.
    pub instead: Option<String>,
}

/// Which kind a start takes. A user's own namespace needs nothing but the device that makes taps;
/// where that can't be opened, `user` does instead.
///
/// # Errors
/// When the kind that is wanted can't be used here, with the reason and the way out.
pub(super) fn choose(wanted: Wanted) -> Result<Choice> {
    let inside = || -> Result<bool> {
        let ours = namespace::own_name().is_some_and(|name| name.contains("_xcluster"));
        Ok(ours || !existing(["xcbr1"])?.is_empty())
    };
    let kind = match wanted {
        Wanted::Auto if inside()? => Kind::Netns,
        Wanted::Auto => Kind::User,
        Wanted::This(Kind::Netns) if !inside()? => bail!(
            "--net=netns works within a namespace: `sudo -E xcbuild nsadd 1` makes one, \
             `sudo -E xcbuild nsenter 1` enters it"
        ),
        Wanted::This(kind) => kind,
    };
    let opened = if kind == Kind::User { Ok(()) } else { tap::open().map(drop) };
    let Err(error) = opened else { return Ok(Choice { kind, instead: None }) };
    let device = tap::DEVICE;
    if kind == Kind::Rootless {
        let instead =
            format!("{device} can't be opened ({error}); `xcbuild doctor` tells what helps");
        return Ok(Choice { kind: Kind::User, instead: Some(instead) });
    }
    Err(error).with_context(|| {
        format!("--net={kind} needs taps, and {device} can't be opened; --net=user needs none")
    })
}

/// Plans the network of a cluster's first nodes.
///
/// # Errors
/// When something that it needs isn't there, or another cluster has its names.
pub(super) fn plan(
    run: &RunDir,
    kind: Kind,
    dns_port: u16,
    wiring: &Wiring<'_>,
) -> Result<Network> {
    Ok(match kind {
        Kind::User => Network::User,
        Kind::Netns => {
            let mut network = Netns::here()?;
            network.add(wiring)?;
            Network::Netns(network)
        }
        Kind::Rootless => Network::Rootless(Rootless::plan(run, dns_port, wiring)?),
    })
}

impl Network {
    /// Which kind it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::User => Kind::User,
            Self::Netns(_) => Kind::Netns,
            Self::Rootless(_) => Kind::Rootless,
        }
    }

    /// Plans what more nodes need.
    ///
    /// # Errors
    /// When another cluster has their taps, or we are not where they are to be.
    pub(super) fn add(&mut self, wiring: &Wiring<'_>) -> Result<()> {
        match self {
            Self::User => Ok(()),
            Self::Netns(network) => network.add(wiring),
            Self::Rootless(network) => network.add(wiring),
        }
    }

    /// The words before a program that is to run where the nodes' taps and addresses are; none if
    /// this process is there.
    pub fn reach(&self) -> Vec<String> {
        match self {
            Self::User => Vec::new(),
            Self::Netns(network) => network.reach(),
            Self::Rootless(network) => network.enter(),
        }
    }

    /// The options of the DNS proxy, and the words that bring it where it is to listen.
    pub(super) fn dns(&self, prefix: &Prefix) -> (Vec<String>, Vec<String>) {
        let on_loopback = match self {
            Self::User => true,
            Self::Netns(_) => false,
            Self::Rootless(network) => network.has_outside(),
        };
        if on_loopback {
            return (Vec::new(), Vec::new());
        }
        let (v4, v6) = (ipv4(MAINTENANCE, HOST_BYTE), ipv6(prefix, MAINTENANCE, HOST_BYTE));
        (vec![format!("--listen={v4}"), format!("--listen={v6}")], self.reach())
    }

    /// Its processes.
    pub(super) fn processes(&self) -> Vec<ProcessId> {
        match self {
            Self::Rootless(network) => network.processes(),
            _ => Vec::new(),
        }
    }
}

/// Makes what is planned.
///
/// # Errors
/// What the kernel refuses, or a helper that does not come up. What was made is in the state.
pub(super) fn make(run: &RunDir, state: &mut State) -> Result<()> {
    match &mut state.network {
        Network::User => return Ok(()),
        Network::Netns(network) => network.make()?,
        Network::Rootless(_) => rootless::make(run, state)?,
    }
    state.save(run)
}

/// Takes back what was made, but for processes.
///
/// # Errors
/// What could not be removed, or that we may not enter the namespace it is in.
pub(super) fn take_back(network: &Network) -> Result<()> {
    match network {
        Network::Netns(network) => network.take_back(),
        _ => Ok(()),
    }
}

/// Takes back the taps of nodes' interfaces.
///
/// # Errors
/// As [`take_back`].
pub(super) fn drop_taps<'a>(
    network: &mut Network,
    interfaces: impl Iterator<Item = (NodeId, &'a InterfaceState)>,
) -> Result<()> {
    let taps: Vec<_> = interfaces.map(|(node, i)| bridges::tap(node, i.network)).collect();
    match network {
        Network::User => Ok(()),
        Network::Netns(network) => network.drop(&taps),
        Network::Rootless(network) => network.drop(&taps),
    }
}

/// Whether qemu can leave the taps' frames to the kernel.
pub(super) fn has_vhost() -> bool {
    File::options().read(true).write(true).open("/dev/vhost-net").is_ok()
}
