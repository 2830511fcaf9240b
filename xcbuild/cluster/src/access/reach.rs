//! Which nodes of a cluster can be asked something, and why the others can't.

use anyhow::{Result, bail};

use super::Target;
use crate::status::{DEAD, NodeCondition, NodeStatus};
use crate::{RunDir, status};
use xc_topology::address::{MAINTENANCE, NodeId};

/// Which nodes of a cluster can be asked something.
#[derive(Debug)]
pub struct Reach {
    /// Those that run and are not paused.
    pub answering: Vec<Target>,
    /// The others, each with the reason, as in `does not run`.
    pub unreachable: Vec<(NodeId, String)>,
}

impl Reach {
    /// Looks how it is now.
    ///
    /// # Errors
    /// When the cluster does not run, or its state can't be read.
    pub fn of(run: &RunDir) -> Result<Self> {
        let status = status(run)?;
        if status.alive() == 0 {
            bail!(run.name().not_running());
        }
        let mut reach = Self { answering: Vec::new(), unreachable: Vec::new() };
        for n in &status.nodes {
            let node = n.number;
            match why_unreachable(run, n) {
                Some(reason) => reach.unreachable.push((node, reason)),
                None => reach.answering.push(Target {
                    node,
                    address: n.address,
                    port: n.ssh_port,
                    netns_prefix: status.netns_prefix.clone(),
                    key: status.ssh_key.clone(),
                    run: run.clone(),
                }),
            }
        }
        Ok(reach)
    }
}

/// Why a node can't answer, if it can't: asked all the same, it would be waited for in vain.
fn why_unreachable(run: &RunDir, node: &NodeStatus) -> Option<String> {
    let command = |verb| run.name().command(format_args!("{verb} {}", node.number.number()));
    match node.condition {
        NodeCondition::Paused => Some(format!("is paused; {} lets it go on", command("cont"))),
        NodeCondition::Waiting => Some("waits for its turn to boot".into()),
        NodeCondition::Dead => {
            let why = node.failure.as_deref().unwrap_or(DEAD);
            Some(format!("does not run: {why}; {} starts it", command("restart")))
        }
        NodeCondition::Booting | NodeCondition::Ready | NodeCondition::Failed => {
            let link = node.links.iter().find(|link| link.network == MAINTENANCE)?;
            let line = format!("link {} {MAINTENANCE} --up", node.number.number());
            let up = run.name().command(line);
            (!link.up).then(|| format!("can't be reached: its network 0 is down; {up} takes it up"))
        }
    }
}
