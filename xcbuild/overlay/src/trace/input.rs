//! What a run depended on, as it is kept.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::found::{Found, Stamp, names};
use super::path_roots::PathRoots;
use xc_store::key::{Digest, Key, KeyBuilder};

/// Raised when traces come to mean something else.
const FORMAT: u64 = 4;
/// What our own helpers (`install_prog`, `cplib`, `libs`, `cploader`, `ovld`, `env`) yield from the
/// same files: raised when that changes. They count by it, not by the program's place and bytes.
pub(super) const HELPERS: u64 = 1;

/// What has to be so at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Nothing is there.
    Missing,
    /// A file; its content does not count.
    File { mode: u32, owner: (u32, u32), size: u64 },
    /// A file with that content.
    Content { mode: u32, owner: (u32, u32), digest: Digest },
    /// A directory.
    Directory { mode: u32, owner: (u32, u32) },
    /// A directory with those names.
    Listing { mode: u32, owner: (u32, u32), digest: Digest, count: usize },
    /// A link with that text, roots by name.
    Link(String),
    /// A device, pipe or socket.
    Other { mode: u32 },
}

/// A path and what has to be so there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// The path, its place by name.
    pub path: String,
    /// What has to be so.
    pub state: State,
}

/// All that a run depended on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// The tool that ran it: what it makes of a script's tar.
    pub tool: String,
    /// The version of our helpers, if they were called.
    pub helpers: Option<u64>,
    /// Paths, in order.
    pub inputs: Vec<Input>,
    /// Variables, with roots by name; those that were looked for and not set have none.
    pub variables: BTreeMap<String, Option<String>>,
    /// Whether all variables count, those too that are not set yet.
    pub all_variables: bool,
    /// PathRoots and users whose names show in the result, with their values.
    pub shown: BTreeMap<String, String>,
    /// The machine's names, if they were asked for.
    pub machine: Option<String>,
    /// What the loader's cache says of the libraries.
    pub loader: Option<Digest>,
}

impl Trace {
    /// An empty trace of a run by this tool.
    pub fn of_this_tool() -> Self {
        let tool = format!("xcbuild {}, traces {FORMAT}", env!("CARGO_PKG_VERSION"));
        Self { tool, ..Self::default() }
    }

    /// The key of the result: of all that is in the trace.
    pub fn key(&self) -> Key {
        let mut key = KeyBuilder::new("traced").text("tool", &self.tool);
        let helpers = self.helpers.map(|version| version.to_string());
        key = key.optional("helpers", helpers.as_deref());
        for input in &self.inputs {
            key = input.state.add(key.text("path", &input.path));
        }
        for (name, value) in &self.variables {
            key = key.optional(&format!("variable {name}"), value.as_deref());
        }
        key = key.number("all variables", u64::from(self.all_variables));
        for (name, value) in &self.shown {
            key = key.text(&format!("shown {name}"), value);
        }
        key = key.optional("machine", self.machine.as_deref());
        let loader = self.loader.map(|digest| digest.to_string());
        key.optional("loader", loader.as_deref()).finish()
    }
}

impl State {
    fn add(&self, key: KeyBuilder) -> KeyBuilder {
        let rights = |key: KeyBuilder, mode: u32, owner: (u32, u32)| {
            key.number("mode", mode.into())
                .number("user", owner.0.into())
                .number("group", owner.1.into())
        };
        match self {
            Self::Missing => key.text("is", "missing"),
            Self::File { mode, owner, size } => {
                rights(key.text("is", "file"), *mode, *owner).number("size", *size)
            }
            Self::Content { mode, owner, digest } => {
                rights(key.text("is", "content"), *mode, *owner).digest("content", digest)
            }
            Self::Directory { mode, owner } => rights(key.text("is", "directory"), *mode, *owner),
            Self::Listing { mode, owner, digest, .. } => {
                rights(key.text("is", "listing"), *mode, *owner).digest("names", digest)
            }
            Self::Link(target) => key.text("is", "link").text("target", target),
            Self::Other { mode } => key.text("is", "other").number("mode", (*mode).into()),
        }
    }

    /// The same aspect of a path as it is now, with its stamp if it can be trusted to change with
    /// it. Content is read only if the stamp is not the one that is known.
    pub fn now(
        &self,
        path: &Path,
        known: Option<&Stamp>,
        roots: &PathRoots,
    ) -> (Self, Option<Stamp>) {
        let found = Found::at(path);
        let (mode, owner, stamp) = match &found {
            Found::File(m) | Found::Directory(m) | Found::Other(m) => {
                (m.mode, m.owner, Some(m.stamp))
            }
            Found::Missing | Found::Link(_) => (0, (0, 0), None),
        };
        let same = stamp.is_some() && stamp.as_ref() == known;
        let state = match (&found, self) {
            (Found::File(_), Self::Content { digest, .. }) if same => {
                Self::Content { mode, owner, digest: *digest }
            }
            (Found::File(_), Self::Content { .. }) => match digest_of(path) {
                Some(digest) => Self::Content { mode, owner, digest },
                None => Self::Missing,
            },
            (Found::Directory(_), Self::Listing { digest, count, .. }) if same => {
                Self::Listing { mode, owner, digest: *digest, count: *count }
            }
            (Found::Directory(_), Self::Listing { .. }) => match names(path) {
                Ok(names) => Self::listing(mode, owner, &names),
                Err(_) => Self::Missing,
            },
            _ => Self::of(&found, roots),
        };
        (state, stamp)
    }

    /// What is at a path, without content and names.
    pub fn of(found: &Found, roots: &PathRoots) -> Self {
        match found {
            Found::Missing => Self::Missing,
            Found::File(m) => Self::File { mode: m.mode, owner: m.owner, size: m.stamp.size },
            Found::Directory(m) => Self::Directory { mode: m.mode, owner: m.owner },
            Found::Link(target) if target.is_absolute() => Self::Link(roots.name(target)),
            Found::Link(target) => Self::Link(target.to_string_lossy().into_owned()),
            Found::Other(m) => Self::Other { mode: m.mode },
        }
    }

    /// A directory with these names.
    pub fn listing(mode: u32, owner: (u32, u32), names: &[Vec<u8>]) -> Self {
        let digest = *KeyBuilder::new("names").list("names", names).finish().digest();
        Self::Listing { mode, owner, digest, count: names.len() }
    }
}

/// The digest of a file's content, if it can be read.
pub(super) fn digest_of(path: &Path) -> Option<Digest> {
    let file = std::fs::File::open(path).ok()?;
    Digest::of_reader(file).ok().map(|(digest, _)| digest)
}

#[cfg(test)]
mod tests {
    use super::{HELPERS, Input, State, Trace};
    use xc_store::key::Digest;

    fn traces() -> Vec<Trace> {
        let owner = (0, 0);
        let digest = Digest::of(b"x");
        let input = |state: State| Trace {
            inputs: vec![Input { path: "/a".into(), state }],
            ..Trace::default()
        };
        let variable = |value: Option<&str>| Trace {
            variables: [("A".to_owned(), value.map(ToOwned::to_owned))].into(),
            ..Trace::default()
        };
        vec![
            Trace::default(),
            input(State::Missing),
            input(State::File { mode: 0o644, owner, size: 1 }),
            input(State::File { mode: 0o644, owner, size: 2 }),
            input(State::File { mode: 0o600, owner, size: 1 }),
            input(State::Content { mode: 0o644, owner, digest }),
            input(State::Content { mode: 0o644, owner, digest: Digest::of(b"y") }),
            input(State::Content { mode: 0o644, owner: (1, 0), digest }),
            input(State::Directory { mode: 0o755, owner }),
            input(State::Listing { mode: 0o755, owner, digest, count: 1 }),
            input(State::Link("x".into())),
            input(State::Link("y".into())),
            input(State::Other { mode: 0o644 }),
            variable(None),
            variable(Some("")),
            variable(Some("x")),
            Trace { tool: "x".into(), ..Trace::default() },
            Trace { helpers: Some(1), ..Trace::default() },
            Trace { helpers: Some(2), ..Trace::default() },
            Trace { all_variables: true, ..Trace::default() },
            Trace { shown: [("A".to_owned(), "x".to_owned())].into(), ..Trace::default() },
            Trace { machine: Some("x".into()), ..Trace::default() },
            Trace { loader: Some(digest), ..Trace::default() },
        ]
    }

    #[test]
    fn every_part_of_a_trace_is_in_its_key() {
        let keys: std::collections::BTreeSet<_> = traces().iter().map(Trace::key).collect();
        assert_eq!(keys.len(), traces().len());
    }

    /// Raise them when what they stand for changes: every stored result of a script goes by them.
    #[test]
    fn versions_are_pinned() {
        assert_eq!((Trace::of_this_tool().tool.as_str(), HELPERS), ("xcbuild 0.1.0, traces 4", 1));
    }

    /// A change here makes every stored result of a script unreachable: it must be meant.
    #[test]
    fn key_is_pinned() {
        let mut all = Trace::default();
        for trace in traces() {
            all.inputs.extend(trace.inputs);
            all.variables.extend(trace.variables);
        }
        insta::assert_snapshot!(all.key(), @"8a7d482f8f6dfe1a3b864d7309e2e0234e80a8bf69df83463d8f44e484dbd35c");
    }
}
