//! What ran when, on which thread and core: `--trace-to FILE` writes it.
//!
//! Each piece of work has a category (`layer`, `step`, `package`, `run`, `iso`, `store`, `wait`) and
//! a name. Off, a span costs one look at a flag. On, it is kept in memory until [`stop`].
//!
//! `tracing` has spans as well. A subscriber layer that keeps them takes as many lines as this module
//! (visitors for fields, extensions for start times), so the two stay apart: `tracing` is for
//! `XCBUILD_LOG`.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use rustix::thread::{gettid, sched_getcpu};

static ON: AtomicBool = AtomicBool::new(false);
static EVENTS: Mutex<Vec<Event>> = Mutex::new(Vec::new());

/// A piece of work that has ended.
#[derive(Debug, Clone)]
pub struct Event {
    /// What kind of work it is.
    pub category: &'static str,
    /// What it was about.
    pub name: String,
    /// When it began.
    pub begin: Instant,
    /// When it ended.
    pub end: Instant,
    /// The kernel's number of its thread.
    pub thread: i32,
    /// The processors that it began and ended on.
    pub cores: [usize; 2],
}

/// A piece of work that is under way; it ends when dropped.
#[must_use = "a span that is dropped at once measures nothing"]
#[derive(Debug)]
pub struct Span(Option<Open>);

#[derive(Debug)]
struct Open {
    category: &'static str,
    name: String,
    begin: Instant,
    core: usize,
}

/// Begins a piece of work.
pub fn span(category: &'static str, name: impl Display) -> Span {
    if !ON.load(Ordering::Relaxed) {
        return Span(None);
    }
    let name = name.to_string();
    Span(Some(Open { category, name, begin: Instant::now(), core: sched_getcpu() }))
}

impl Drop for Span {
    fn drop(&mut self) {
        let Some(Open { category, name, begin, core }) = self.0.take() else { return };
        let thread = gettid().as_raw_nonzero().get();
        let cores = [core, sched_getcpu()];
        let event = Event { category, name, begin, end: Instant::now(), thread, cores };
        EVENTS.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }
}

/// Keeps spans from now on; one recording at a time makes sense.
pub fn start() {
    ON.store(true, Ordering::Relaxed);
}

/// Ends the recording and gives what has ended since [`start`].
pub fn stop() -> Vec<Event> {
    ON.store(false, Ordering::Relaxed);
    std::mem::take(&mut *EVENTS.lock().unwrap_or_else(PoisonError::into_inner))
}
