//! What a start tells while it goes on, what comes of it, and why it is refused.

use std::path::PathBuf;
use std::time::Duration;

use crate::boot::NodeFailed;
use crate::memory::InsufficientMemory;
use crate::network::Kind;
use crate::{ClusterName, Status};
use xc_net::user::UserNet;
use xc_topology::address::NodeId;
use xc_vm::command::Accel;

/// What happens during a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The nodes run without KVM, for that reason.
    Fallback(String),
    /// What carries the networks in place of the kind that was requested, and why.
    NetworkFallback(Kind, String),
    /// What carries the networks, where that is not each qemu by itself.
    Network(Kind),
    /// There is not enough memory yet, and that is waited for.
    Queued(InsufficientMemory),
    /// A cluster of that name was running, or its remains were there, and is being ended.
    Stopping,
    /// A DNS server is at that port already; the nodes ask that one.
    DnsThere(u16),
    /// The DNS proxy is bound to that port.
    Dns(u16),
    /// An image has been made again since the cluster was started.
    Changed(PathBuf),
    /// A node's qemu was started.
    Launched(NodeId),
    /// A node is ready, so long after its launch.
    Ready(NodeId, Duration),
    /// A start script of a node's overlays failed, as it says; the node comes up all the same.
    Warning(NodeId, String),
    /// A node is not ready and won't be; the others go on.
    Failed(NodeFailed),
    /// Something failed, and what was made is being undone.
    Unwinding,
}

/// A cluster that was started.
#[derive(Debug, Clone)]
pub struct Report {
    /// Its nodes, as `status` shows them.
    pub status: Status,
    /// What executes them.
    pub accel: Accel,
    /// Its ports.
    pub net: UserNet,
    /// From the start of the first qemu to the last node's being ready.
    pub boot_time: Duration,
    /// Nodes that did not come up, where the others were to go on.
    pub failed: Vec<NodeFailed>,
}

/// Why there is no start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// There is a cluster already.
    #[error(
        "the cluster `{cluster}` is running ({alive} nodes alive); stop it first, or choose another name (--cluster NAME)"
    )]
    Running {
        /// Its name.
        cluster: ClusterName,
        /// How many of its nodes are alive.
        alive: usize,
    },
    /// Another xcbuild starts or stops it right now.
    #[error(
        "the cluster `{0}` is being started or stopped by another xcbuild; wait for it, or end it by {stop}",
        stop = .0.command("stop")
    )]
    Busy(ClusterName),
}
