//! Get it or build it: the only place that knows the order of look-up, lock, look-up, build, record.
//!
//! ```text
//! find ──hit──> done
//!   │ miss
//! lock ── find ──hit──> done           another xcbuild built it while this one waited
//!           │ miss
//!         fetch from a remote ──> done
//!           │ miss
//!         build ── record ── send to remotes ──> done
//! ```
//!
//! A key is built by one process, and by one thread of it, at a time. The lock is held while a
//! result is built: what runs inside must not take up other work that wants the same lock, see
//! [`xc_sys::jobs`].

use anyhow::{Context, Result};

use super::{Action, Store};
use crate::key::Key;
use xc_sys::lock::Lock;

/// How a result came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was in the store.
    Cached,
    /// A remote had it.
    Fetched,
    /// It was built and recorded.
    Built,
}

impl Outcome {
    /// Whether nothing had to be built for it.
    pub fn is_cached(self) -> bool {
        self != Self::Built
    }
}

/// Where a result may come from, and go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sources {
    /// The store and its remotes.
    All,
    /// The store alone.
    Here,
}

/// What a look-up gave.
#[derive(Debug)]
pub enum Lookup<T, M = ()> {
    /// The result.
    Hit(T),
    /// There is none, and what is known of that.
    Miss(M),
}

impl Store {
    /// What the recipe of a key gives: from the store, else from a remote, else by `build`, which is
    /// then recorded and sent. A record that lacks one of the blobs named in `needs` is a miss.
    ///
    /// # Errors
    /// Those of `build`; when the store can't be read, or a miss can't be written to it.
    pub fn get_or_build(
        &self,
        key: &Key,
        needs: &[&str],
        build: impl FnOnce() -> Result<Action>,
    ) -> Result<(Action, Outcome)> {
        let built = self.get_or_try_build(key, needs, || build().map(Some))?;
        built.with_context(|| format!("the build of {key} gave no result"))
    }

    /// As [`Store::get_or_build`], for a build that may find that its result does not belong to the
    /// key: it then gives `None`, and nothing is recorded.
    ///
    /// # Errors
    /// As for [`Store::get_or_build`].
    pub fn get_or_try_build(
        &self,
        key: &Key,
        needs: &[&str],
        build: impl FnOnce() -> Result<Option<Action>>,
    ) -> Result<Option<(Action, Outcome)>> {
        self.get_from(Sources::All, key, needs, build)
    }

    /// As [`Store::get_or_build`], for a step on the way to a result that is quicker to repeat than
    /// to fetch: remotes are neither asked nor sent to.
    ///
    /// # Errors
    /// As for [`Store::get_or_build`].
    pub fn get_or_build_here(
        &self,
        key: &Key,
        needs: &[&str],
        build: impl FnOnce() -> Result<Action>,
    ) -> Result<(Action, Outcome)> {
        let built = self.get_from(Sources::Here, key, needs, || build().map(Some))?;
        built.with_context(|| format!("the build of {key} gave no result"))
    }

    fn get_from(
        &self,
        sources: Sources,
        key: &Key,
        needs: &[&str],
        build: impl FnOnce() -> Result<Option<Action>>,
    ) -> Result<Option<(Action, Outcome)>> {
        let find = || {
            let found = self.action(key)?.filter(|action| action.has(needs));
            Ok(found.map_or(Lookup::Miss(()), |action| Lookup::Hit(Some(action))))
        };
        let fetch_or_build = |()| -> Result<(Option<Action>, Outcome)> {
            if sources == Sources::All
                && let Some(action) = self.fetch(key, needs)?
            {
                return Ok((Some(action), Outcome::Fetched));
            }
            let built = build()?;
            if let Some(action) = &built {
                self.record(key, action)?;
                if sources == Sources::All {
                    self.send(key, action);
                }
            }
            Ok((built, Outcome::Built))
        };
        let (action, outcome) = self.find_or_build(key, find, fetch_or_build)?;
        Ok(action.map(|action| (action, outcome)))
    }

    /// Finds a result, or builds it under the lock of a key when a second look-up under that lock
    /// still misses. For results that a key alone does not name; `build` fetches or builds, records
    /// and sends.
    ///
    /// # Errors
    /// Those of `find` and `build`; when a miss can't be written to the store.
    pub fn find_or_build<T, M>(
        &self,
        lock: &Key,
        find: impl Fn() -> Result<Lookup<T, M>>,
        build: impl FnOnce(M) -> Result<(T, Outcome)>,
    ) -> Result<(T, Outcome)> {
        if let Lookup::Hit(found) = find()? {
            return Ok((found, Outcome::Cached));
        }
        let _lock = self.lock_for_build(lock)?;
        match find()? {
            Lookup::Hit(found) => Ok((found, Outcome::Cached)),
            Lookup::Miss(why) => build(why),
        }
    }

    /// Waits for the right to build a key. A store without locks is used without, after a warning:
    /// two builds then publish the same.
    fn lock_for_build(&self, key: &Key) -> Result<Option<Lock>> {
        self.check_writable()?;
        let path = self.layout.key_lock(key);
        self.locking.exclusive(&path).with_context(|| format!("can't lock `{}`", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use anyhow::bail;

    use super::super::tests::store;
    use super::{Action, Lookup, Outcome};
    use crate::key::{Key, KeyBuilder};

    fn key() -> Key {
        KeyBuilder::new("test").finish()
    }

    #[test]
    fn built_once_then_cached() {
        let (_dir, store) = store();
        let builds = Cell::new(0);
        let build = || {
            builds.set(builds.get() + 1);
            Ok(Action::of_blob("x", store.put(b"x")?))
        };
        let (first, outcome) = store.get_or_build(&key(), &["x"], build).unwrap();
        assert_eq!((outcome, builds.get()), (Outcome::Built, 1));
        let second = store.get_or_build(&key(), &["x"], build).unwrap();
        assert_eq!(second, (first, Outcome::Cached));
        // A record without what is needed is of an older xcbuild, or damaged in a way of its own.
        store.get_or_build(&key(), &["y"], build).unwrap();
        assert_eq!(builds.get(), 2);
    }

    #[test]
    fn failed_and_withdrawn_builds_record_nothing() {
        let (_dir, store) = store();
        let e = store.get_or_build(&key(), &[], || bail!("no compiler")).unwrap_err();
        assert_eq!(e.to_string(), "no compiler");
        assert_eq!(store.get_or_try_build(&key(), &[], || Ok(None)).unwrap(), None);
        assert_eq!(store.action(&key()).unwrap(), None);
    }

    #[test]
    fn many_at_once_build_it_once() {
        let (_dir, store) = store();
        let builds = AtomicUsize::new(0);
        let get = || {
            let build = || {
                builds.fetch_add(1, Ordering::Relaxed);
                // The others have the time to come to the lock.
                std::thread::sleep(std::time::Duration::from_millis(100));
                Ok(Action::of_blob("x", store.put(b"x")?))
            };
            store.get_or_build(&key(), &["x"], build).unwrap().1
        };
        let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(get)).collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert_eq!(builds.load(Ordering::Relaxed), 1);
        assert_eq!(outcomes.iter().filter(|o| !o.is_cached()).count(), 1);
    }

    #[test]
    fn what_the_last_look_up_knows_goes_to_the_build() {
        let (_dir, store) = store();
        let looks = Cell::new(0);
        let find = || -> anyhow::Result<Lookup<String, u32>> {
            looks.set(looks.get() + 1);
            Ok(Lookup::Miss(looks.get()))
        };
        let (built, outcome) = store
            .find_or_build(&key(), find, |look| {
                Ok((format!("after look-up {look}"), Outcome::Built))
            })
            .unwrap();
        assert_eq!((built.as_str(), outcome), ("after look-up 2", Outcome::Built));
    }
}
