//! Names of clusters: one rule for all who take one.
//!
//! A name is that of a directory next to other clusters' and their locks (see the picture in the
//! crate's page), and part of the paths of sockets, which are short (`sun_path` of unix(7) has 108
//! bytes). So names are up to 32 letters, digits, `-`, `_` and `.`, and none that is a lock's.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest name of a cluster, in bytes.
const MAX: usize = 32;
/// The cluster of a user who names none.
const DEFAULT: &str = "default";
/// The lock of ports is `ports.lock`.
const PORTS: &str = "ports";
/// The locks of `a` are `a.lock` and `a.turn.lock`, so `a.lock` can't be a cluster's directory, and
/// the lock of a cluster `a.turn` would be that of `a`.
const LOCKS: [&str; 2] = [".lock", ".turn"];

/// The valid name of a cluster, which need not exist.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClusterName(String);

/// Why a text is not the name of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a cluster's name is up to {MAX} letters, digits, `-`, `_` and `.`, the first a letter, a digit or `_`; not `{PORTS}`, and no `.lock` or `.turn` at the end"
)]
pub struct NameError;

impl ClusterName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is that of the cluster which scripts around the shell tool know.
    pub fn is_default(&self) -> bool {
        self.0 == DEFAULT
    }
}

impl Default for ClusterName {
    fn default() -> Self {
        Self(DEFAULT.into())
    }
}

impl FromStr for ClusterName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let valid = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        let starts = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        let is_lock = text == PORTS || LOCKS.iter().any(|suffix| text.ends_with(suffix));
        if !starts || !text.bytes().all(valid) || text.len() > MAX || is_lock {
            return Err(NameError);
        }
        Ok(Self(text.into()))
    }
}

impl TryFrom<String> for ClusterName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<ClusterName> for String {
    fn from(name: ClusterName) -> Self {
        name.0
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::ClusterName;

    #[test]
    fn names_are_directory_names_and_no_locks() {
        let longest = "x".repeat(32);
        for good in ["default", "ci-4711", "a", "0.1_x", "_a", "a-", "turn", "a.turns", &longest] {
            assert_eq!(good.parse::<ClusterName>().unwrap().as_str(), good);
        }
        let too_long = "x".repeat(33);
        for bad in [
            "",
            ".",
            "..",
            ".a",
            "-x",
            "a/b",
            "ä",
            "a b",
            "ports",
            "a.turn",
            "a.lock",
            "a.turn.lock",
            &too_long,
        ] {
            let error = bad.parse::<ClusterName>().unwrap_err().to_string();
            assert!(error.starts_with("a cluster's name is up to 32 letters"), "{bad}: {error}");
        }
    }

    #[test]
    fn names_stay_text_in_files() {
        let name: ClusterName = serde_json::from_str("\"ci\"").unwrap();
        assert_eq!(serde_json::to_string(&name).unwrap(), "\"ci\"");
        assert!(serde_json::from_str::<ClusterName>("\"a/b\"").is_err());
    }
}
