//! Traces in the store.
//!
//! | where | key of | gives |
//! |---|---|---|
//! | records | a trace (`traced`) | the blobs `layer` and `trace` |
//! | local | an overlay's name (`history`) | its traces by their keys, the newest first |
//! | local | a trace | the stamps of its inputs: what spares reading the contents again |
//! | remotes | an overlay's name and its script (`script`) | keys of traces, as candidates |
//!
//! An overlay has several traces, so that who builds with two settings in turn, or in two checkouts,
//! builds each once. Remotes take two look-ups: the traces of a script, and of each what it read;
//! the layer is fetched of the one that holds on this machine.

use std::path::Path;

use anyhow::Result;
use fs_err as fs;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::found::Stamp;
use super::input::{Trace, digest_of};
use super::run_context::RunContext;
use super::verify::{Compared, compare};
use crate::find::SCRIPT_NAME;
use crate::reason::Reason;
use xc_store::key::{Key, KeyBuilder};
use xc_store::store::{Action, BlobRef, Fact, Lookup, Store};

/// How many traces of an overlay are kept.
const TRACES_MAX: usize = 8;
const LAYER: &str = "layer";
const TRACE: &str = "trace";

/// What this machine knows of an overlay's earlier runs.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    /// The keys of its traces.
    traces: Vec<Key>,
    /// Why the last run's result can't be used again, if so.
    always: Option<String>,
}

/// The earlier runs of one overlay's script.
pub struct History<'a> {
    name: &'a str,
    directory: &'a Path,
    store: &'a Store,
}

impl<'a> History<'a> {
    /// The history of the overlay of that name, whose script is in that directory.
    pub fn of(name: &'a str, directory: &'a Path, store: &'a Store) -> Self {
        Self { name, directory, store }
    }

    /// The key under which it is, which is also that of the right to add to it.
    pub fn key(&self) -> Key {
        KeyBuilder::new("history").text("name", self.name).finish()
    }

    /// Looks for a run whose every input is as it was: its layer, or why the script has to be run.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn find(&self, context: &RunContext) -> Result<Lookup<BlobRef, Reason>> {
        let kept = self.kept();
        let mut nearest: Option<Compared> = None;
        for key in &kept.traces {
            let Some(action) = self.store.action(key)? else { continue };
            let (Some(layer), Some(trace)) =
                (action.blobs.get(LAYER), self.read::<Trace>(&action, TRACE)?)
            else {
                continue;
            };
            let stamps = self.stamps(key);
            let compared = compare(&trace, &stamps, context);
            if compared.changes.is_empty() {
                if compared.stamps != stamps {
                    // A store that can't be written only makes the next look longer.
                    let _ = self.keep_stamps(key, &compared.stamps);
                }
                return Ok(Lookup::Hit(*layer));
            }
            let is_nearer = |n: &Compared| compared.changes.len() < n.changes.len();
            if nearest.as_ref().is_none_or(is_nearer) {
                nearest = Some(compared);
            }
        }
        Ok(Lookup::Miss(match (nearest, kept.always) {
            (_, Some(why)) => Reason::Always(why),
            (Some(compared), None) => Reason::Changed(compared.changes),
            (None, None) if kept.traces.is_empty() => Reason::New,
            (None, None) => Reason::Lost,
        }))
    }

    /// The key under which remotes list the script's traces. Other scripts of the same name, on
    /// other branches or of other users, have lists of their own.
    fn shared_key(&self) -> Option<Key> {
        let script = digest_of(&self.directory.join(SCRIPT_NAME))?;
        Some(KeyBuilder::new("script").text("name", self.name).digest("script", &script).finish())
    }

    /// Looks in remotes for a run whose every input is as it is here, and takes its layer.
    ///
    /// # Errors
    /// When the store can't be read or written.
    pub fn fetch(&self, context: &RunContext) -> Result<Option<BlobRef>> {
        if !self.store.has_remotes() {
            return Ok(None);
        }
        let Some(key) = self.shared_key() else { return Ok(None) };
        for candidate in self.store.candidates(&key)? {
            let Some(bytes) = candidate.read(self.store, TRACE)? else { continue };
            // A record under the key of another trace is not believed.
            let trace = serde_json::from_slice::<Trace>(&bytes).ok();
            let Some(trace) = trace.filter(|t| t.key() == candidate.key) else { continue };
            let compared = compare(&trace, &[], context);
            let layer = candidate.action.blobs.get(LAYER).copied();
            if compared.changes.is_empty() && layer.is_some() && candidate.take(self.store)? {
                self.remember(candidate.key, &compared.stamps)?;
                return Ok(layer);
            }
        }
        Ok(None)
    }

    /// Keeps a run.
    ///
    /// # Errors
    /// When the store can't be written.
    pub fn keep(&self, trace: &Trace, stamps: &[Option<Stamp>], layer: BlobRef) -> Result<()> {
        let key = trace.key();
        let trace = self.store.put(&serde_json::to_vec(trace)?)?;
        let mut action = Action::of_blob(LAYER, layer).with_fact("overlay", self.name);
        action.blobs.insert(TRACE.to_owned(), trace);
        self.store.record(&key, &action)?;
        if self.store.has_remotes() {
            self.store.send(&key, &action);
            if let Some(script) = self.shared_key() {
                self.store.add_candidate(&script, &key);
            }
        }
        self.remember(key, stamps)
    }

    /// Puts a trace that holds on this machine first.
    fn remember(&self, key: Key, stamps: &[Option<Stamp>]) -> Result<()> {
        self.keep_stamps(&key, stamps)?;
        let mut kept = self.kept();
        kept.traces.retain(|k| *k != key);
        kept.traces.insert(0, key);
        kept.traces.truncate(TRACES_MAX);
        self.write(&Kept { always: None, ..kept })
    }

    /// Keeps why a run can't be used again.
    ///
    /// # Errors
    /// When the store can't be written.
    pub fn keep_reason(&self, why: &str) -> Result<()> {
        let kept = self.kept();
        if kept.always.as_deref() == Some(why) {
            return Ok(());
        }
        self.write(&Kept { always: Some(why.to_owned()), ..kept })
    }

    fn write(&self, kept: &Kept) -> Result<()> {
        self.store.local().set(Fact::History, &self.key(), kept)
    }

    fn kept(&self) -> Kept {
        self.store.local().get(Fact::History, &self.key()).unwrap_or_default()
    }

    fn stamps(&self, trace: &Key) -> Vec<Option<Stamp>> {
        self.store.local().get(Fact::Stamps, trace).unwrap_or_default()
    }

    fn keep_stamps(&self, trace: &Key, stamps: &[Option<Stamp>]) -> Result<()> {
        self.store.local().set(Fact::Stamps, trace, &stamps)
    }

    /// A blob of an action. What can't be read any more does not make a build fail: the script is run.
    fn read<T: DeserializeOwned>(&self, action: &Action, name: &str) -> Result<Option<T>> {
        let Some(blob) = action.blobs.get(name) else { return Ok(None) };
        let Some(path) = self.store.blob(&blob.digest)? else { return Ok(None) };
        Ok(serde_json::from_slice(&fs::read(path)?).ok())
    }
}
