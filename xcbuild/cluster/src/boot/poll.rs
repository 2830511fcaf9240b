//! What has become of the nodes on their way: ready, failed, dead, or still booting.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::slots::Slot;
use super::{Boot, Booting, Ready};
use crate::agent::Agent;
use crate::{Event, dns};
use xc_topology::address::NodeId;

impl Boot<'_> {
    /// Looks at every node after something has changed.
    pub(super) fn poll(&mut self) -> Result<()> {
        let now = Instant::now();
        for id in self.booting.keys().copied().collect::<Vec<_>>() {
            self.poll_booting(id, now)?;
        }
        for id in self.ready.keys().copied().collect::<Vec<_>>() {
            self.poll_ready(id, now)?;
        }
        if self.dns.as_ref().is_some_and(|dns| dns.wait(now)) {
            bail!(dns::ended(&**self.cluster.host(), &self.cluster.state().logs));
        }
        Ok(())
    }

    fn poll_booting(&mut self, id: NodeId, now: Instant) -> Result<()> {
        let Some(node) = self.booting.get_mut(&id) else { return Ok(()) };
        let panicked = node.panic.panicked(now);
        for line in node.said.lines() {
            node.agent.apply_line(&line);
            if Agent::starts_services(&line) {
                node.serves = true;
                self.slots.give_back(std::mem::replace(&mut node.slot, Slot::Unlimited));
            }
            if let Some(what) = Agent::warning(&line) {
                (self.progress)(Event::Warning(id, what.to_owned()));
            }
        }
        let (took, died) = (now - node.since, node.held.wait(now));
        match (node.agent.clone(), panicked) {
            _ if died => self.fail(self.died(id)),
            (Agent::Ready, None) => self.is_ready(id, took),
            (Agent::Failed(what), _) => {
                self.fail(self.failed(id, format!("it says that {what} failed")))
            }
            (_, Some(panic)) => self.fail(self.failed(id, panic)),
            (Agent::Silent, None) if took >= self.limits.each => {
                let limit = self.limits.each.as_secs();
                let reason = format!("not ready within {limit} s (--timeout gives it longer)");
                self.fail(self.failed(id, reason))
            }
            (Agent::Silent, None) => Ok(()),
        }
    }

    /// Looks at a node that was ready.
    fn poll_ready(&mut self, id: NodeId, now: Instant) -> Result<()> {
        let Some(node) = self.ready.get_mut(&id) else { return Ok(()) };
        match node.panic.panicked(now) {
            _ if node.held.wait(now) => self.fail(self.died(id)),
            Some(panic) => self.fail(self.failed(id, panic)),
            None => Ok(()),
        }
    }

    fn is_ready(&mut self, id: NodeId, took: Duration) -> Result<()> {
        if let Some(Booting { held, panic, slot, .. }) = self.booting.remove(&id) {
            self.slots.give_back(slot);
            self.ready.insert(id, Ready { held, panic });
        }
        (self.progress)(Event::Ready(id, took));
        let took = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.cluster.update_node(id, |node| node.ready_ms = Some(took))
    }
}
