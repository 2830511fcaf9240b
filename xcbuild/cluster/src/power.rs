//! What happens to single nodes of a cluster: started again, reset, paused, resumed.

use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::json;

use super::agent::reboots;
use super::boot::{self, BootKind, Limits};
use super::cluster::LockedCluster;
use super::{Event, link};
use xc_topology::address::NodeId;

impl LockedCluster {
    /// Ends nodes' qemus, starts them again and returns when they are ready and their links are as
    /// they were.
    ///
    /// # Errors
    /// When a node is not in the cluster, can't be ended, or does not come up.
    pub fn restart(
        &mut self,
        nodes: &[NodeId],
        timeout: Option<Duration>,
        progress: &dyn Fn(Event),
    ) -> Result<()> {
        self.ensure_members(nodes)?;
        self.end(nodes)?;
        for id in nodes {
            // Its log, which counts the resets, begins again with its qemu.
            let resets = reboots(&**self.host(), &self.files(*id).agent_log);
            self.update_node(*id, |node| node.restarts += resets + 1)?;
        }
        self.report_changed_images(progress);
        let limits = self.limits(timeout);
        let launched: Vec<_> = nodes.iter().map(|id| (*id, BootKind::Launch)).collect();
        boot::nodes(self, &launched, &limits, progress)?;
        nodes.iter().try_for_each(|id| link::restore(self, *id))
    }

    /// Resets a node, as its reset button does, lets it go on if it was paused, and returns when it
    /// is ready; its links are then as they were.
    ///
    /// # Errors
    /// When the node is not in the cluster, does not run, or does not come up.
    pub fn reset(
        &mut self,
        node: NodeId,
        timeout: Option<Duration>,
        progress: &dyn Fn(Event),
    ) -> Result<()> {
        self.ensure_members(&[node])?;
        let said = self.said(node);
        self.command(node, "system_reset")?;
        self.command(node, "cont")?;
        // What was on its console until now is of another boot: its own words are later.
        self.host().touch(&self.files(node).agent_log)?;
        self.update_node(node, |node| node.paused = false)?;
        let limits = self.limits(timeout);
        boot::nodes(self, &[(node, BootKind::Reset(said))], &limits, progress)?;
        link::restore(self, node)
    }

    /// Stops a node's processors for now.
    ///
    /// # Errors
    /// When the node is not in the cluster, or does not run.
    pub fn pause(&mut self, node: NodeId) -> Result<()> {
        self.command(node, "stop")?;
        self.update_node(node, |node| node.paused = true)
    }

    /// Lets a paused node go on.
    ///
    /// # Errors
    /// When the node is not in the cluster, or does not run.
    pub fn resume(&mut self, node: NodeId) -> Result<()> {
        self.command(node, "cont")?;
        self.update_node(node, |node| node.paused = false)
    }

    /// Ends nodes' qemus, recorded or not.
    ///
    /// # Errors
    /// For the first that does not end.
    pub(crate) fn end(&self, nodes: &[NodeId]) -> Result<()> {
        let processes: Vec<_> = nodes.iter().filter_map(|id| self.process(*id)).collect();
        match self.host().end(&processes).first() {
            None => Ok(()),
            Some((process, reason)) => bail!("can't end process {}: {reason}", process.pid),
        }
    }

    /// Nodes that start now get other images than those that run, where images were made again since.
    pub(crate) fn report_changed_images(&self, progress: &dyn Fn(Event)) {
        let changed = self.state().images.iter().filter(|image| image.has_changed());
        changed.for_each(|image| progress(Event::Changed(image.path.clone())));
    }

    fn command(&self, node: NodeId, command: &str) -> Result<()> {
        self.qmp(node)?.execute(command, json!({}))?;
        Ok(())
    }

    fn limits(&self, timeout: Option<Duration>) -> Limits {
        let state = self.state();
        Limits::new(state.accel, self.host().cores(), timeout).waiting(state.reports_ready)
    }
}
