//! Many pieces of work at once, each of which may wait for others.
//!
//! Rayon's threads take up other work while they wait, on the same stack: one that holds the lock of
//! a key could come to wait for that very lock, for ever. What takes such locks runs here, on
//! threads that do one thing at a time; what it computes inside may use rayon.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// How many things are done at once: rayon's number, which `-j` sets.
pub fn at_once() -> usize {
    rayon::current_num_threads()
}

/// Does the work for every item, [`at_once`] many at a time, and gives the results in the items'
/// order. After a failure nothing new is begun.
///
/// # Errors
/// The error of the first item, in their order, that failed.
pub fn map<T: Sync, R: Send, E: Send>(
    items: &[T],
    work: impl Fn(&T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let threads = at_once().min(items.len());
    if threads <= 1 {
        return items.iter().map(work).collect();
    }
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let done = Mutex::new(Vec::with_capacity(items.len()));
    let run = || {
        while !failed.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(number) else { break };
            let result = work(item);
            failed.fetch_or(result.is_err(), Ordering::Relaxed);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((number, result));
        }
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(run)).collect();
        run();
        for thread in others {
            thread.join().unwrap_or_else(|panic| resume_unwind(panic));
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::{Barrier, Mutex};

    use super::map;

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
        assert_eq!(in_pool(4, || map(&[1, 2, 3, 4], work)), Ok(vec![2, 4, 6, 8]));
        assert_eq!(in_pool(4, || map::<u32, u32, ()>(&[], |n| Ok(*n))), Ok(vec![]));
    }

    #[test]
    fn one_at_a_time_stops_at_the_first_failure() {
        let seen = Mutex::new(Vec::new());
        let work = |n: &u32| {
            seen.lock().unwrap().push(*n);
            if *n == 2 { Err(*n) } else { Ok(()) }
        };
        assert_eq!(in_pool(1, || map(&[1, 2, 3], work)), Err(2));
        assert_eq!(*seen.lock().unwrap(), [1, 2]);
    }
}
