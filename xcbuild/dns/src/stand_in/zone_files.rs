//! The plugin `file`: zones of a master file.

use std::time::{Duration, Instant};

use super::site::Step;
use crate::corefile::plugins::ZoneFile;
use crate::error::Error;
use crate::watched::Watched;
use crate::wire::{Name, Query, rcode};
use crate::zone_file::Zone;

/// For a file that is never read again.
const NEVER: Duration = Duration::from_secs(100 * 365 * 86_400);

/// The zones, kept up with their file.
pub(super) struct ZoneFiles {
    plugin: ZoneFile,
    origins: Vec<Name>,
    file: Watched,
    zones: Vec<(Name, Zone)>,
}

impl ZoneFiles {
    /// Reads the file.
    pub(super) fn open(plugin: &ZoneFile, block_zones: &[Name]) -> Result<Self, Error> {
        let origins = if plugin.zones.is_empty() { block_zones } else { &plugin.zones };
        let (file, text) = Watched::open(&plugin.path, plugin.reload.unwrap_or(NEVER));
        let text = text.map_err(|source| Error::Read { path: plugin.path.clone(), source })?;
        let (origins, zones) = (origins.to_vec(), Vec::new());
        let mut files = Self { plugin: plugin.clone(), origins, file, zones };
        files.take(&text)?;
        Ok(files)
    }

    /// Reads the file again if it changed: what to say of that. A file with an error changes nothing.
    pub(super) fn reload(&mut self, now: Instant) -> Option<Result<String, String>> {
        let text = self.file.changed(now)?;
        let taken = self.take(&text).map_err(|error| format!("plugin/file: {error}"));
        Some(taken.map(|()| {
            let names: usize = self.zones.iter().map(|(_, zone)| zone.len()).sum();
            format!("{}: {names} names", self.file.path().display())
        }))
    }

    fn take(&mut self, text: &str) -> Result<(), Error> {
        let path = self.file.path().display().to_string();
        let zone = |origin: &Name| Ok((origin.clone(), Zone::parse(&path, text, origin)?));
        self.zones = self.origins.iter().map(zone).collect::<Result<_, Error>>()?;
        Ok(())
    }

    /// What becomes of a query here.
    pub(super) fn answer(&self, query: &Query) -> Step {
        let within = self.zones.iter().filter(|(origin, _)| query.name.is_within(origin));
        let Some((_, zone)) = within.max_by_key(|(origin, _)| origin.label_count()) else {
            return Step::Next;
        };
        let answer = zone.answer(query);
        let missing = answer.rcode() == rcode::NXDOMAIN;
        match missing && self.plugin.fallthrough.takes(&query.name) {
            true => Step::Next,
            false => Step::answer(answer),
        }
    }
}
