//! From a question to its answer: our own names, the cache, then the servers.
//!
//! Equal questions under way share one question to the servers: a hundred clients that ask at
//! once cost one, and a circle of proxies costs each one question and not a storm. All state is
//! in `Rc` and `RefCell`, since everything runs on one thread; no borrow lives across an await.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};

use crate::cache::{Cache, Found};
use crate::config::Config;
use crate::event::{Event, QueryRecord, Source, Transport};
use crate::forward::{Outcome, forward};
use crate::own_names::OwnNames;
use crate::servers::Servers;
use crate::wire::{Answer, Delivery, Key, Query, Rejected, TtlLimits, rcode};

/// Why servers are silent most often, where it can be told by the address.
const LOOPBACK_HINT: &str = "; a loopback resolver can't be reached from another network \
                             namespace, name a server with an address of its own";

/// What a server knows while it runs.
pub(crate) struct Proxy {
    config: Config,
    cache: RefCell<Cache>,
    names: RefCell<OwnNames>,
    servers: RefCell<Servers>,
    forwards: RefCell<HashMap<Key, Vec<oneshot::Sender<Shared>>>>,
    waiting: Cell<usize>,
    idle: Notify,
}

/// What those who share a question get: whose answer, or none.
type Shared = Option<(SocketAddr, Rc<Answer>)>;

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
    pub(crate) fn new(config: Config, names: OwnNames, servers: Servers) -> Rc<Self> {
        let cache = RefCell::new(Cache::new(config.cache_bytes, config.stale));
        Rc::new(Self {
            config,
            cache,
            names: RefCell::new(names),
            servers: RefCell::new(servers),
            forwards: RefCell::default(),
            waiting: Cell::new(0),
            idle: Notify::new(),
        })
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
        if let Some(resolved) = self.known(&query) {
            return Handled::Answer(self.deliver(&query, client, &resolved));
        }
        if self.waiting.get() >= self.config.limits.waiting {
            return Handled::Answer(self.deliver(
                &query,
                client,
                &self.failed(&query, Source::Busy),
            ));
        }
        self.waiting.set(self.waiting.get() + 1);
        Handled::Later(Pending { proxy: Rc::clone(self), query: Rc::new(query), client })
    }

    /// What we know without asking. Whether a client desires recursion makes no difference here.
    fn known(&self, query: &Query) -> Option<Resolved> {
        let now = Instant::now();
        let mut names = self.names.borrow_mut();
        if let Some(told) = names.reload(now) {
            self.tell(&Event::Reloaded(told));
        }
        if let Some(answer) = names.answer(query) {
            return Some(Resolved { answer: Rc::new(answer), age: 0, source: Source::Local });
        }
        match self.cache.borrow_mut().find(&query.key(), now) {
            Found::Fresh(answer, age) => Some(Resolved { answer, age, source: Source::Cache }),
            Found::Stale(_) | Found::Missing => None,
        }
    }

    /// The answer from the servers, or a stale one, or SERVFAIL.
    async fn ask(self: &Rc<Self>, query: &Rc<Query>) -> Resolved {
        let stale = match self.cache.borrow_mut().find(&query.key(), Instant::now()) {
            Found::Stale(answer) => Some(answer),
            _ => None,
        };
        let Some(answer) = self.share(query) else {
            return self.failed(query, Source::Busy);
        };
        let patience = match stale {
            Some(_) => self.config.timing.stale_after,
            None => self.config.timing.give_up + Duration::from_secs(1),
        };
        let shared = tokio::time::timeout(patience, answer).await;
        match (shared.ok().and_then(Result::ok).flatten(), stale) {
            (Some((server, answer)), stale) => {
                let good = matches!(answer.rcode(), rcode::NOERROR | rcode::NXDOMAIN);
                match stale {
                    Some(answer) if !good => Resolved { answer, age: 0, source: Source::Stale },
                    _ => Resolved { answer, age: 0, source: Source::Forward(server) },
                }
            }
            (None, Some(answer)) => Resolved { answer, age: 0, source: Source::Stale },
            (None, None) => self.failed(query, Source::Failed),
        }
    }

    /// Joins those who wait for the same answer, or starts asking. `None` if too much is asked.
    ///
    /// A query without recursion desired goes alone and upstream as it is: what that means is the
    /// server's to say, and its answer may differ from what others get.
    fn share(self: &Rc<Self>, query: &Rc<Query>) -> Option<oneshot::Receiver<Shared>> {
        let (sender, receiver) = oneshot::channel();
        let key = query.key();
        let mut forwards = self.forwards.borrow_mut();
        if query.recursion_desired()
            && let Some(others) = forwards.get_mut(&key)
        {
            others.push(sender);
            return Some(receiver);
        }
        if forwards.len() >= self.config.limits.forwards {
            return None;
        }
        let (proxy, query) = (Rc::clone(self), Rc::clone(query));
        if query.recursion_desired() {
            forwards.insert(key.clone(), vec![sender]);
            tokio::task::spawn_local(async move {
                let shared = proxy.forward(&query).await;
                let senders = proxy.forwards.borrow_mut().remove(&key).unwrap_or_default();
                for sender in senders {
                    // Who has gone away by now needs no answer.
                    let _ = sender.send(shared.clone());
                }
            });
        } else {
            tokio::task::spawn_local(async move {
                let _ = sender.send(proxy.forward(&query).await);
            });
        }
        Some(receiver)
    }

    /// Asks the servers, notes how they did, and keeps the answer.
    async fn forward(&self, query: &Rc<Query>) -> Shared {
        let servers = self.current_servers();
        let (limits, timing) = (self.ttl_limits(), self.config.timing);
        let outcome = forward(Rc::clone(query), &servers, limits, timing).await;
        self.note(&outcome);
        let (server, answer) = outcome.answer?;
        let answer = Rc::new(answer);
        if query.recursion_desired() {
            let mut cache = self.cache.borrow_mut();
            cache.insert(query.key(), Rc::clone(&answer), Instant::now());
        }
        Some((server, answer))
    }

    fn current_servers(&self) -> Vec<SocketAddr> {
        let now = Instant::now();
        let mut servers = self.servers.borrow_mut();
        if let Some(warnings) = servers.reload(now) {
            // Other servers may know other things: those of a VPN that went up or down.
            self.cache.borrow_mut().clear();
            self.tell(&Event::Reloaded(format!("forwarding to {}", servers.describe())));
            for warning in warnings {
                self.tell(&Event::Warning(warning));
            }
        }
        servers.in_order(now)
    }

    fn note(&self, outcome: &Outcome) {
        let good = outcome.answer.as_ref().map(|(server, _)| *server);
        let fell = self.servers.borrow_mut().note(good, outcome.bad.clone(), Instant::now());
        for server in fell {
            let why = match &outcome.error {
                Some((failed, error)) if *failed == server => error.to_string(),
                _ => "no answer".to_string(),
            };
            let hint = if server.ip().is_loopback() { LOOPBACK_HINT } else { "" };
            self.tell(&Event::Warning(format!("server {server}: {why}{hint}")));
        }
    }

    fn ttl_limits(&self) -> TtlLimits {
        TtlLimits { max: self.config.max_ttl, max_negative: self.config.max_negative_ttl }
    }

    fn failed(&self, query: &Query, source: Source) -> Resolved {
        let answer = Rc::new(Answer::error(query, rcode::SERVFAIL));
        Resolved { answer, age: 0, source }
    }

    /// The answer's bytes for this client, and its line in the log.
    fn deliver(&self, query: &Query, client: Client, resolved: &Resolved) -> Vec<u8> {
        let limit = match client.transport {
            Transport::Udp => query.udp_limit(),
            Transport::Tcp => usize::from(u16::MAX),
        };
        let stale = resolved.source == Source::Stale;
        let delivery = Delivery { limit, age: resolved.age, stale };
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
