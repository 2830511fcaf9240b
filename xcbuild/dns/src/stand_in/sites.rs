//! The server blocks that answer at one address: the one with the most specific zone does.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

use super::metrics::Metrics;
use super::site::Site;
use crate::chain::{Chain, Client, Delivered, Route};
use crate::freshness::Generation;
use crate::wire::{Answer, Name, Query, rcode};

/// The blocks of one address.
pub(super) struct Sites {
    /// `dns://ADDRESS`, as counters have it.
    pub(super) server: String,
    pub(super) sites: Vec<Rc<Site>>,
    pub(super) metrics: Rc<Metrics>,
    /// Changes of hosts files and zones, counted up from a random number.
    pub(super) changes: Cell<Generation>,
}

impl Sites {
    /// The block for a name, and its zone that has it.
    fn find(&self, name: &Name) -> Option<(&Site, &Name)> {
        let zones =
            self.sites.iter().flat_map(|site| site.zones.iter().map(|zone| (&**site, zone)));
        zones.filter(|(_, zone)| name.is_within(zone)).max_by_key(|(_, zone)| zone.label_count())
    }
}

impl Chain for Sites {
    fn refresh(&self) {
        let now = Instant::now();
        for site in &self.sites {
            if site.refresh(now) {
                self.changes.set(self.changes.get().wrapping_add(1));
            }
        }
    }

    fn route(&self, query: &Query, client: &Client) -> Route {
        match self.find(&query.name) {
            Some((site, _)) => site.route(query, client),
            None => Route::Answer(Answer::error(query, rcode::REFUSED)),
        }
    }

    fn generation(&self) -> Generation {
        let all = self.sites.iter().map(|site| site.generation());
        all.fold(self.changes.get(), Generation::wrapping_add)
    }

    fn note(&self, delivered: &Delivered<'_>) {
        let found = self.find(&delivered.query.name);
        let zone = found.map_or("dropped".to_owned(), |(_, zone)| zone.to_string());
        self.metrics.note(&self.server, &zone, delivered);
        if let Some((site, _)) = found {
            site.note(delivered);
        }
    }

    fn note_rejected(&self, _: &Client, rcode: u16) {
        self.metrics.note_rejected(&self.server, rcode);
    }
}
