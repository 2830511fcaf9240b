//! The server's side of a query: parsed, answered by the chain or after a wait, delivered.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tokio::sync::Notify;

use crate::chain::{Chain, Change, Client, Delivered, Route};
use crate::config::{Limits, Sink, Timing};
use crate::event::{Event, Source, Transport};
use crate::resolver::{Resolved, Resolver};
use crate::wire::{Delivery, Query, Rejected};

/// What the listeners of a server share.
pub(crate) struct Proxy {
    chain: RefCell<Rc<dyn Chain>>,
    pub(crate) timing: Timing,
    pub(crate) limits: Limits,
    sink: Sink,
    waiting: Cell<usize>,
    idle: Notify,
}

/// A query that waits for its answer; counted while it lives.
pub(crate) struct Pending {
    proxy: Rc<Proxy>,
    chain: Rc<dyn Chain>,
    resolver: Rc<Resolver>,
    query: Rc<Query>,
    change: Option<Change>,
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
    pub(crate) fn new(
        chain: Rc<dyn Chain>,
        timing: Timing,
        limits: Limits,
        sink: Sink,
    ) -> Rc<Self> {
        let (waiting, idle, chain) = (Cell::new(0), Notify::new(), RefCell::new(chain));
        Rc::new(Self { chain, timing, limits, sink, waiting, idle })
    }

    /// Says something.
    pub(crate) fn tell(&self, event: &Event<'_>) {
        (self.sink)(event);
    }

    /// Has another chain answer from now on.
    pub(crate) fn set_chain(&self, chain: Rc<dyn Chain>) {
        *self.chain.borrow_mut() = chain;
    }

    /// Waits until no query waits for its answer.
    pub(crate) async fn idle(&self) {
        while self.waiting.get() > 0 {
            self.idle.notified().await;
        }
    }

    /// Takes a message from a client; answers at once what can be.
    pub(crate) fn handle(self: &Rc<Self>, message: &[u8], client: Client) -> Handled {
        let chain = Rc::clone(&self.chain.borrow());
        let query = match Query::parse(message) {
            Ok(query) => query,
            Err(Rejected::Ignore) => return Handled::Ignored,
            Err(Rejected::Reply { message, rcode }) => {
                chain.note_rejected(&client, rcode);
                return Handled::Answer(message);
            }
        };
        chain.refresh();
        let (resolver, change) = match chain.route(&query, &client) {
            Route::Ignore => return Handled::Ignored,
            Route::Resolve(resolver, change) => (resolver, change),
            Route::Answer(answer) => {
                let resolved = Resolved { answer: Rc::new(answer), age: 0, source: Source::Local };
                return Handled::Answer(deliver(&*chain, &query, client, &resolved));
            }
        };
        let query = Rc::new(query);
        let asked = change.as_ref().and_then(|change| change.query.clone());
        let asked = asked.unwrap_or_else(|| Rc::clone(&query));
        let busy = self.waiting.get() >= self.limits.waiting;
        if let Some(known) = resolver.known(&asked, busy) {
            let known = changed_back(known, change.as_ref(), &query);
            return Handled::Answer(deliver(&*chain, &query, client, &known));
        }
        let refused = match resolver.refuses(&query, client.address) {
            true => Some(Source::Circle),
            false => busy.then_some(Source::Busy),
        };
        if let Some(source) = refused {
            let failed = Resolved::failed(&query, source);
            return Handled::Answer(deliver(&*chain, &query, client, &failed));
        }
        self.waiting.set(self.waiting.get() + 1);
        let proxy = Rc::clone(self);
        Handled::Later(Pending { proxy, chain, resolver, query, change, client })
    }
}

/// The answer as the client's query has it.
fn changed_back(resolved: Resolved, change: Option<&Change>, query: &Query) -> Resolved {
    let Some(change) = change else { return resolved };
    match change.undo(query, &resolved.answer) {
        Some(answer) => {
            // A TTL of a rule is not the server's: it doesn't run down.
            let age = if change.ttl.is_some() { 0 } else { resolved.age };
            Resolved { answer: Rc::new(answer), age, ..resolved }
        }
        None => Resolved::failed(query, Source::Failed),
    }
}

/// The answer's bytes for this client; the chain notes it.
fn deliver(chain: &dyn Chain, query: &Query, client: Client, resolved: &Resolved) -> Vec<u8> {
    let limit = match client.transport {
        Transport::Udp => query.udp_limit(),
        Transport::Tcp => usize::from(u16::MAX),
    };
    let stale = resolved.source == Source::Stale;
    let generation = (!query.marks().is_empty()).then(|| chain.generation());
    let delivery = Delivery { limit, age: resolved.age, stale, generation };
    let message = resolved.answer.deliver(query, delivery);
    let elapsed = client.asked.elapsed();
    let (rcode, source) = (resolved.answer.rcode(), resolved.source);
    chain.note(&Delivered { query, client, source, rcode, message: &message, elapsed });
    message
}

impl Pending {
    /// Waits for the answer. Drop the `Pending` only when the answer has been sent: the server
    /// stops when none is left.
    pub(crate) async fn answer(&self) -> Vec<u8> {
        let asked = self.change.as_ref().and_then(|change| change.query.as_ref());
        let resolved = self.resolver.ask(asked.unwrap_or(&self.query)).await;
        let resolved = changed_back(resolved, self.change.as_ref(), &self.query);
        deliver(&*self.chain, &self.query, self.client, &resolved)
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
