//! What is true of this machine only: never sent to a remote, never taken from one.
//!
//! Records and blobs hold for whoever has the same key. What was built last under a name, which
//! traces a script has, which files were unchanged when: these are facts of one machine and its
//! file systems. They are files of their own, in the format of records, replaced by one rename; they
//! are not synced, since one that a crash damages counts as none.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use fs_err as fs;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Directory, Store, decode, encode, touch};
use crate::key::Key;
use xc_sys::files;

/// A kind of local fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// What a layer was made of when it was built last under its overlay's name.
    LastBuild,
    /// The traces of a script, by its overlay's name.
    History,
    /// The stamps of a trace's inputs, by the trace's key.
    Stamps,
}

impl Fact {
    /// All kinds.
    pub(crate) const ALL: [Self; 3] = [Self::LastBuild, Self::History, Self::Stamps];

    pub(crate) fn directory(self) -> Directory {
        match self {
            Self::LastBuild => Directory::LastBuilds,
            Self::History => Directory::Histories,
            Self::Stamps => Directory::Stamps,
        }
    }
}

/// The local facts of a store.
#[derive(Debug, Clone, Copy)]
pub struct Local<'s> {
    store: &'s Store,
}

impl Store {
    /// The facts of this machine.
    pub fn local(&self) -> Local<'_> {
        Local { store: self }
    }
}

impl Local<'_> {
    /// A fact; `None` if it is not known, or damaged.
    pub fn get<T: DeserializeOwned>(&self, fact: Fact, key: &Key) -> Option<T> {
        let path = self.path(fact, key);
        let found = decode(&fs::read(&path).ok()?)?;
        touch(&path);
        Some(found)
    }

    /// Keeps a fact, in place of an earlier one.
    ///
    /// # Errors
    /// When the store can't be written.
    pub fn set<T: Serialize>(&self, fact: Fact, key: &Key, value: &T) -> Result<()> {
        let path = self.path(fact, key);
        let mut file = self.store.temporary()?;
        file.write_all(&encode(value)?)?;
        fs::create_dir_all(files::parent(&path))?;
        file.persist(&path)?;
        Ok(())
    }

    fn path(&self, fact: Fact, key: &Key) -> PathBuf {
        self.store.directory(fact.directory()).join(key.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::store;
    use super::Fact;
    use crate::key::KeyBuilder;

    #[test]
    fn facts_come_back_and_damaged_ones_are_not_known() {
        let (_dir, store) = store();
        let key = KeyBuilder::new("test").finish();
        let local = store.local();
        for fact in Fact::ALL {
            assert_eq!(local.get::<Vec<u32>>(fact, &key), None);
            local.set(fact, &key, &vec![1]).unwrap();
            local.set(fact, &key, &vec![1, 2]).unwrap();
            assert_eq!(local.get(fact, &key), Some(vec![1, 2]));
            let path = local.path(fact, &key);
            let half = std::fs::read(&path).unwrap();
            std::fs::write(&path, &half[..half.len() - 1]).unwrap();
            assert_eq!(local.get::<Vec<u32>>(fact, &key), None);
        }
        // None of it is where results are.
        assert_eq!(store.action(&key).unwrap(), None);
    }
}
