//! Which test runs when.
//!
//! Every test has a thread, which waits here for its turn. There are two queues. Of the serial tests
//! one runs at a time: each is a cluster or the like, which keeps the cores busy for a while and idle
//! for another. Of the others as many run at once as there are cores, at a lower priority: they take
//! the time that the serial one leaves.

use std::cell::Cell;
use std::collections::VecDeque;
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

/// The queues.
pub(crate) struct Schedule {
    queues: Mutex<Queues>,
    changed: Condvar,
}

#[derive(Default)]
struct Queues {
    serial: Queue,
    other: Queue,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<usize>,
    running: usize,
    at_once: usize,
}

impl Queue {
    fn admits(&self, test: usize) -> bool {
        self.running < self.at_once && self.waiting.front() == Some(&test)
    }
}

impl Queues {
    fn of(&mut self, serial: bool) -> &mut Queue {
        if serial { &mut self.serial } else { &mut self.other }
    }
}

impl Schedule {
    /// Empty queues; so many tests may run at once, besides a serial one.
    pub(crate) fn new(at_once: usize) -> Self {
        let queue = |at_once| Queue { at_once, ..Queue::default() };
        let queues = Queues { serial: queue(1), other: queue(at_once) };
        Self { queues: Mutex::new(queues), changed: Condvar::new() }
    }

    /// Puts a test at the end of its queue.
    pub(crate) fn expect(&self, test: usize, serial: bool) {
        self.queues().of(serial).waiting.push_back(test);
    }

    /// Waits until it is the turn of a test that was expected.
    pub(crate) fn enter(&self, test: usize, serial: bool) -> Turn<'_> {
        let unready = |queues: &mut Queues| !queues.of(serial).admits(test);
        let queues = self.changed.wait_while(self.queues(), unready);
        let mut queues = queues.unwrap_or_else(PoisonError::into_inner);
        let queue = queues.of(serial);
        queue.waiting.pop_front();
        queue.running += 1;
        drop(queues);
        // The next in the queue may have its turn as well.
        self.changed.notify_all();
        Turn { schedule: self, serial }
    }

    /// Takes a test out of its queue.
    pub(crate) fn withdraw(&self, test: usize, serial: bool) {
        self.queues().of(serial).waiting.retain(|other| *other != test);
        self.changed.notify_all();
    }

    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The turn of a test, until it is dropped.
pub(crate) struct Turn<'a> {
    schedule: &'a Schedule,
    serial: bool,
}

impl Turn<'_> {
    /// Prepares the thread that runs the test.
    pub(crate) fn begin(&self) {
        SERIAL.set(self.serial);
        if !self.serial {
            // On Linux, of this thread and of what it starts. A failure does no harm.
            let _ = rustix::process::nice(NICE);
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.schedule.queues().of(self.serial).running -= 1;
        self.schedule.changed.notify_all();
    }
}
