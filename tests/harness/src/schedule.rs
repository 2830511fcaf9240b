//! Which test runs when.
//!
//! Every test has a thread, which waits here for its turn. There are queues. Of the serial tests of one
//! lane one runs at a time: each is a cluster or the like, which keeps the cores busy for a while and
//! idle for another; lanes are for those that don't get in each other's way. Of the others as many run
//! at once as there are cores, at a lower priority: they take the time that the serial ones leave.

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// By how much the priority of the other tests is lower (nice(2)).
const NICE: i32 = 10;

thread_local! {
    static SERIAL: Cell<bool> = const { Cell::new(false) };
}

/// Fails unless it is called by a test that is `serial`: for what there can be only one of.
///
/// # Panics
/// In other tests, and in threads that a test has started.
pub fn assert_serial() {
    assert!(SERIAL.get(), "only a test that is `serial` may use this");
}

/// The lane of a serial test; `None` for all others.
pub(crate) type Lane = Option<&'static str>;

/// The queues.
pub(crate) struct Schedule {
    queues: Mutex<BTreeMap<Lane, Queue>>,
    changed: Condvar,
    at_once: usize,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<usize>,
    running: usize,
}

impl Schedule {
    /// Empty queues; so many tests may run at once, besides the serial ones.
    pub(crate) fn new(at_once: usize) -> Self {
        Self { queues: Mutex::default(), changed: Condvar::new(), at_once }
    }

    /// Puts a test at the end of its queue.
    pub(crate) fn expect(&self, test: usize, lane: Lane) {
        self.queues().entry(lane).or_default().waiting.push_back(test);
    }

    /// Waits until it is the turn of a test that was expected.
    pub(crate) fn enter(&self, test: usize, lane: Lane) -> Turn<'_> {
        let at_once = if lane.is_some() { 1 } else { self.at_once };
        let admits =
            |queue: &Queue| queue.running < at_once && queue.waiting.front() == Some(&test);
        let unready = |queues: &mut BTreeMap<_, _>| !queues.get(&lane).is_some_and(admits);
        let queues = self.changed.wait_while(self.queues(), unready);
        let mut queues = queues.unwrap_or_else(PoisonError::into_inner);
        let queue = queues.entry(lane).or_default();
        queue.waiting.pop_front();
        queue.running += 1;
        drop(queues);
        // The next in the queue may have its turn as well.
        self.changed.notify_all();
        Turn { schedule: self, lane }
    }

    /// Takes a test out of its queue.
    pub(crate) fn withdraw(&self, test: usize, lane: Lane) {
        self.queues().entry(lane).or_default().waiting.retain(|other| *other != test);
        self.changed.notify_all();
    }

    fn queues(&self) -> MutexGuard<'_, BTreeMap<Lane, Queue>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The turn of a test, until it is dropped.
pub(crate) struct Turn<'a> {
    schedule: &'a Schedule,
    lane: Lane,
}

impl Turn<'_> {
    /// Prepares the thread that runs the test.
    pub(crate) fn begin(&self) {
        SERIAL.set(self.lane.is_some());
        if self.lane.is_none() {
            // On Linux, of this thread and of what it starts. A failure does no harm.
            let _ = rustix::process::nice(NICE);
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.schedule.queues().entry(self.lane).or_default().running -= 1;
        self.schedule.changed.notify_all();
    }
}
