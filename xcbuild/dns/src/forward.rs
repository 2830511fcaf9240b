//! Fail-over: one question to the servers in turn, until one gives a good answer.
//!
//! The next server is asked when one fails, and also when one is slow, without giving it up:
//! whoever answers first wins. With one server the repetition is against lost datagrams.
//!
//! ```text
//!  0 ms      400 ms    800 ms    1200 ms              2500 ms
//!  server 1 ------------------------------------------- give up: SERVFAIL
//!            server 2 ---------------------------------
//!                      server 1 -----------------------
//!                                server 2 -------------
//! ```

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::config::Timing;
use crate::exchange::{self, EdnsUse, Manner, Reply};
use crate::resolv_conf::DNS_PORT;
use crate::servers::Peer;
use crate::wire::{Answer, Mark, Query, TtlLimits, rcode};

/// Questions of one query that wait for an answer at once, each with a socket.
const MAX_OPEN: usize = 4;
/// How often each server is asked.
const ROUNDS: usize = 2;

/// What came of asking.
pub(crate) struct Outcome {
    /// The best answer, and whose.
    pub(crate) answer: Option<(SocketAddr, Answer)>,
    /// Servers that were silent or couldn't be reached.
    pub(crate) bad: Vec<SocketAddr>,
    /// Servers that answered only without EDNS.
    pub(crate) without_edns: Vec<(SocketAddr, EdnsUse)>,
    /// The last error, for the log.
    pub(crate) error: Option<(SocketAddr, io::Error)>,
}

/// Marks are for those who may be proxies of ours or lead back to one; public resolvers are none.
fn marks_for(server: SocketAddr, marks: &[Mark]) -> &[Mark] {
    let near = match server.ip() {
        IpAddr::V4(ip) => ip.is_private() || ip.is_loopback() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_loopback() || ip.is_unicast_link_local(),
    };
    if near || server.port() != DNS_PORT { marks } else { &[] }
}

/// One attempt's end.
type Attempt = (SocketAddr, io::Result<Reply>);

/// What to ask, and how.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) query: Rc<Query>,
    pub(crate) marks: Rc<[Mark]>,
    pub(crate) force_tcp: bool,
    pub(crate) limits: TtlLimits,
    pub(crate) timing: Timing,
}

impl Request {
    /// Asks one server; with EDNS if it takes that.
    async fn ask(&self, peer: Peer) -> Attempt {
        let marks = peer.edns.then(|| marks_for(peer.address, &self.marks));
        let manner = Manner {
            marks,
            plain_after: self.timing.plain_after,
            force_tcp: self.force_tcp,
            limits: self.limits,
        };
        (peer.address, exchange::ask(peer.address, &self.query, manner).await)
    }

    /// Whether a server that was silent answers the same without EDNS.
    pub(crate) async fn answers_without_edns(&self, server: SocketAddr) -> bool {
        let attempt = self.ask(Peer { address: server, edns: false });
        timeout(self.timing.give_up, attempt).await.is_ok_and(|(_, result)| result.is_ok())
    }
}

/// Asks `servers`, the first preferred.
pub(crate) async fn forward(request: Request, servers: &[Peer]) -> Outcome {
    let timing = request.timing;
    let give_up = Instant::now() + timing.give_up;
    let plan = servers.iter().copied().cycle().take(servers.len() * ROUNDS).collect();
    let mut race = Race { running: JoinSet::new(), plan, request, waiting: Vec::new() };
    let mut outcome =
        Outcome { answer: None, bad: Vec::new(), without_edns: Vec::new(), error: None };
    loop {
        let next = race.start_next(timing.next_server).unwrap_or(give_up);
        if race.running.is_empty() {
            break;
        }
        let ended = tokio::select! {
            Some(Ok(ended)) = race.running.join_next() => Some(ended),
            () = sleep_until(next.min(give_up)) => None,
        };
        let settled = ended.is_some_and(|ended| race.end(ended, &mut outcome));
        if settled || Instant::now() >= give_up {
            break;
        }
    }
    let answered = outcome.answer.as_ref().map(|(server, _)| *server);
    outcome.bad.extend(race.late(timing.next_server, answered));
    outcome
}

/// The attempts under way.
struct Race {
    running: JoinSet<Attempt>,
    /// Whom to ask next.
    plan: VecDeque<Peer>,
    request: Request,
    /// Servers without an answer yet, and when they were asked.
    waiting: Vec<(SocketAddr, Instant)>,
}

impl Race {
    /// Asks the next of the plan; when the one after that is due. `None` if nobody is left, or
    /// too many haven't answered yet.
    fn start_next(&mut self, pause: Duration) -> Option<Instant> {
        if self.running.len() >= MAX_OPEN {
            return None;
        }
        let peer = self.plan.pop_front()?;
        let request = self.request.clone();
        self.waiting.push((peer.address, Instant::now()));
        self.running.spawn_local(async move { request.ask(peer).await });
        Some(Instant::now() + pause)
    }

    /// Notes how an attempt ended; whether that settles it. Whoever said anything isn't asked
    /// again.
    fn end(&mut self, (server, result): Attempt, outcome: &mut Outcome) -> bool {
        self.waiting.retain(|(waiting, _)| *waiting != server);
        self.plan.retain(|planned| planned.address != server);
        match result {
            Ok(Reply { answer, edns }) => {
                if edns != EdnsUse::Fine {
                    outcome.without_edns.push((server, edns));
                }
                let good = matches!(answer.rcode(), rcode::NOERROR | rcode::NXDOMAIN);
                outcome.answer = Some((server, answer));
                good
            }
            Err(error) => {
                outcome.bad.push(server);
                outcome.error = Some((server, error));
                false
            }
        }
    }

    /// Servers that have been silent for at least `pause`, but for the one that did answer.
    fn late(&self, pause: Duration, answered: Option<SocketAddr>) -> Vec<SocketAddr> {
        let late = self.waiting.iter().filter(|(_, asked)| asked.elapsed() >= pause);
        late.map(|(server, _)| *server).filter(|server| Some(*server) != answered).collect()
    }
}
