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
use crate::freshness::{Freshness, Generation, News};
use crate::own_state::State;
use crate::servers::{Peer, Servers};
use crate::wire::{Answer, Key, Mark, Query, TtlLimits};

/// Why loopback servers are silent most often.
const LOOPBACK_HINT: &str = "; a loopback resolver can't be reached from another network \
                             namespace, name a server with an address of its own";
/// Proxies that a query may come through.
const MAX_MARKS: usize = 8;

/// What those who share a question get: whose answer, or none.
pub(crate) type Shared = Option<(SocketAddr, Rc<Answer>)>;

/// Those who wait, by question, whether recursion is desired, and our generation: an answer from
/// before a change is not for those who ask after it.
type UnderWay = HashMap<(Key, bool, Generation), Vec<oneshot::Sender<Shared>>>;

/// The way to the servers.
pub(crate) struct Forwarder {
    config: Rc<Config>,
    /// Where answers go.
    cache: Rc<RefCell<Cache>>,
    servers: RefCell<Servers>,
    freshness: RefCell<Freshness>,
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
        let generation = Generation::from_ne_bytes(exchange::random()?);
        let freshness = RefCell::new(Freshness::new(generation, config.timing.confirm));
        let under_way = RefCell::default();
        Ok(Rc::new(Self { config, cache, servers, freshness, under_way, mark }))
    }

    /// Whether a query has come through here before, or through so many that it must go in a
    /// circle.
    pub(crate) fn goes_in_a_circle(&self, query: &Query) -> bool {
        query.marks().contains(&self.mark) || query.marks().len() >= MAX_MARKS
    }

    /// Joins those who wait for the same answer, or starts asking. `None` if too much is asked.
    pub(crate) fn ask(self: &Rc<Self>, query: &Rc<Query>) -> Option<oneshot::Receiver<Shared>> {
        let (sender, receiver) = oneshot::channel();
        let key = (query.key(), query.recursion_desired(), self.generation());
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
            force_tcp: self.config.forward.force_tcp,
            limits: TtlLimits {
                max: self.config.max_ttl,
                max_negative: self.config.max_negative_ttl,
            },
            timing: self.config.timing,
        };
        let generation = self.generation();
        let outcome = forward(request.clone(), &servers).await;
        self.note(&outcome, &request);
        let (server, answer) = outcome.answer?;
        let answer = Rc::new(answer);
        let counts = self.generation() == generation && self.note_generation(server, &answer);
        // What a server says without recursion is less than it could say.
        let zones = &self.config.cache_zones;
        let kept = zones.is_empty() || zones.iter().any(|zone| query.name.is_within(zone));
        if counts && kept && query.recursion_desired() {
            let mut cache = self.cache.borrow_mut();
            cache.insert(query.key(), Rc::clone(&answer), Instant::now());
        }
        Some((server, answer))
    }

    /// Our generation: it changes whenever what we knew counts no more.
    pub(crate) fn generation(&self) -> Generation {
        self.freshness.borrow().own()
    }

    /// Whether the servers have to be asked before the cache may answer.
    pub(crate) fn must_confirm(&self, now: Instant) -> bool {
        self.freshness.borrow().is_due(now)
    }

    /// Lets the cache answer for now, since no server does.
    pub(crate) fn postpone_confirmation(&self) {
        self.freshness.borrow_mut().postpone(Instant::now());
    }

    /// Forgets all answers, and has those forget them who have them from us.
    pub(crate) fn forget_answers(&self) {
        self.cache.borrow_mut().clear();
        self.freshness.borrow_mut().change();
    }

    /// Notes the generation of an answer; whether the answer counts.
    fn note_generation(&self, server: SocketAddr, answer: &Answer) -> bool {
        let news = self.freshness.borrow_mut().note(server, answer.generation(), Instant::now());
        if news == News::Changed {
            self.forget_answers();
            self.tell(&Event::Reloaded(format!("what {server} knows; the cache is empty")));
        }
        news != News::Outdated
    }

    /// Servers, and generations, as lines for `dns check`.
    pub(crate) fn state(&self, what: State) -> Vec<String> {
        match what {
            State::Upstreams => self.servers.borrow().list().map(|s| s.to_string()).collect(),
            State::Generation => {
                let freshness = self.freshness.borrow();
                let own = format!("{:016x}", freshness.own());
                let servers = freshness.servers();
                let servers = servers.map(|(server, number)| format!("{number:016x} {server}"));
                std::iter::once(own).chain(servers).collect()
            }
        }
    }

    /// Reads the resolv.conf again if it changed.
    pub(crate) fn refresh(&self, now: Instant) {
        let Some(warnings) = self.servers.borrow_mut().reload(now) else { return };
        // Other servers may know other things: those of a VPN that went up or down.
        self.forget_answers();
        self.freshness.borrow_mut().forget_servers();
        let servers = self.servers.borrow().describe();
        self.tell(&Event::Reloaded(format!("forwarding to {servers}")));
        warnings.into_iter().for_each(|warning| self.tell(&Event::Warning(warning)));
    }

    fn current_servers(&self) -> Vec<Peer> {
        let now = Instant::now();
        self.refresh(now);
        self.servers.borrow_mut().in_order(now)
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
