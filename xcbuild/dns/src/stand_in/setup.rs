//! A Corefile's blocks, opened: who answers where, and the pages.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use super::addresses::{Listening, addresses, listening};
use super::http::Page;
use super::metrics::Metrics;
use super::site::Site;
use super::sites::Sites;
use crate::config::Sink;
use crate::corefile::Corefile;
use crate::error::Error;
use crate::event::Event;
use crate::exchange;
use crate::freshness::Generation;

/// What a Corefile makes.
pub(super) struct Setup {
    pub(super) chains: Vec<(SocketAddr, Rc<Sites>)>,
    pub(super) pages: Vec<(SocketAddr, Vec<Page>)>,
    /// How often the Corefile is looked at.
    pub(super) reload: Option<Duration>,
    /// `ZONE:PORT` of all blocks.
    pub(super) served: Vec<String>,
}

impl Setup {
    /// Opens all blocks of a Corefile. `port` is that of keys without one.
    pub(super) fn open(
        corefile: &Corefile,
        port: u16,
        sink: &Sink,
        metrics: &Rc<Metrics>,
    ) -> Result<Self, Error> {
        for note in &corefile.without_effect {
            sink(&Event::Warning(note.clone()));
        }
        let listening = listening(corefile, port)?;
        let mut sites = Vec::with_capacity(corefile.blocks.len());
        for block in &corefile.blocks {
            sites.push(Rc::new(Site::open(block, &addresses(block, port)?, sink)?));
        }
        let random = exchange::random().map_err(Error::Runtime)?;
        let chain = |(address, numbers): &Listening| {
            let sites = numbers.iter().filter_map(|number| sites.get(*number)).map(Rc::clone);
            let server = match address.ip().is_unspecified() {
                true => format!("dns://:{}", address.port()),
                false => format!("dns://{address}"),
            };
            let (metrics, changes) =
                (Rc::clone(metrics), Cell::new(Generation::from_ne_bytes(random)));
            (*address, Rc::new(Sites { server, sites: sites.collect(), metrics, changes }))
        };
        let served = corefile.blocks.iter().flat_map(|block| &block.keys).flat_map(|key| {
            let port = key.port.unwrap_or(port);
            key.zones.iter().map(move |zone| format!("{zone}:{port}"))
        });
        Ok(Setup {
            chains: listening.iter().map(chain).collect(),
            pages: pages(corefile),
            reload: corefile.blocks.iter().filter_map(|block| block.plugins.reload).min(),
            served: served.collect(),
        })
    }
}

/// The pages of all blocks, by address.
fn pages(corefile: &Corefile) -> Vec<(SocketAddr, Vec<Page>)> {
    let mut all: Vec<(SocketAddr, Vec<Page>)> = Vec::new();
    for plugins in corefile.blocks.iter().map(|block| &block.plugins) {
        let wanted = [
            (plugins.health, Page::Health),
            (plugins.ready, Page::Ready),
            (plugins.prometheus, Page::Metrics),
        ];
        for (address, page) in wanted {
            let Some(address) = address else { continue };
            match all.iter_mut().find(|(known, _)| *known == address) {
                Some((_, pages)) if pages.contains(&page) => {}
                Some((_, pages)) => pages.push(page),
                None => all.push((address, vec![page])),
            }
        }
    }
    all
}
