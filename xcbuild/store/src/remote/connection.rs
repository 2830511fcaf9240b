//! The remotes of a store in use: whatever is wrong with one is reported, and is a miss.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use fs_err as fs;

use super::{CANDIDATES_MAX, Remote, RemoteError, UrlError, open};
use crate::key::{Digest, Key};
use crate::store::{Action, BlobRef, BlobWriter, Store};
use xc_report::Reporter;

/// The remotes of a store, in the order in which they are asked.
#[derive(Debug, Default)]
pub struct Remotes {
    connections: Vec<Connection>,
}

/// One remote, for as long as it works.
#[derive(Debug)]
struct Connection {
    remote: Box<dyn Remote>,
    reads: bool,
    writes: bool,
    /// It failed, and is not asked again.
    is_off: AtomicBool,
    /// Blobs that it has with a checksum mismatch: they are sent again though it has them.
    damaged: Mutex<BTreeSet<Digest>>,
}

/// A record of a remote that may be the right one; none of its blobs is taken yet.
#[derive(Debug)]
pub struct Candidate<'s> {
    /// Its key.
    pub key: Key,
    /// What it says.
    pub action: Action,
    connection: &'s Connection,
}

impl Remotes {
    /// The remotes of URLs: results are looked for in those of `from`, and sent to those of `to`.
    ///
    /// # Errors
    /// [`UrlError`].
    pub fn open(from: &[String], to: &[String]) -> Result<Self, UrlError> {
        let urls: Vec<&String> =
            from.iter().chain(to.iter().filter(|u| !from.contains(u))).collect();
        urls.into_iter().try_fold(Self::default(), |all, url| {
            Ok(all.with(open(url)?, from.contains(url), to.contains(url)))
        })
    }

    /// Adds a remote: whether results are looked for in it, and whether they are sent to it.
    #[must_use]
    pub fn with(mut self, remote: Box<dyn Remote>, reads: bool, writes: bool) -> Self {
        let (is_off, damaged) = (AtomicBool::new(false), Mutex::default());
        self.connections.push(Connection { remote, reads, writes, is_off, damaged });
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    fn readable(&self) -> impl Iterator<Item = &Connection> {
        self.connections.iter().filter(|c| c.reads && !c.is_off.load(Ordering::Relaxed))
    }

    fn writable(&self) -> impl Iterator<Item = &Connection> {
        self.connections.iter().filter(|c| c.writes && !c.is_off.load(Ordering::Relaxed))
    }
}

impl Connection {
    /// What the remote answered; trouble is reported, and counts as no answer.
    fn answer<T>(&self, reporter: &Reporter, answer: Result<T, RemoteError>) -> Option<T> {
        match answer {
            Ok(answer) => return Some(answer),
            Err(e @ RemoteError::Damaged(_)) => {
                reporter.warn(format_args!("remote cache `{}`: {e}; ignored", self.remote.name()));
            }
            // Other threads may fail at the same moment: one warning is enough.
            Err(e @ RemoteError::Unavailable(_)) if !self.is_off.swap(true, Ordering::Relaxed) => {
                reporter.warn(format_args!(
                    "remote cache `{}`: {e}; not used for the rest of this run",
                    self.remote.name()
                ));
            }
            Err(RemoteError::Unavailable(_)) => {}
        }
        None
    }

    fn damaged(&self) -> std::sync::MutexGuard<'_, BTreeSet<Digest>> {
        self.damaged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a blob into the store, if its bytes are what its digest says.
    fn take_blob(&self, store: &Store, blob: &BlobRef) -> Result<bool> {
        if store.has(blob)? {
            return Ok(true);
        }
        let mut bounded = Bounded { writer: store.writer()?, left: blob.size, is_longer: false };
        let got = self.remote.get_blob(blob, &mut bounded);
        let got = match got {
            _ if bounded.is_longer => Err("is longer than its record says"),
            Ok(false) => Err("is missing"),
            Ok(true) if bounded.left > 0 => Err("is shorter than its record says"),
            Ok(true) => match bounded.writer.commit_as(&blob.digest)? {
                Some(_) => Ok(Ok(true)),
                None => Err("has a checksum mismatch"),
            },
            Err(e) => Ok(Err(e)),
        };
        let got = got.unwrap_or_else(|what| {
            self.damaged().insert(blob.digest);
            Err(RemoteError::Damaged(format!("the blob {} {what}", blob.digest)))
        });
        Ok(self.answer(store.reporter(), got).unwrap_or(false))
    }

    /// Takes all blobs of a record, then the record.
    fn take(&self, store: &Store, key: &Key, action: &Action) -> Result<bool> {
        for blob in action.blobs.values() {
            if !self.take_blob(store, blob)? {
                return Ok(false);
            }
        }
        store.record(key, action)?;
        Ok(true)
    }

    /// Sends the blobs that the remote lacks, then the record that names them.
    fn send(&self, store: &Store, key: &Key, action: &Action) -> Result<(), RemoteError> {
        for blob in action.blobs.values() {
            let is_damaged = self.damaged().remove(&blob.digest);
            if is_damaged || !self.remote.has_blob(blob)? {
                let mut file = fs::File::open(store.layout().blob(&blob.digest))?;
                self.remote.put_blob(blob, &mut file)?;
            }
        }
        self.remote.put_record(key, action)
    }

    fn add_candidate(&self, key: &Key, candidate: &Key) -> Result<(), RemoteError> {
        let mut known = match self.remote.get_record(key) {
            Ok(action) => action.unwrap_or_default(),
            Err(RemoteError::Damaged(_)) => Action::default(),
            Err(e) => return Err(e),
        };
        known.candidates.retain(|k| k != candidate);
        known.candidates.insert(0, *candidate);
        known.candidates.truncate(CANDIDATES_MAX);
        self.remote.put_record(key, &known)
    }
}

impl Candidate<'_> {
    /// The bytes of one of its blobs, taken into the store; `None` if they are not available.
    ///
    /// # Errors
    /// When the store can't be read or written.
    pub fn read(&self, store: &Store, name: &str) -> Result<Option<Vec<u8>>> {
        let Some(blob) = self.action.blobs.get(name) else { return Ok(None) };
        if !self.connection.take_blob(store, blob)? {
            return Ok(None);
        }
        Ok(Some(fs::read(store.layout().blob(&blob.digest))?))
    }

    /// Takes the record with all its blobs into the store; gives whether they could be had.
    ///
    /// # Errors
    /// When the store can't be read or written.
    pub fn take(&self, store: &Store) -> Result<bool> {
        self.connection.take(store, &self.key, &self.action)
    }
}

impl Store {
    /// Takes the result of a key from the first remote that has all of it.
    ///
    /// # Errors
    /// When the store can't be read or written. Trouble with remotes is reported, and is a miss.
    pub(crate) fn fetch(&self, key: &Key, needs: &[&str]) -> Result<Option<Action>> {
        for connection in self.remotes().readable() {
            let found = connection.answer(self.reporter(), connection.remote.get_record(key));
            let Some(action) = found.flatten().filter(|action| action.has(needs)) else { continue };
            if connection.take(self, key, &action)? {
                return Ok(Some(action));
            }
        }
        Ok(None)
    }

    /// Sends a recorded result to the remotes. Trouble with them is reported.
    pub fn send(&self, key: &Key, action: &Action) {
        for connection in self.remotes().writable() {
            connection.answer(self.reporter(), connection.send(self, key, action));
        }
    }

    /// The candidates that remotes list under a key: newest first, one remote after the other.
    /// Those that the store has itself are left out.
    ///
    /// # Errors
    /// When the store can't be read. Trouble with remotes is reported, and is a miss.
    pub fn candidates(&self, key: &Key) -> Result<Vec<Candidate<'_>>> {
        let mut candidates: Vec<Candidate<'_>> = Vec::new();
        for connection in self.remotes().readable() {
            let get = |key: &Key| {
                connection.answer(self.reporter(), connection.remote.get_record(key)).flatten()
            };
            let listed = get(key).map(|action| action.candidates).unwrap_or_default();
            for key in listed.into_iter().take(CANDIDATES_MAX) {
                if candidates.iter().any(|c| c.key == key) || self.action(&key)?.is_some() {
                    continue;
                }
                candidates.extend(get(&key).map(|action| Candidate { key, action, connection }));
            }
        }
        Ok(candidates)
    }

    /// Lists a result, which was sent before, under a key that does not name it alone.
    pub fn add_candidate(&self, key: &Key, candidate: &Key) {
        for connection in self.remotes().writable() {
            connection.answer(self.reporter(), connection.add_candidate(key, candidate));
        }
    }
}

/// A blob on its way in: no more bytes than its record says.
struct Bounded {
    writer: BlobWriter,
    left: u64,
    is_longer: bool,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() as u64 > self.left {
            self.is_longer = true;
            return Err(io::Error::new(io::ErrorKind::InvalidData, "longer than its record says"));
        }
        let written = self.writer.write(bytes)?;
        self.left -= written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}
