//! Records: what the recipe of a key gave.
//!
//! On disk, and wherever else records are kept as files, a record is the digest of its body, a line
//! end, and the body in JSON: one that was cut or changed is recognised.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::key::{Digest, Key};

/// A blob that an action gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobRef {
    /// SHA-256 of its bytes.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
}

/// What a recipe gave.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// The blobs, by a name that the kind of recipe defines (`layer`, `iso` …).
    pub blobs: BTreeMap<String, BlobRef>,
    /// What a person may want to know of the recipe later: `--explain` compares it.
    pub facts: BTreeMap<String, String>,
    /// Keys of results one of which may be the right one, newest first: where the key alone does
    /// not say which ([`crate::remote`]).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<Key>,
}

impl Action {
    /// An action that gave one blob.
    pub fn of_blob(name: &str, blob: BlobRef) -> Self {
        Self { blobs: [(name.to_owned(), blob)].into(), ..Self::default() }
    }

    /// Adds a fact.
    #[must_use]
    pub fn with_fact(mut self, name: &str, value: impl Into<String>) -> Self {
        self.facts.insert(name.to_owned(), value.into());
        self
    }

    /// The blob of that name.
    ///
    /// # Errors
    /// When the action gave no such blob.
    pub fn blob(&self, name: &str) -> Result<BlobRef> {
        self.blobs.get(name).copied().with_context(|| format!("the record has no blob `{name}`"))
    }

    /// Whether it gave all of those blobs.
    pub(crate) fn has(&self, names: &[&str]) -> bool {
        names.iter().all(|name| self.blobs.contains_key(*name))
    }
}

/// A value as the bytes of a record.
///
/// # Errors
/// When the value can't be written as JSON.
pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    let body = serde_json::to_vec(value)?;
    let mut bytes = format!("{}\n", Digest::of(&body)).into_bytes();
    bytes.extend(body);
    Ok(bytes)
}

/// The value of a record; `None` if it is damaged.
pub(crate) fn decode<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Option<T> {
    let (digest, body) = bytes.split_at_checked(64)?;
    let body = body.strip_prefix(b"\n")?;
    let digest: Digest = std::str::from_utf8(digest).ok()?.parse().ok()?;
    (Digest::of(body) == digest).then(|| serde_json::from_slice(body).ok())?
}

#[cfg(test)]
mod tests {
    use super::{Action, BlobRef, decode, encode};
    use crate::key::Digest;

    fn action() -> Action {
        let blob = BlobRef { digest: Digest::of(b"x"), size: 1 };
        Action::of_blob("layer", blob).with_fact("overlay", "o")
    }

    #[test]
    fn records_come_back_and_damaged_ones_do_not() {
        let bytes = encode(&action()).unwrap();
        assert_eq!(decode::<Action>(&bytes), Some(action()));
        for cut in 0..bytes.len() {
            assert_eq!(decode::<Action>(&bytes[..cut]), None, "cut at {cut}");
            let mut changed = bytes.clone();
            changed[cut] ^= 1;
            assert_eq!(decode::<Action>(&changed), None, "changed at {cut}");
        }
    }

    /// A change here makes every stored record unreadable: it must be meant.
    #[test]
    fn format_is_pinned() {
        let body = r#"{"blobs":{"layer":{"digest":"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881","size":1}},"facts":{"overlay":"o"}}"#;
        let digest = "0100c5e93e9cc8efabd850a3e1baff1026d7c9736ddf04f7dd5f98bdbb632c8b";
        assert_eq!(encode(&action()).unwrap(), format!("{digest}\n{body}").into_bytes());
    }

    #[test]
    fn missing_blobs_are_named() {
        assert!(action().has(&["layer"]) && !action().has(&["layer", "iso"]));
        let e = action().blob("iso").unwrap_err().to_string();
        assert_eq!(e, "the record has no blob `iso`");
    }
}
