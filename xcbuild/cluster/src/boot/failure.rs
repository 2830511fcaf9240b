//! A node that did not come up, and what explains it.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::Cluster;
use crate::console_log::failure_excerpt;
use crate::status::DEAD;
use crate::tail::end_of;
use xc_topology::address::NodeId;

/// How many lines of qemu's own words are shown when it fails.
const QEMU_LINES: usize = 20;

/// A node that did not come up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct NodeFailed {
    /// The node.
    pub node: NodeId,
    /// What happened.
    pub reason: String,
    /// The file that `end` is from.
    pub log: PathBuf,
    /// The lines of its console that tell how it ended, or the last of its qemu's own words.
    pub end: String,
}

impl fmt::Display for NodeFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} did not come up: {}; the log is {}",
            self.node,
            self.reason,
            self.log.display()
        )?;
        self.end.lines().try_for_each(|line| write!(f, "\n    {line}"))
    }
}

impl NodeFailed {
    /// A failure that the node's console explains.
    pub(super) fn of_node(cluster: &Cluster, node: NodeId, reason: String) -> Self {
        let log = cluster.files(node).console_log;
        Self { node, reason, end: failure_excerpt(&**cluster.host(), &log), log }
    }

    /// The failure of a node whose qemu has ended, which qemu explains if it ended by itself.
    pub(super) fn of_qemu(cluster: &Cluster, node: NodeId) -> Self {
        let (reason, log) = (DEAD.to_owned(), qemu_log(&cluster.state().logs, node));
        match end_of(&**cluster.host(), &log, QEMU_LINES) {
            end if end.is_empty() => Self::of_node(cluster, node, reason),
            end => Self { node, reason, log, end },
        }
    }
}

/// The log of a node's qemu itself.
pub(super) fn qemu_log(logs: &Path, node: NodeId) -> PathBuf {
    logs.join(format!("{node}.qemu.log"))
}
