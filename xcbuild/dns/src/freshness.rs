//! Whether what the cache has still counts: generations, between proxies of ours.
//!
//! When the host's resolv.conf changes (a VPN goes up), all that was answered before is worth nothing,
//! in the host's proxy and in those of the nodes. The host's proxy sees the file; a node can't. So a
//! proxy has a number, its generation, that it raises whenever it forgets what it knew, and sends
//! along in EDNS to clients that are proxies of ours. A node whose server has a generation answers out
//! of its cache only while the last one heard is young ([`Timing::confirm`]); else the query goes to
//! the server, whose answer confirms the cache or empties it. This costs a busy node a query or two a
//! second over its own link, and an idle one nothing. If the server is silent then, the cache
//! answers after [`Timing::confirm_wait`]. Other servers have no generation: their answers are kept
//! for as long as their TTLs say.
//!
//! [`Timing::confirm`]: crate::config::Timing::confirm
//! [`Timing::confirm_wait`]: crate::config::Timing::confirm_wait

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// A proxy's generation: random at its start, then counted up.
pub(crate) type Generation = u64;

/// What an answer's generation says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    /// What is known still counts.
    Same,
    /// What was known before this answer counts no more.
    Changed,
    /// The answer itself is from before a change.
    Outdated,
}

/// Our own generation, and those of the servers.
pub(crate) struct Freshness {
    own: Generation,
    servers: BTreeMap<SocketAddr, Generation>,
    confirmed: Option<Instant>,
    interval: Duration,
}

impl Freshness {
    /// Starts at a random generation.
    pub(crate) fn new(own: Generation, interval: Duration) -> Self {
        Self { own, servers: BTreeMap::new(), confirmed: None, interval }
    }

    /// Our own generation.
    pub(crate) fn own(&self) -> Generation {
        self.own
    }

    /// The last generation of each server that has one.
    pub(crate) fn servers(&self) -> impl Iterator<Item = (SocketAddr, Generation)> {
        self.servers.iter().map(|(server, generation)| (*server, *generation))
    }

    /// Notes that what we knew counts no more.
    pub(crate) fn change(&mut self) {
        self.own = self.own.wrapping_add(1);
    }

    /// Forgets the generations of servers, as when there are others.
    pub(crate) fn forget_servers(&mut self) {
        self.servers.clear();
    }

    /// Whether the cache has to be confirmed before it answers.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        let young = self.confirmed.is_some_and(|at| now < at + self.interval);
        !self.servers.is_empty() && !young
    }

    /// Notes that the servers can't be asked now: the cache answers until it is due again.
    pub(crate) fn postpone(&mut self, now: Instant) {
        self.confirmed = Some(now);
    }

    /// Notes the generation of a server's answer.
    pub(crate) fn note(
        &mut self,
        server: SocketAddr,
        generation: Option<Generation>,
        now: Instant,
    ) -> News {
        let Some(new) = generation else {
            self.servers.remove(&server);
            return News::Same;
        };
        let old = self.servers.get(&server).copied().unwrap_or(new);
        // An answer that was overtaken by a later one has a generation a few behind.
        if new != old && old.wrapping_sub(new) <= u64::from(u32::MAX) {
            return News::Outdated;
        }
        self.servers.insert(server, new);
        self.confirmed = Some(now);
        if new == old { News::Same } else { News::Changed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_tells_what_counts() {
        let (one, two) = ("192.0.2.1:53".parse().unwrap(), "192.0.2.2:53".parse().unwrap());
        let now = Instant::now();
        let mut freshness = Freshness::new(7, Duration::from_millis(500));
        for (server, generation, expected) in [
            (one, None, News::Same),
            (one, Some(100), News::Same),
            (two, Some(5), News::Same),
            (one, Some(101), News::Changed),
            (one, Some(100), News::Outdated),
            (one, Some(101), News::Same),
            (two, Some(u64::MAX / 2), News::Changed),
            (one, None, News::Same),
        ] {
            assert_eq!(
                freshness.note(server, generation, now),
                expected,
                "{server} {generation:?}"
            );
        }
        assert_eq!(freshness.servers().collect::<Vec<_>>(), [(two, u64::MAX / 2)]);
    }

    #[test]
    fn only_servers_with_a_generation_are_asked_for_it() {
        let server = "192.0.2.1:53".parse().unwrap();
        let now = Instant::now();
        let later = now + Duration::from_millis(500);
        let mut freshness = Freshness::new(7, Duration::from_millis(500));
        assert!(!freshness.is_due(now), "no server has one");
        freshness.note(server, Some(1), now);
        assert_eq!((freshness.is_due(now), freshness.is_due(later)), (false, true));
        freshness.postpone(later);
        assert!(!freshness.is_due(later));
        freshness.note(server, None, later);
        assert!(!freshness.is_due(later + Duration::from_secs(9)), "not any more");
    }
}
