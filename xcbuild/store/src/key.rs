//! Keys and digests: what decides that a result may be used again.
//!
//! A *digest* is the SHA-256 of bytes. A *key* is the SHA-256 of a recipe in an encoding of our own,
//! so that no two recipes share an encoding, and no change of a library changes it:
//!
//! | part | bytes |
//! |---|---|
//! | header | `xcbuild-key` NUL, format version (u32), kind of the recipe as a text |
//! | field | tag `F`, name as a text, then one value |
//! | text, bytes | tag `B`, length (u64), the bytes |
//! | number | tag `N`, value (u64) |
//! | digest | tag `D`, 32 bytes |
//! | list | tag `L`, how many values (u64), the values |
//! | absent | tag `-` |
//!
//! Numbers are little-endian. Fields are written in the order of the code that builds the recipe;
//! sets are sorted by it. No time, absolute path, user, umask or locale goes in.

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Goes into every key: raise it when the encoding, or what a recipe yields, changes.
const FORMAT: u32 = 1;

/// The SHA-256 of a blob's bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

/// A text that is not 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a SHA-256 digest (64 hexadecimal digits)")]
pub struct DigestError(String);

impl Digest {
    /// The digest of bytes in memory.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest of all that a reader gives, and its length in bytes.
    ///
    /// # Errors
    /// Those of the reader.
    pub fn of_reader(mut from: impl Read) -> io::Result<(Self, u64)> {
        let mut hasher = Hasher::default();
        let length = io::copy(&mut from, &mut hasher)?;
        Ok((hasher.finish(), length))
    }

    /// A digest that was kept as its 32 bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Written by the thousand into recipes: without a formatter for each byte.
        let digit = |n: u8| char::from(b"0123456789abcdef"[usize::from(n)]);
        let hex: String = self.0.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect();
        f.pad(&hex)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let digit = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != 64 || !text.bytes().all(digit) {
            return Err(DigestError(text.into()));
        }
        let mut bytes = [0; 32];
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16)
                .map_err(|_| DigestError(text.into()))?;
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Digest {
    type Error = DigestError;

    fn try_from(text: String) -> Result<Self, DigestError> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// A digest in the making: write the bytes to it.
#[derive(Debug, Clone, Default)]
pub struct Hasher(Sha256);

impl Hasher {
    /// The digest of all that was written.
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

impl io::Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The name of a result: a digest of all that decides it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(Digest);

impl Key {
    /// The digest behind the key.
    pub fn digest(&self) -> &Digest {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A key in the making; see the module's table.
#[derive(Debug)]
pub struct KeyBuilder {
    hasher: Sha256,
}

impl KeyBuilder {
    /// A key for a kind of recipe (`layer`, `cdrom`, `base` …).
    pub fn new(kind: &str) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(b"xcbuild-key\0");
        hasher.update(FORMAT.to_le_bytes());
        let mut key = Self { hasher };
        key.bytes_value(kind.as_bytes());
        key
    }

    /// Adds a text.
    #[must_use]
    pub fn text(self, name: &str, value: &str) -> Self {
        self.bytes(name, value.as_bytes())
    }

    /// Adds bytes.
    #[must_use]
    pub fn bytes(mut self, name: &str, value: &[u8]) -> Self {
        self.name(name);
        self.bytes_value(value);
        self
    }

    /// Adds a text that may be absent; an empty text is not an absent one.
    #[must_use]
    pub fn optional(mut self, name: &str, value: Option<&str>) -> Self {
        self.name(name);
        match value {
            Some(value) => self.bytes_value(value.as_bytes()),
            None => self.hasher.update(b"-"),
        }
        self
    }

    /// Adds a number.
    #[must_use]
    pub fn number(mut self, name: &str, value: u64) -> Self {
        self.name(name);
        self.hasher.update(b"N");
        self.hasher.update(value.to_le_bytes());
        self
    }

    /// Adds a digest.
    #[must_use]
    pub fn digest(mut self, name: &str, value: &Digest) -> Self {
        self.name(name);
        self.hasher.update(b"D");
        self.hasher.update(value.bytes());
        self
    }

    /// Adds texts in their order.
    #[must_use]
    pub fn list<S: AsRef<[u8]>>(mut self, name: &str, values: &[S]) -> Self {
        self.name(name);
        self.hasher.update(b"L");
        self.length(values.len());
        values.iter().for_each(|v| self.bytes_value(v.as_ref()));
        self
    }

    /// The key of all that was added.
    pub fn finish(self) -> Key {
        Key(Digest(self.hasher.finalize().into()))
    }

    fn name(&mut self, name: &str) {
        self.hasher.update(b"F");
        self.bytes_value(name.as_bytes());
    }

    fn bytes_value(&mut self, bytes: &[u8]) {
        self.hasher.update(b"B");
        self.length(bytes.len());
        self.hasher.update(bytes);
    }

    fn length(&mut self, length: usize) {
        self.hasher.update((length as u64).to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::{Digest, KeyBuilder};

    #[test]
    fn digest_of_nothing_is_the_known_one() {
        let known = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::of(b"").to_string(), known);
        assert_eq!(known.parse::<Digest>().unwrap(), Digest::of(b""));
        for bad in ["", "E3", &known[1..], &known.to_uppercase(), &known.replace('e', "g")] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }

    /// A change here makes every stored result unreachable: it must be meant.
    #[test]
    fn encoding_is_pinned() {
        let key = KeyBuilder::new("test")
            .text("name", "a")
            .optional("none", None)
            .number("size", 7)
            .digest("blob", &Digest::of(b""))
            .list("list", &["x", "y"])
            .finish();
        assert_eq!(
            key.to_string(),
            "4422e177de10c201980efb6733f13a6ac730dd14dd85b18d09828e53c66c5426"
        );
    }

    #[test]
    fn near_recipes_have_other_keys() {
        let keys = [
            KeyBuilder::new("a").text("n", "bc").finish(),
            KeyBuilder::new("a").text("nb", "c").finish(),
            KeyBuilder::new("an").text("", "bc").finish(),
            KeyBuilder::new("a").list("n", &["bc"]).finish(),
            KeyBuilder::new("a").list("n", &["b", "c"]).finish(),
            KeyBuilder::new("a").list::<&str>("n", &[]).finish(),
            KeyBuilder::new("a").optional("n", None).finish(),
            KeyBuilder::new("a").optional("n", Some("")).finish(),
            KeyBuilder::new("a").number("n", 0).finish(),
            KeyBuilder::new("a").text("n", "b").text("m", "c").finish(),
            KeyBuilder::new("a").text("m", "c").text("n", "b").finish(),
        ];
        let unique: std::collections::BTreeSet<_> = keys.iter().collect();
        assert_eq!(unique.len(), keys.len());
    }
}
