//! Paths by the place that they are in: so that a checkout elsewhere, or another user's home, has
//! the same records.
//!
//! A place is a directory with a name (`OVERLAY`, `HOME`, `ARCHIVE` …). What is in it is written
//! `$NAME/rest`; where roots lie in each other, the innermost counts. How one comes to a place (the
//! directories above it, links among them) is of no account.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// A directory with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
struct PathRoot {
    name: String,
    /// As the script sees it.
    given: PathBuf,
    /// Without links.
    real: PathBuf,
}

/// The roots of one run, the innermost first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathRoots(Vec<PathRoot>);

impl PathRoots {
    /// PathRoots by name; of those that are one directory, the first counts.
    pub fn new(list: impl IntoIterator<Item = (String, PathBuf)>) -> Self {
        let place = |(name, given): (String, PathBuf)| {
            let real = given.canonicalize().unwrap_or_else(|_| given.clone());
            PathRoot { name, given, real }
        };
        let fits = |p: &PathRoot| p.given.is_absolute() && p.given.parent().is_some();
        let mut roots: Vec<PathRoot> = list.into_iter().map(place).filter(fits).collect();
        roots.sort_by_key(|p| std::cmp::Reverse(p.real.components().count()));
        Self(roots)
    }

    /// The name of a path without links.
    pub fn name(&self, path: &Path) -> String {
        let below =
            |p: &PathRoot| path.strip_prefix(&p.real).ok().map(|rest| (p.name.clone(), rest));
        match self.0.iter().find_map(below) {
            Some((name, rest)) if rest == Path::new("") => format!("${name}"),
            Some((name, rest)) => format!("${name}/{}", escaped(rest)),
            None => escaped(path),
        }
    }

    /// The path of a name. A place that is not here any more has none.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        let Some(name) = name.strip_prefix('$') else { return Some(unescaped(name)) };
        let (place, rest) = name.split_once('/').unwrap_or((name, ""));
        let place = self.0.iter().find(|p| p.name == place)?;
        Some(if rest.is_empty() { place.real.clone() } else { place.real.join(unescaped(rest)) })
    }

    /// Where a walk along a path starts: at the place that it leads through, and what is left to go.
    pub fn start<'a>(&self, path: &'a Path) -> (PathBuf, &'a Path) {
        let through = |p: &PathRoot| {
            let rest = path.strip_prefix(&p.given).or_else(|_| path.strip_prefix(&p.real)).ok()?;
            Some((p.real.clone(), rest))
        };
        let nearest =
            self.0.iter().filter_map(through).min_by_key(|(_, rest)| rest.components().count());
        nearest.unwrap_or_else(|| (PathBuf::from("/"), path.strip_prefix("/").unwrap_or(path)))
    }

    /// The directories themselves.
    pub fn roots(&self) -> Vec<PathBuf> {
        self.0.iter().map(|p| p.real.clone()).collect()
    }

    /// Whether a path is only on the way to a place, or the place itself.
    pub fn is_on_the_way(&self, path: &Path) -> bool {
        self.0.iter().any(|p| p.real.starts_with(path) || p.given.starts_with(path))
    }

    /// A variable's value with roots by name: a path, or several with colons between them.
    pub fn value(&self, text: &str) -> String {
        let part = |part: &str| {
            let path = Path::new(part);
            let named = |p: &PathRoot| {
                let rest =
                    path.strip_prefix(&p.given).or_else(|_| path.strip_prefix(&p.real)).ok()?;
                let rest = rest.to_string_lossy();
                let slash = if rest.is_empty() { "" } else { "/" };
                Some(format!("${}{slash}{rest}", p.name))
            };
            self.0.iter().find_map(named).unwrap_or_else(|| part.to_owned())
        };
        text.split(':').map(part).collect::<Vec<_>>().join(":")
    }

    /// All names, each with the texts that would show it in a result.
    pub fn shown(&self) -> impl Iterator<Item = (&str, Vec<&[u8]>)> {
        self.0.iter().map(|p| {
            let mut texts = vec![p.given.as_os_str().as_bytes()];
            if p.real != p.given {
                texts.push(p.real.as_os_str().as_bytes());
            }
            (p.name.as_str(), texts)
        })
    }

    /// Where a place is, as the script sees it.
    pub fn given(&self, name: &str) -> Option<String> {
        let place = self.0.iter().find(|p| p.name == name)?;
        Some(place.given.display().to_string())
    }
}

/// A path as a text, nothing of it lost: bytes that are no UTF-8 become `\xNN`.
fn escaped(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        text.push_str(&chunk.valid().replace('\\', r"\\"));
        for byte in chunk.invalid() {
            text.push_str(&format!(r"\x{byte:02x}"));
        }
    }
    text
}

fn unescaped(text: &str) -> PathBuf {
    if !text.contains('\\') {
        return text.into();
    }
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((plain, after)) = rest.split_once('\\') {
        bytes.extend(plain.as_bytes());
        let number = after.get(1..3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (after.starts_with('x'), number) {
            (true, Some(byte)) => {
                bytes.push(byte);
                rest = &after[3..];
            }
            _ => {
                bytes.push(b'\\');
                rest = after.strip_prefix('\\').unwrap_or(after);
            }
        }
    }
    bytes.extend(rest.as_bytes());
    OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;

    use super::PathRoots;

    fn roots() -> PathRoots {
        PathRoots::new([
            ("HOME".into(), "/nowhere/h".into()),
            ("OVERLAY".into(), "/nowhere/h/ovl/o".into()),
            ("WORK".into(), "/nowhere/w".into()),
        ])
    }

    #[test]
    fn names_go_by_the_innermost_place_and_come_back() {
        let odd = Path::new(OsStr::from_bytes(b"/nowhere/w/a\\x\xff"));
        for (path, name) in [
            (Path::new("/nowhere/h/x"), "$HOME/x"),
            (Path::new("/nowhere/h"), "$HOME"),
            (Path::new("/nowhere/h/ovl/o/default/etc"), "$OVERLAY/default/etc"),
            (Path::new("/usr/bin/nmap"), "/usr/bin/nmap"),
            (Path::new("/nowhere/hx"), "/nowhere/hx"),
            (odd, r"$WORK/a\\x\xff"),
        ] {
            assert_eq!(roots().name(path), name);
            assert_eq!(roots().path(name).as_deref(), Some(path), "{name}");
        }
        assert_eq!(roots().path("$GONE/x"), None);
    }

    #[test]
    fn values_have_their_places_by_name() {
        for (value, expected) in [
            ("/nowhere/h/bin:/usr/bin", "$HOME/bin:/usr/bin"),
            ("/nowhere/h", "$HOME"),
            ("a,b", "a,b"),
            ("", ""),
        ] {
            assert_eq!(roots().value(value), expected);
        }
    }

    #[test]
    fn walks_start_at_the_place() {
        let roots = roots();
        let (start, rest) = roots.start(Path::new("/nowhere/h/ovl/o/a/b"));
        assert_eq!((start.as_path(), rest), (Path::new("/nowhere/h/ovl/o"), Path::new("a/b")));
        let (start, rest) = roots.start(Path::new("/etc/x"));
        assert_eq!((start.as_path(), rest), (Path::new("/"), Path::new("etc/x")));
        assert!(roots.is_on_the_way(Path::new("/nowhere")));
        assert!(!roots.is_on_the_way(Path::new("/nowhere/h/ovl/o/x")));
    }
}
