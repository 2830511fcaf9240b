//! The plugin `hosts`: names of a hosts file and of the Corefile itself.

use std::time::{Duration, Instant};

use super::site::Step;
use crate::corefile::plugins::Hosts;
use crate::names::Names;
use crate::watched::Watched;
use crate::wire::{Answer, Name, Query, rcode, rtype};

/// For a file that is never read again.
const NEVER: Duration = Duration::from_secs(100 * 365 * 86_400);

/// The table, kept up with its file.
pub(super) struct HostsTable {
    plugin: Hosts,
    zones: Vec<Name>,
    file: Watched,
    names: Names,
}

impl HostsTable {
    /// Reads the file; warnings about its lines, or that it isn't there: then it may come.
    pub(super) fn open(plugin: &Hosts, block_zones: &[Name]) -> (Self, Vec<String>) {
        let zones = if plugin.zones.is_empty() { block_zones } else { &plugin.zones };
        let (file, text) = Watched::open(&plugin.path, plugin.reload.unwrap_or(NEVER));
        let (zones, names) = (zones.to_vec(), Names::default());
        let mut table = Self { plugin: plugin.clone(), zones, file, names };
        let mut warnings = table.take(text.as_deref().unwrap_or_default());
        if let Err(error) = text {
            warnings.push(format!("plugin/hosts: {}: {error}", plugin.path.display()));
        }
        (table, warnings)
    }

    /// Reads the file again if it changed; warnings about its lines.
    pub(super) fn reload(&mut self, now: Instant) -> Option<Vec<String>> {
        let text = self.file.changed(now)?;
        Some(self.take(&text))
    }

    fn take(&mut self, text: &str) -> Vec<String> {
        self.names = Names::default();
        for entry in &self.plugin.inline {
            self.names.add_entry(entry.clone());
        }
        let path = self.file.path().display();
        let problems = self.names.add_hosts(text).into_iter();
        problems.map(|problem| format!("plugin/hosts: {}", problem.at(&path))).collect()
    }

    /// What becomes of a query here.
    pub(super) fn answer(&self, query: &Query) -> Step {
        if query.qtype == rtype::PTR {
            let found = self.names.answer_with(query, self.plugin.ttl);
            return found.filter(|_| self.plugin.reverse).map_or(Step::Next, Step::answer);
        }
        if !self.zones.iter().any(|zone| query.name.is_within(zone)) {
            return Step::Next;
        }
        match self.names.answer_with(query, self.plugin.ttl) {
            Some(answer) => Step::answer(answer),
            None if self.plugin.fallthrough.takes(&query.name) => Step::Next,
            // Without a SOA there is no good "no such name"; CoreDNS fails, too.
            None => Step::answer(Answer::error(query, rcode::SERVFAIL)),
        }
    }
}
