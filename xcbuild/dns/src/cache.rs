//! Answers kept for as long as they are good, in bounded memory.
//!
//! The least recently used goes first when the bytes run out. Time is handed in, so that tests
//! need none. With a stale period, answers past their time stay for that long and are handed out
//! as [`Found::Stale`], to be used only when no server answers (RFC 8767).

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::wire::{Answer, Key};

/// Fixed cost of an entry beside its answer: two map nodes and two keys, about.
const ENTRY_OVERHEAD: usize = 256;

/// What the cache has for a key.
#[derive(Debug)]
pub(crate) enum Found {
    /// A good answer and its age in seconds.
    Fresh(Rc<Answer>, u32),
    /// One past its time.
    Stale(Rc<Answer>),
    /// Nothing.
    Missing,
}

/// The cache; single-threaded, as the server is.
pub(crate) struct Cache {
    entries: HashMap<Key, Entry>,
    /// Keys by the tick of their last use.
    uses: BTreeMap<u64, Key>,
    tick: u64,
    bytes: usize,
    max_bytes: usize,
    stale: Duration,
}

struct Entry {
    answer: Rc<Answer>,
    stored: Instant,
    lifetime: Duration,
    used: u64,
}

impl Cache {
    /// A cache of at most `max_bytes`, about; none at all for 0.
    pub(crate) fn new(max_bytes: usize, stale: Duration) -> Self {
        let (entries, uses) = (HashMap::new(), BTreeMap::new());
        Self { entries, uses, tick: 0, bytes: 0, max_bytes, stale }
    }

    /// Looks `key` up as of `now`; what is past all use is dropped.
    pub(crate) fn find(&mut self, key: &Key, now: Instant) -> Found {
        let Some(entry) = self.entries.get_mut(key) else {
            return Found::Missing;
        };
        let age = now.saturating_duration_since(entry.stored);
        if age >= entry.lifetime + self.stale {
            self.remove(key);
            return Found::Missing;
        }
        let answer = Rc::clone(&entry.answer);
        let fresh = age < entry.lifetime;
        self.tick += 1;
        if let Some(key) = self.uses.remove(&entry.used) {
            self.uses.insert(self.tick, key);
        }
        entry.used = self.tick;
        let age = u32::try_from(age.as_secs()).unwrap_or(u32::MAX);
        if fresh { Found::Fresh(answer, age) } else { Found::Stale(answer) }
    }

    /// Keeps `answer` if it may be kept, making room.
    pub(crate) fn insert(&mut self, key: Key, answer: Rc<Answer>, now: Instant) {
        let Some(lifetime) = answer.lifetime else {
            return;
        };
        self.remove(&key);
        let size = answer.size() + ENTRY_OVERHEAD;
        if size > self.max_bytes {
            return;
        }
        while self.bytes + size > self.max_bytes {
            let Some((_, oldest)) = self.uses.pop_first() else { break };
            self.remove(&oldest);
        }
        self.tick += 1;
        self.bytes += size;
        self.uses.insert(self.tick, key.clone());
        let lifetime = Duration::from_secs(u64::from(lifetime));
        self.entries.insert(key, Entry { answer, stored: now, lifetime, used: self.tick });
    }

    /// Forgets all, as when the servers change.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.uses.clear();
        self.bytes = 0;
    }

    fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.entries.remove(key) {
            self.uses.remove(&entry.used);
            self.bytes -= entry.answer.size() + ENTRY_OVERHEAD;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Query, TtlLimits};

    const TTL: u32 = 100;

    /// A query for `nN.example A` and an answer to it.
    fn pair(number: u32) -> (Key, Rc<Answer>) {
        let name: crate::Name = format!("n{number}.example").parse().unwrap();
        let mut message = vec![0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        message.extend_from_slice(name.wire());
        message.extend_from_slice(&[0, 1, 0, 1]);
        let query = Query::parse(&message).unwrap();
        message[2] |= 0x80;
        message[7] = 1;
        message.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, TTL as u8, 0, 4, 10, 0, 0, 1]);
        let limits = TtlLimits { max: 3000, max_negative: 300 };
        (query.key(), Rc::new(Answer::parse(message, &query, limits).unwrap()))
    }

    #[test]
    fn an_answer_is_fresh_then_stale_then_gone() {
        let start = Instant::now();
        let mut cache = Cache::new(10_000, Duration::from_secs(50));
        let (key, answer) = pair(1);
        cache.insert(key.clone(), answer, start);
        for (seconds, expected) in [
            (0, "fresh 0"),
            (99, "fresh 99"),
            (100, "stale"),
            (149, "stale"),
            (150, "missing"),
            (0, "missing"),
        ] {
            let found = match cache.find(&key, start + Duration::from_secs(seconds)) {
                Found::Fresh(_, age) => format!("fresh {age}"),
                Found::Stale(_) => "stale".to_string(),
                Found::Missing => "missing".to_string(),
            };
            assert_eq!(found, expected, "after {seconds} s");
        }
        assert_eq!(cache.bytes, 0);
    }

    #[test]
    fn the_least_recently_used_makes_room() {
        let now = Instant::now();
        let size = pair(1).1.size() + ENTRY_OVERHEAD;
        let mut cache = Cache::new(size * 3, Duration::ZERO);
        for number in 1..=3 {
            let (key, answer) = pair(number);
            cache.insert(key, answer, now);
        }
        assert!(matches!(cache.find(&pair(1).0, now), Found::Fresh(..)));
        let (key, answer) = pair(4);
        cache.insert(key, answer, now);
        let kept: Vec<u32> =
            (1..=4).filter(|&n| matches!(cache.find(&pair(n).0, now), Found::Fresh(..))).collect();
        assert_eq!(kept, [1, 3, 4]);
        assert_eq!((cache.bytes, cache.uses.len()), (size * 3, 3));
    }

    #[test]
    fn a_new_answer_replaces_the_old_and_none_fits_in_nothing() {
        let now = Instant::now();
        let mut cache = Cache::new(10_000, Duration::ZERO);
        let mut none = Cache::new(0, Duration::ZERO);
        for _ in 0..2 {
            let (key, answer) = pair(1);
            cache.insert(key.clone(), Rc::clone(&answer), now);
            none.insert(key, answer, now);
        }
        assert_eq!((cache.entries.len(), cache.uses.len()), (1, 1));
        assert!(matches!(none.find(&pair(1).0, now), Found::Missing));
    }
}
