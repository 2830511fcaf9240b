//! Paths in a tree: bytes that can't lead out of it.

use std::cmp::Ordering;
use std::fmt;

/// The longest part of a path that Linux file systems take, in bytes.
const NAME_MAX: usize = 255;
/// The longest path that Linux system calls take, in bytes.
const PATH_MAX: usize = 4095;

/// Why bytes are not a path in a tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It has a `..`, and could lead out of the tree.
    #[error("`{0}` leads out of its tree by `..`")]
    Parent(String),
    /// It has a NUL byte.
    #[error("`{0}` has a NUL byte")]
    Nul(String),
    /// It, or a part of it, is longer than Linux takes.
    #[error("`{0}` is too long (a name has at most 255 bytes, a path 4095)")]
    Long(String),
}

/// A path in a tree: relative, without `.`, `..`, empty parts and NUL. The root is the empty path.
///
/// Paths are ordered part by part, so that all below a directory follow it directly.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct TreePath(Vec<u8>);

impl TreePath {
    /// Takes a path as it stands in tars, manifests and on command lines: slashes at the start and
    /// the end, doubled ones, and `.` parts are dropped.
    ///
    /// # Errors
    /// [`PathError`] for what can't be inside a tree.
    pub fn new(path: impl AsRef<[u8]>) -> Result<Self, PathError> {
        let path = path.as_ref();
        let shown = || String::from_utf8_lossy(path).into_owned();
        let mut clean = Vec::with_capacity(path.len());
        for part in path.split(|b| *b == b'/').filter(|p| !p.is_empty() && *p != b".") {
            if part == b".." {
                return Err(PathError::Parent(shown()));
            }
            if part.len() > NAME_MAX {
                return Err(PathError::Long(shown()));
            }
            if !clean.is_empty() {
                clean.push(b'/');
            }
            clean.extend(part);
        }
        if clean.contains(&0) {
            return Err(PathError::Nul(shown()));
        }
        if clean.len() > PATH_MAX {
            return Err(PathError::Long(shown()));
        }
        Ok(Self(clean))
    }

    /// The root of a tree.
    pub fn root() -> Self {
        Self::default()
    }

    /// Whether it is the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Its parts.
    pub fn parts(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0.split(|b| *b == b'/').filter(|p| !p.is_empty())
    }

    /// The directory that it is in; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        let end = self.0.iter().rposition(|b| *b == b'/').unwrap_or(0);
        Some(Self(self.0[..end].to_vec()))
    }

    /// Its last part; empty for the root.
    pub fn name(&self) -> &[u8] {
        self.parts().next_back().unwrap_or_default()
    }

    /// Whether it is below that directory, at any depth.
    pub fn is_below(&self, directory: &Self) -> bool {
        if directory.is_root() {
            return !self.is_root();
        }
        self.0.strip_prefix(directory.0.as_slice()).is_some_and(|rest| rest.starts_with(b"/"))
    }

    /// The path below this one.
    ///
    /// # Errors
    /// [`PathError::Long`] when both together are too long for Linux.
    pub fn join(&self, below: &Self) -> Result<Self, PathError> {
        match (self.is_root(), below.is_root()) {
            (true, _) => Ok(below.clone()),
            (_, true) => Ok(self.clone()),
            _ => Self::new([self.as_bytes(), below.as_bytes()].join(&b'/')),
        }
    }

    /// This path with one directory that it is below (or is) put in place of another.
    pub fn rebased(&self, from: &Self, to: &Self) -> Option<Result<Self, PathError>> {
        if self == from {
            return Some(Ok(to.clone()));
        }
        if !self.is_below(from) {
            return None;
        }
        let rest = &self.0[from.0.len()..];
        Some(Self::new(rest).and_then(|rest| to.join(&rest)))
    }
}

/// Part by part, without looking for the parts: a slash, which ends one, comes before all bytes of
/// names, since there is no NUL.
impl Ord for TreePath {
    fn cmp(&self, other: &Self) -> Ordering {
        let rank = |byte: u8| if byte == b'/' { 0 } else { byte };
        match self.0.iter().zip(&other.0).find(|(a, b)| a != b) {
            Some((a, b)) => rank(*a).cmp(&rank(*b)),
            None => self.0.len().cmp(&other.0.len()),
        }
    }
}

impl PartialOrd for TreePath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::{PathError, TreePath};

    #[test]
    fn paths_are_cleaned_or_refused() {
        for (text, clean) in [("/a//b/./c/", "a/b/c"), ("./", ""), ("a..b", "a..b"), ("...", "...")]
        {
            assert_eq!(TreePath::new(text).unwrap().to_string(), clean);
        }
        for bad in ["..", "a/../b", "/..", "a/.."] {
            assert!(matches!(TreePath::new(bad), Err(PathError::Parent(_))), "{bad}");
        }
        assert!(matches!(TreePath::new("a\0"), Err(PathError::Nul(_))));
        assert!(matches!(TreePath::new("x".repeat(256)), Err(PathError::Long(_))));
        assert!(matches!(TreePath::new("x/".repeat(2100)), Err(PathError::Long(_))));
    }

    #[test]
    fn relations() {
        let p = |t: &str| TreePath::new(t).unwrap();
        assert_eq!(p("a/b").parent(), Some(p("a")));
        assert_eq!(p("a").parent(), Some(p("")));
        assert_eq!(p("").parent(), None);
        assert!(
            p("a/b").is_below(&p("a")) && !p("ab").is_below(&p("a")) && !p("a").is_below(&p("a"))
        );
        assert_eq!(p("bin/ls").rebased(&p("bin"), &p("usr/bin")), Some(Ok(p("usr/bin/ls"))));
        assert_eq!(p("binary").rebased(&p("bin"), &p("usr/bin")), None);
        assert_eq!(p("a/b").name(), b"b");
    }

    #[test]
    fn all_below_a_directory_follows_it_directly() {
        let ordered =
            ["", "a", "a/b", "a/b/c", "a/c", "a\x01", "a-", "a-/x", "a.b", "aa", "b", "\u{ff}"];
        for (i, one) in ordered.iter().enumerate() {
            for (j, other) in ordered.iter().enumerate() {
                let (one, other) = (TreePath::new(one).unwrap(), TreePath::new(other).unwrap());
                assert_eq!(one.cmp(&other), i.cmp(&j), "{one} and {other}");
                assert_eq!(one.cmp(&other), one.parts().cmp(other.parts()));
            }
        }
    }
}
