//! What a server does with queries: who answers them.
//!
//! There are two chains: our own names and then a resolver ([`OwnChain`]), and the plugins of a
//! Corefile (`stand_in::Sites`).

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::event::{Event, QueryRecord, Source, Transport};
use crate::freshness::Generation;
use crate::own_names::OwnNames;
use crate::own_state;
use crate::resolver::Resolver;
use crate::wire::{Answer, Name, Query};

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    pub(crate) transport: Transport,
    /// When the query came.
    pub(crate) asked: Instant,
    /// Bytes of the query.
    pub(crate) size: usize,
}

/// What becomes of a query.
pub(crate) enum Route {
    /// This is the answer.
    Answer(Answer),
    /// The resolver has it or asks for it.
    Resolve(Rc<Resolver>, Option<Change>),
    /// Nothing at all.
    Ignore,
}

/// What was changed of a query on its way, and is changed back in the answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Change {
    /// The query that is asked in place of the client's.
    pub(crate) query: Option<Rc<Query>>,
    /// Names and what the client calls them.
    pub(crate) names: Vec<(Name, Name)>,
    /// The TTL of all records of the answer.
    pub(crate) ttl: Option<u32>,
}

impl Change {
    /// The answer to the client's own query; `None` if the records can't be read.
    pub(crate) fn undo(&self, query: &Query, answer: &Answer) -> Option<Answer> {
        answer.rewritten(query, |record| {
            let back = self.names.iter().find(|(name, _)| *name == record.name);
            if let Some((_, name)) = back {
                record.name = name.clone();
            }
            record.ttl = self.ttl.unwrap_or(record.ttl);
        })
    }
}

/// An answer that goes out.
pub(crate) struct Delivered<'a> {
    pub(crate) query: &'a Query,
    pub(crate) client: Client,
    pub(crate) source: Source,
    pub(crate) rcode: u16,
    /// The message.
    pub(crate) message: &'a [u8],
    pub(crate) elapsed: Duration,
}

/// Who answers.
pub(crate) trait Chain {
    /// Reads again the files that changed: a change counts from the next query on.
    fn refresh(&self);

    /// What becomes of a query.
    fn route(&self, query: &Query, client: &Client) -> Route;

    /// The generation of what we know, for proxies of ours that ask.
    fn generation(&self) -> Generation;

    /// Notes an answer in logs and counters.
    fn note(&self, delivered: &Delivered<'_>);

    /// Notes a message that was answered with an error since it isn't a query that can be answered.
    fn note_rejected(&self, client: &Client, rcode: u16);
}

/// Our own names, then the servers.
pub(crate) struct OwnChain {
    names: RefCell<OwnNames>,
    resolver: Rc<Resolver>,
}

impl OwnChain {
    pub(crate) fn new(names: OwnNames, resolver: Rc<Resolver>) -> Self {
        Self { names: RefCell::new(names), resolver }
    }
}

impl Chain for OwnChain {
    fn refresh(&self) {
        let now = Instant::now();
        self.resolver.refresh(now);
        if let Some((reloaded, warnings)) = self.names.borrow_mut().reload(now) {
            // A name may have been one of the servers' before.
            self.resolver.forget_answers();
            self.resolver.tell(&Event::Reloaded(reloaded));
            let warnings = warnings.into_iter().map(Event::Warning);
            warnings.for_each(|warning| self.resolver.tell(&warning));
        }
    }

    fn route(&self, query: &Query, _: &Client) -> Route {
        let own = self.names.borrow().answer(query);
        let own = own.or_else(|| own_state::answer(query, |what| self.resolver.state(what)));
        own.map_or_else(|| Route::Resolve(Rc::clone(&self.resolver), None), Route::Answer)
    }

    fn generation(&self) -> Generation {
        self.resolver.generation()
    }

    fn note(&self, delivered: &Delivered<'_>) {
        self.resolver.tell(&Event::Query(QueryRecord {
            name: &delivered.query.name,
            qtype: delivered.query.qtype,
            client: delivered.client.address,
            transport: delivered.client.transport,
            rcode: delivered.rcode,
            source: delivered.source,
            elapsed: delivered.elapsed,
        }));
    }

    fn note_rejected(&self, client: &Client, rcode: u16) {
        let Client { address, transport, .. } = *client;
        self.resolver.tell(&Event::Rejected { client: address, transport, rcode });
    }
}
