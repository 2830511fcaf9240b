//! From a question to its answer: the cache, then the servers.
//!
//! All state is in `Rc` and `RefCell`, since everything runs on one thread; no borrow lives across
//! an await.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use crate::cache::{Cache, Found};
use crate::config::Config;
use crate::event::{Event, Source};
use crate::forwarder::Forwarder;
use crate::freshness::Generation;
use crate::own_state::State;
use crate::servers::Servers;
use crate::wire::{Answer, Query, rcode};

/// A cache and the servers behind it.
pub(crate) struct Resolver {
    config: Rc<Config>,
    cache: Rc<RefCell<Cache>>,
    forwarder: Rc<Forwarder>,
    warned_of_circle: Cell<bool>,
}

/// An answer and what to say of it.
pub(crate) struct Resolved {
    pub(crate) answer: Rc<Answer>,
    /// Seconds since it came.
    pub(crate) age: u32,
    pub(crate) source: Source,
}

impl Resolved {
    /// SERVFAIL.
    pub(crate) fn failed(query: &Query, source: Source) -> Self {
        let answer = Rc::new(Answer::error(query, rcode::SERVFAIL));
        Self { answer, age: 0, source }
    }
}

impl Resolver {
    pub(crate) fn new(config: Config, servers: Servers) -> io::Result<Rc<Self>> {
        let config = Rc::new(config);
        let cache = Rc::new(RefCell::new(Cache::new(config.cache_bytes, config.stale)));
        let forwarder = Forwarder::new(Rc::clone(&config), Rc::clone(&cache), servers)?;
        Ok(Rc::new(Self { config, cache, forwarder, warned_of_circle: Cell::new(false) }))
    }

    /// Says something.
    pub(crate) fn tell(&self, event: &Event<'_>) {
        (self.config.sink)(event);
    }

    /// Reads the resolv.conf again if it changed.
    pub(crate) fn refresh(&self, now: Instant) {
        self.forwarder.refresh(now);
    }

    /// Forgets all answers, and has those forget them who have them from us.
    pub(crate) fn forget_answers(&self) {
        self.forwarder.forget_answers();
    }

    /// Our generation.
    pub(crate) fn generation(&self) -> Generation {
        self.forwarder.generation()
    }

    /// Servers, and generations, as lines for `dns check`.
    pub(crate) fn state(&self, what: State) -> Vec<String> {
        self.forwarder.state(what)
    }

    /// What we know without asking; when busy, without having it confirmed either. Whether a client
    /// desires recursion makes no difference here.
    pub(crate) fn known(&self, query: &Query, busy: bool) -> Option<Resolved> {
        let now = Instant::now();
        match self.cache.borrow_mut().find(&query.key(), now) {
            Found::Fresh(answer, age) if busy || !self.forwarder.must_confirm(now) => {
                Some(Resolved { answer, age, source: Source::Cache })
            }
            Found::Fresh(..) | Found::Stale(_) | Found::Missing => None,
        }
    }

    /// Whether the query goes in a circle; says so once, since every query would say the same.
    pub(crate) fn refuses(&self, query: &Query, client: SocketAddr) -> bool {
        let circle = self.forwarder.goes_in_a_circle(query);
        if circle && !self.warned_of_circle.replace(true) {
            self.tell(&Event::Warning(format!(
                "forwarding loop: a query from {client} has been here before; name servers that do \
                 not forward to this one"
            )));
        }
        circle
    }

    /// The answer from the servers, or one of the cache if they have none, or SERVFAIL.
    pub(crate) async fn ask(&self, query: &Rc<Query>) -> Resolved {
        let timing = self.config.timing;
        let found = self.cache.borrow_mut().find(&query.key(), Instant::now());
        let (kept, patience) = match found {
            Found::Fresh(answer, age) => {
                (Some(Resolved { answer, age, source: Source::Cache }), timing.confirm_wait)
            }
            Found::Stale(answer) => {
                (Some(Resolved { answer, age: 0, source: Source::Stale }), timing.stale_after)
            }
            Found::Missing => (None, timing.give_up + Duration::from_secs(1)),
        };
        let Some(answer) = self.forwarder.ask(query) else {
            return kept.unwrap_or_else(|| Resolved::failed(query, Source::Busy));
        };
        let shared = timeout(patience, answer).await.ok().and_then(Result::ok).flatten();
        let good = |answer: &Answer| matches!(answer.rcode(), rcode::NOERROR | rcode::NXDOMAIN);
        match (shared, kept) {
            (Some((server, answer)), None) => {
                Resolved { answer, age: 0, source: Source::Forward(server) }
            }
            (Some((server, answer)), Some(_)) if good(&answer) => {
                Resolved { answer, age: 0, source: Source::Forward(server) }
            }
            (_, Some(kept)) => {
                self.forwarder.postpone_confirmation();
                kept
            }
            (None, None) => Resolved::failed(query, Source::Failed),
        }
    }
}
