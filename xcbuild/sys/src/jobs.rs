//! Many pieces of work at once, each of which may wait for others.
//!
//! Rayon's threads take up other work while they wait, on the same stack: one that holds the lock of
//! a key could come to wait for that very lock: a deadlock. What takes such locks, or waits for nodes,
//! runs here, on threads that do one thing at a time; what it computes inside may use rayon.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// How many builds run at once: rayon's number, which `-j` sets.
pub fn parallelism() -> usize {
    rayon::current_num_threads()
}

/// Does the work for every item, at most so many at a time, and gives the results in the items'
/// order. An item whose work panics gives the panic, and keeps no other from its turn.
pub fn map<T: Sync, R: Send>(
    items: &[T],
    limit: usize,
    work: impl Fn(&T) -> R + Sync,
) -> Vec<thread::Result<R>> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(items.len()));
    let run = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(number) else { break };
            // What a panic may have left half done is the work's own; it isn't used again.
            let result = catch_unwind(AssertUnwindSafe(|| work(item)));
            done.lock().unwrap_or_else(PoisonError::into_inner).push((number, result));
        }
    };
    thread::scope(|scope| {
        // This thread is one of them.
        for _ in 1..limit.min(items.len()) {
            scope.spawn(run);
        }
        run();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}

/// As [`map`], [`parallelism`] many at a time. After a failure no further item is begun.
///
/// # Errors
/// The error of the first item, in their order, that failed.
pub fn try_map<T: Sync, R: Send, E: Send>(
    items: &[T],
    work: impl Fn(&T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let failed = AtomicBool::new(false);
    let done = map(items, parallelism(), |item| {
        if failed.load(Ordering::Relaxed) {
            return None;
        }
        let result = work(item);
        failed.fetch_or(result.is_err(), Ordering::Relaxed);
        Some(result)
    });
    // An item that was not begun has one that failed among the others.
    done.into_iter().filter_map(|item| item.unwrap_or_else(|panic| resume_unwind(panic))).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Barrier, Mutex};

    use super::{map, try_map};

    fn in_pool<R: Send>(threads: usize, run: impl FnOnce() -> R + Send) -> R {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(run)
    }

    #[test]
    fn results_keep_their_order_and_many_run_at_once() {
        // Each waits for all the others: it ends only if four run at once.
        let barrier = Barrier::new(4);
        let work = |n: &u32| -> Result<u32, ()> {
            barrier.wait();
            Ok(n * 2)
        };
        assert_eq!(in_pool(4, || try_map(&[1, 2, 3, 4], work)), Ok(vec![2, 4, 6, 8]));
        assert_eq!(in_pool(4, || try_map::<u32, u32, ()>(&[], |n| Ok(*n))), Ok(vec![]));
    }

    #[test]
    fn one_at_a_time_stops_at_the_first_failure() {
        let seen = Mutex::new(Vec::new());
        let work = |n: &u32| {
            seen.lock().unwrap().push(*n);
            if *n == 2 { Err(*n) } else { Ok(()) }
        };
        assert_eq!(in_pool(1, || try_map(&[1, 2, 3], work)), Err(2));
        assert_eq!(*seen.lock().unwrap(), [1, 2]);
    }

    #[test]
    fn one_that_panics_keeps_no_other_from_its_turn() {
        let done = map(&[1, 0, 2, 3], 2, |number| 6 / number);
        let done: Vec<_> = done.into_iter().map(Result::ok).collect();
        assert_eq!(done, [Some(6), None, Some(3), Some(2)]);
    }

    #[test]
    fn no_more_than_the_limit_run_at_once() {
        let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let done = map(&[(); 16], 3, |()| {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::yield_now();
            running.fetch_sub(1, Ordering::SeqCst);
        });
        assert_eq!(done.len(), 16);
        assert!(most.into_inner() <= 3);
    }
}
