//! Asking the servers on behalf of all who ask the same, and keeping what they say.
//!
//! Equal questions under way share one question to the servers: a hundred clients that ask at
//! once cost one, and so does a storm of repetitions while a server is slow.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

use tokio::sync::oneshot;

use crate::cache::Cache;
use crate::config::Config;
use crate::event::Event;
use crate::exchange;
use crate::exchange::EdnsUse;
use crate::forward::{Outcome, Request, forward};
use crate::servers::{Peer, Servers};
use crate::wire::{Answer, Key, Mark, Query, TtlLimits};

/// Why loopback servers are silent most often.
const LOOPBACK_HINT: &str = "; a loopback resolver can't be reached from another network \
                             namespace, name a server with an address of its own";
/// Proxies that a query may come through.
const MAX_MARKS: usize = 8;

/// What those who share a question get: whose answer, or none.
pub(crate) type Shared = Option<(SocketAddr, Rc<Answer>)>;

/// Those who wait, by question and whether recursion is desired.
type UnderWay = HashMap<(Key, bool), Vec<oneshot::Sender<Shared>>>;

/// The way to the servers.
pub(crate) struct Forwarder {
    config: Rc<Config>,
    /// Where answers go.
    cache: Rc<RefCell<Cache>>,
    servers: RefCell<Servers>,
    under_way: RefCell<UnderWay>,
    /// Our number, in the queries that we send.
    mark: Mark,
}

impl Forwarder {
    pub(crate) fn new(
        config: Rc<Config>,
        cache: Rc<RefCell<Cache>>,
        servers: Servers,
    ) -> io::Result<Rc<Self>> {
        let (servers, mark) = (RefCell::new(servers), exchange::random()?);
        Ok(Rc::new(Self { config, cache, servers, under_way: RefCell::default(), mark }))
    }

    /// Whether a query has come through here before, or through so many that it must go in a
    /// circle.
    pub(crate) fn goes_in_a_circle(&self, query: &Query) -> bool {
        query.marks().contains(&self.mark) || query.marks().len() >= MAX_MARKS
    }

    /// Joins those who wait for the same answer, or starts asking. `None` if too much is asked.
    pub(crate) fn ask(self: &Rc<Self>, query: &Rc<Query>) -> Option<oneshot::Receiver<Shared>> {
        let (sender, receiver) = oneshot::channel();
        let key = (query.key(), query.recursion_desired());
        let mut under_way = self.under_way.borrow_mut();
        if let Some(others) = under_way.get_mut(&key) {
            others.push(sender);
            return Some(receiver);
        }
        if under_way.len() >= self.config.limits.forwards {
            return None;
        }
        under_way.insert(key.clone(), vec![sender]);
        let (this, query) = (Rc::clone(self), Rc::clone(query));
        tokio::task::spawn_local(async move {
            let shared = this.forward(&query).await;
            let senders = this.under_way.borrow_mut().remove(&key).unwrap_or_default();
            for sender in senders {
                // Who has gone away by now needs no answer.
                let _ = sender.send(shared.clone());
            }
        });
        Some(receiver)
    }

    /// Asks the servers, notes how they did, and keeps the answer.
    async fn forward(self: &Rc<Self>, query: &Rc<Query>) -> Shared {
        let servers = self.current_servers();
        let request = Request {
            query: Rc::clone(query),
            marks: [query.marks(), &[self.mark]].concat().into(),
            force_tcp: false,
            limits: TtlLimits {
                max: self.config.max_ttl,
                max_negative: self.config.max_negative_ttl,
            },
            timing: self.config.timing,
        };
        let outcome = forward(request.clone(), &servers).await;
        self.note(&outcome, &request);
        let (server, answer) = outcome.answer?;
        let answer = Rc::new(answer);
        // What a server says without recursion is less than it could say.
        if query.recursion_desired() {
            let mut cache = self.cache.borrow_mut();
            cache.insert(query.key(), Rc::clone(&answer), Instant::now());
        }
        Some((server, answer))
    }

    fn current_servers(&self) -> Vec<Peer> {
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

    fn note(self: &Rc<Self>, outcome: &Outcome, request: &Request) {
        for (server, edns) in &outcome.without_edns {
            self.note_plain(*server, *edns);
        }
        let good = outcome.answer.as_ref().map(|(server, _)| *server);
        let fell = self.servers.borrow_mut().note(good, outcome.bad.clone(), Instant::now());
        for server in fell {
            let error = outcome.error.as_ref().filter(|(failed, _)| *failed == server);
            let why = error.map_or("no answer".to_string(), |(_, error)| error.to_string());
            let hint = if server.ip().is_loopback() { LOOPBACK_HINT } else { "" };
            self.tell(&Event::Warning(format!("server {server}: {why}{hint}")));
            if error.is_none() {
                self.probe_without_edns(server, request.clone());
            }
        }
    }

    /// A server that was silent while another answered may only have dropped EDNS.
    fn probe_without_edns(self: &Rc<Self>, server: SocketAddr, request: Request) {
        let this = Rc::clone(self);
        tokio::task::spawn_local(async move {
            if request.answers_without_edns(server).await {
                this.note_plain(server, EdnsUse::Dropped);
            }
        });
    }

    fn note_plain(&self, server: SocketAddr, edns: EdnsUse) {
        if self.servers.borrow_mut().note_plain(server, Instant::now()) {
            let how = match edns {
                EdnsUse::Refused => "refuses queries with EDNS",
                EdnsUse::Dropped | EdnsUse::Fine => "answers only queries without EDNS",
            };
            let minutes = self.config.timing.plain_for.as_secs() / 60;
            self.tell(&Event::Warning(format!(
                "server {server} {how}: asked without for {minutes} min, so without DNSSEC records"
            )));
        }
    }

    fn tell(&self, event: &Event<'_>) {
        (self.config.sink)(event);
    }
}
