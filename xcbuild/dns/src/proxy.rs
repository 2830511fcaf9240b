//! From a question to its answer: our own names, the cache, then the servers.
//!
//! All state is in `Rc` and `RefCell`, since everything runs on one thread; no borrow lives across
//! an await.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::timeout;

use crate::cache::{Cache, Found};
use crate::config::Config;
use crate::event::{Event, QueryRecord, Source, Transport};
use crate::forwarder::Forwarder;
use crate::own_names::OwnNames;
use crate::own_state;
use crate::servers::Servers;
use crate::wire::{Answer, Delivery, Query, Rejected, rcode};

/// What a server knows while it runs.
pub(crate) struct Proxy {
    config: Rc<Config>,
    cache: Rc<RefCell<Cache>>,
    names: RefCell<OwnNames>,
    forwarder: Rc<Forwarder>,
    waiting: Cell<usize>,
    idle: Notify,
    warned_of_circle: Cell<bool>,
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    pub(crate) transport: Transport,
    /// When the query came.
    pub(crate) asked: Instant,
}

/// An answer and what to say of it.
struct Resolved {
    answer: Rc<Answer>,
    age: u32,
    source: Source,
}

/// A query that waits for its answer; counted while it lives.
pub(crate) struct Pending {
    proxy: Rc<Proxy>,
    query: Rc<Query>,
    client: Client,
}

/// What becomes of a message.
pub(crate) enum Handled {
    /// Nothing to say.
    Ignored,
    /// The answer.
    Answer(Vec<u8>),
    /// It takes time.
    Later(Pending),
}

impl Proxy {
    pub(crate) fn new(config: Config, names: OwnNames, servers: Servers) -> io::Result<Rc<Self>> {
        let (config, names) = (Rc::new(config), RefCell::new(names));
        let cache = Rc::new(RefCell::new(Cache::new(config.cache_bytes, config.stale)));
        let forwarder = Forwarder::new(Rc::clone(&config), Rc::clone(&cache), servers)?;
        let (waiting, idle, warned_of_circle) = (Cell::new(0), Notify::new(), Cell::new(false));
        Ok(Rc::new(Self { config, cache, names, forwarder, waiting, idle, warned_of_circle }))
    }

    /// The configuration.
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// Says something.
    pub(crate) fn tell(&self, event: &Event<'_>) {
        (self.config.sink)(event);
    }

    /// Waits until no query waits for its answer.
    pub(crate) async fn idle(&self) {
        while self.waiting.get() > 0 {
            self.idle.notified().await;
        }
    }

    /// Takes a message from a client; answers at once what can be.
    pub(crate) fn handle(self: &Rc<Self>, message: &[u8], client: Client) -> Handled {
        let query = match Query::parse(message) {
            Ok(query) => query,
            Err(Rejected::Ignore) => return Handled::Ignored,
            Err(Rejected::Reply { message, rcode }) => {
                let Client { address, transport, .. } = client;
                self.tell(&Event::Rejected { client: address, transport, rcode });
                return Handled::Answer(message);
            }
        };
        self.refresh();
        let busy = self.waiting.get() >= self.config.limits.waiting;
        if let Some(resolved) = self.known(&query, busy) {
            return Handled::Answer(self.deliver(&query, client, &resolved));
        }
        let refused = if self.forwarder.goes_in_a_circle(&query) {
            self.warn_of_circle(client);
            Some(Source::Circle)
        } else {
            busy.then_some(Source::Busy)
        };
        if let Some(source) = refused {
            return Handled::Answer(self.deliver(&query, client, &failed(&query, source)));
        }
        self.waiting.set(self.waiting.get() + 1);
        Handled::Later(Pending { proxy: Rc::clone(self), query: Rc::new(query), client })
    }

    /// Reads again the files that changed: a change counts from the next query on.
    fn refresh(&self) {
        let now = Instant::now();
        self.forwarder.refresh(now);
        if let Some((reloaded, warnings)) = self.names.borrow_mut().reload(now) {
            // A name may have been one of the servers' before.
            self.forwarder.forget_answers();
            self.tell(&Event::Reloaded(reloaded));
            warnings.into_iter().for_each(|warning| self.tell(&Event::Warning(warning)));
        }
    }

    /// What we know without asking; when busy, without having it confirmed either. Whether a client
    /// desires recursion makes no difference here.
    fn known(&self, query: &Query, busy: bool) -> Option<Resolved> {
        let now = Instant::now();
        let own = self.names.borrow().answer(query);
        let own = own.or_else(|| own_state::answer(query, |what| self.forwarder.state(what)));
        if let Some(answer) = own {
            return Some(Resolved { answer: Rc::new(answer), age: 0, source: Source::Local });
        }
        match self.cache.borrow_mut().find(&query.key(), now) {
            Found::Fresh(answer, age) if busy || !self.forwarder.must_confirm(now) => {
                Some(Resolved { answer, age, source: Source::Cache })
            }
            Found::Fresh(..) | Found::Stale(_) | Found::Missing => None,
        }
    }

    /// The answer from the servers, or one of the cache if they have none, or SERVFAIL.
    async fn ask(self: &Rc<Self>, query: &Rc<Query>) -> Resolved {
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
            return kept.unwrap_or_else(|| failed(query, Source::Busy));
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
            (None, None) => failed(query, Source::Failed),
        }
    }

    /// Once: every query would say the same.
    fn warn_of_circle(&self, client: Client) {
        if !self.warned_of_circle.replace(true) {
            self.tell(&Event::Warning(format!(
                "forwarding loop: a query from {} has been here before; name servers that do not \
                 forward to this one",
                client.address
            )));
        }
    }

    /// The answer's bytes for this client, and its line in the log.
    fn deliver(&self, query: &Query, client: Client, resolved: &Resolved) -> Vec<u8> {
        let limit = match client.transport {
            Transport::Udp => query.udp_limit(),
            Transport::Tcp => usize::from(u16::MAX),
        };
        let stale = resolved.source == Source::Stale;
        let generation = (!query.marks().is_empty()).then(|| self.forwarder.generation());
        let delivery = Delivery { limit, age: resolved.age, stale, generation };
        let message = resolved.answer.deliver(query, delivery);
        self.tell(&Event::Query(QueryRecord {
            name: &query.name,
            qtype: query.qtype,
            client: client.address,
            transport: client.transport,
            rcode: resolved.answer.rcode(),
            source: resolved.source,
            elapsed: client.asked.elapsed(),
        }));
        message
    }
}

fn failed(query: &Query, source: Source) -> Resolved {
    let answer = Rc::new(Answer::error(query, rcode::SERVFAIL));
    Resolved { answer, age: 0, source }
}

impl Pending {
    /// Waits for the answer. Drop the `Pending` only when the answer has been sent: the server
    /// stops when none is left.
    pub(crate) async fn answer(&self) -> Vec<u8> {
        let resolved = self.proxy.ask(&self.query).await;
        self.proxy.deliver(&self.query, self.client, &resolved)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let waiting = self.proxy.waiting.get() - 1;
        self.proxy.waiting.set(waiting);
        if waiting == 0 {
            self.proxy.idle.notify_one();
        }
    }
}
