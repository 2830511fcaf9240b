//! The values that stand in a manifest, each with its own rules.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error};

use super::capabilities;
use xc_store::key::Digest;
use xc_store::tree::TreePath;

/// A path in a node, as a manifest has it: absolute (`/etc/x`), so that its meaning is plain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodePath(pub TreePath);

impl<'de> Deserialize<'de> for NodePath {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        if !text.starts_with('/') {
            return Err(D::Error::custom(format!("`{text}` is a path in a node: write `/{text}`")));
        }
        TreePath::new(&text).map(Self).map_err(D::Error::custom)
    }
}

impl fmt::Display for NodePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", self.0)
    }
}

/// A path in the overlay's own directory: relative, and not out of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LocalPath(pub String);

impl<'de> Deserialize<'de> for LocalPath {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        if text.starts_with('/') || text.is_empty() {
            return Err(D::Error::custom(format!(
                "`{text}` is not a path in the overlay's directory: write it relative to ovl.toml"
            )));
        }
        TreePath::new(&text).map_err(D::Error::custom)?;
        Ok(Self(text))
    }
}

/// Permission bits, written as text in octal (`"0755"`), so that they are not read as decimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode(pub u32);

impl<'de> Deserialize<'de> for Mode {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        match u32::from_str_radix(&text, 8) {
            Ok(mode) if mode <= 0o7777 => Ok(Self(mode)),
            _ => Err(D::Error::custom(format!(
                "`{text}` is not a mode: write it in octal, as \"0644\" or \"4755\""
            ))),
        }
    }
}

/// Owner and group by number (`"0:42"`): names would need the node's `/etc/passwd`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// The owner's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
}

impl<'de> Deserialize<'de> for Owner {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let parts =
            text.split_once(':').and_then(|(u, g)| Some((u.parse().ok()?, g.parse().ok()?)));
        let wrong = || format!("`{text}` is not an owner: write two numbers, as \"0:42\"");
        parts.map(|(uid, gid)| Self { uid, gid }).ok_or_else(|| D::Error::custom(wrong()))
    }
}

/// File capabilities, as `setcap` takes them (`"cap_net_raw+ep"`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities(pub Vec<u8>);

impl<'de> Deserialize<'de> for Capabilities {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        capabilities::from_text(&text).map(Self).map_err(D::Error::custom)
    }
}

/// A SHA-256 digest as `sha256sum` prints it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sha256(pub Digest);

impl<'de> Deserialize<'de> for Sha256 {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map(Self).map_err(D::Error::custom)
    }
}

/// A name of an overlay, a package, a module, a program: what can be one word on a command line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identifier(pub String);

impl<'de> Deserialize<'de> for Identifier {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"-_.+:/".contains(&b);
        if text.is_empty() || text.starts_with('-') || !text.bytes().all(fits) {
            return Err(D::Error::custom(format!("`{text}` is not a name")));
        }
        Ok(Self(text))
    }
}
