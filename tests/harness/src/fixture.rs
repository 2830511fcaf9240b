//! What several tests share, since it takes long to make: it is made for the first of them and ended
//! after the last.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::Need;

/// A thing that tests share. Only serial tests do, so one has it at a time.
///
/// Each leaves it as it found it, but for one that is `last`. After one that failed it is made again
/// for the next, since its state is unknown.
pub struct Fixture<T: 'static> {
    needs: &'static [Need],
    lane: &'static str,
    make: fn() -> T,
    state: Mutex<State<T>>,
    users: AtomicUsize,
}

enum State<T> {
    None,
    Made(Arc<T>),
    /// It could not be made, and is not tried again.
    Failed,
}

impl<T: Send + Sync> Fixture<T> {
    /// A fixture, what the machine must have for it, and what makes it. Dropping the value ends it.
    pub const fn new(needs: &'static [Need], make: fn() -> T) -> Self {
        Self::serial_in("", needs, make)
    }

    /// As [`Self::new`]; the tests on it are serial in that lane.
    pub const fn serial_in(lane: &'static str, needs: &'static [Need], make: fn() -> T) -> Self {
        Self { needs, lane, make, state: Mutex::new(State::None), users: AtomicUsize::new(0) }
    }

    /// The value, which is made if this is the first test that asks.
    ///
    /// # Panics
    /// If it can't be made, or could not for an earlier test.
    pub fn get(&self) -> Arc<T> {
        crate::assert_serial();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &*state {
            State::Made(value) => Arc::clone(value),
            State::Failed => panic!("what this test shares with others could not be made for them"),
            State::None => {
                // If `make` panics, this is what stays.
                *state = State::Failed;
                let value = Arc::new((self.make)());
                *state = State::Made(Arc::clone(&value));
                value
            }
        }
    }
}

/// A fixture of any type, as the harness sees it.
pub trait AnyFixture: Sync {
    /// What the machine must have for it.
    fn needs(&self) -> &'static [Need];
    /// Where they are serial.
    fn lane(&self) -> &'static str;
    /// Sets how many tests will use it.
    fn expect_users(&self, count: usize);
    /// Notes that one of them has ended.
    fn release(&self, passed: bool);
    /// Its identity.
    fn address(&self) -> usize;
}

impl<T: Send + Sync> AnyFixture for Fixture<T> {
    fn needs(&self) -> &'static [Need] {
        self.needs
    }

    fn lane(&self) -> &'static str {
        self.lane
    }

    fn expect_users(&self, count: usize) {
        self.users.store(count, Ordering::SeqCst);
    }

    fn release(&self, passed: bool) {
        let last = self.users.fetch_sub(1, Ordering::SeqCst) == 1;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if (last || !passed) && matches!(*state, State::Made(_)) {
            *state = State::None;
        }
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self).cast::<()>() as usize
    }
}
