//! Where a path leads, and through which links.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use super::found::Found;
use super::path_roots::PathRoots;

/// How many links the kernel follows in one path.
const LINKS_MAX: usize = 40;
/// Where a path leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The links that were followed, each with its text; those of a walk that was made before are
    /// left out.
    pub links: Vec<(PathBuf, PathBuf)>,
    /// The path without links.
    pub path: PathBuf,
    /// What is there.
    pub found: Found,
}

/// Follows paths, and remembers the directories it went through.
#[derive(Debug, Default)]
pub(super) struct PathResolver {
    /// Directories as they were named, letter by letter, and as they are.
    known: HashMap<OsString, PathBuf>,
    /// Links and directories that walks went through.
    walked: HashSet<PathBuf>,
}

impl PathResolver {
    /// Follows a path to its end; `follow` a link at the end as well.
    pub(super) fn resolve(&mut self, path: &Path, follow: bool, roots: &PathRoots) -> Resolved {
        let follow = follow || path.as_os_str().as_bytes().ends_with(b"/");
        let Some((directory, name)) = split(path) else {
            return self.walk(path, follow, roots);
        };
        if let Some(real) = self.known.get(directory) {
            let path = real.join(name);
            let found = Found::at(&path);
            if !follow || !matches!(found, Found::Link(_)) {
                return Resolved { links: Vec::new(), path, found };
            }
        }
        let resolved = self.walk(path, follow, roots);
        // A link at the end leads elsewhere: only what was no link shows where the directory is.
        if resolved.path.file_name() == Some(name) && resolved.found.exists() {
            let real = resolved.path.parent().unwrap_or(Path::new("/"));
            if resolved.links.iter().all(|(link, _)| !link.ends_with(name)) {
                self.known.insert(directory.to_owned(), real.to_path_buf());
            }
        }
        resolved
    }

    /// Forgets what it knows of a path that is removed or renamed.
    pub(super) fn forget(&mut self, path: &Path) {
        if self.walked.contains(path) {
            self.known.clear();
            self.walked.clear();
        }
    }

    fn walk(&mut self, path: &Path, follow: bool, roots: &PathRoots) -> Resolved {
        let (mut at, rest) = roots.start(path);
        let mut left: VecDeque<OsString> = parts(rest).collect();
        let mut links = Vec::new();
        let mut found = None;
        while let Some(name) = left.pop_front() {
            if name == ".." {
                at.pop();
                found = None;
                continue;
            }
            at.push(&name);
            match Found::at(&at) {
                Found::Link(_) if (follow || !left.is_empty()) && is_own(&at) => {
                    at.extend(left.drain(..));
                    found = Some(Found::Missing);
                }
                Found::Link(target) if (follow || !left.is_empty()) && links.len() < LINKS_MAX => {
                    self.walked.insert(at.clone());
                    for part in parts(&target).collect::<Vec<_>>().into_iter().rev() {
                        left.push_front(part);
                    }
                    links.push((at.clone(), target.clone()));
                    if target.is_absolute() {
                        at = PathBuf::from("/");
                    } else {
                        at.pop();
                    }
                    found = None;
                }
                Found::Directory(meta) => {
                    self.walked.insert(at.clone());
                    found = Some(Found::Directory(meta));
                }
                other if left.is_empty() => found = Some(other),
                // Nothing is below what is not a directory.
                _ => {
                    at.extend(left.drain(..));
                    found = Some(Found::Missing);
                }
            }
        }
        let found = found.unwrap_or_else(|| Found::at(&at));
        Resolved { links, path: at, found }
    }
}

/// A path's directory and the name in it, if it ends in a name. This and [`is_in`] are asked for
/// every call of a script, hence by bytes.
fn split(path: &Path) -> Option<(&OsStr, &OsStr)> {
    let bytes = path.as_os_str().as_bytes();
    let at = memchr::memrchr(b'/', bytes)?;
    let (directory, name) = (&bytes[..at.max(1)], &bytes[at + 1..]);
    let is_name = !matches!(name, b"" | b"." | b"..");
    is_name.then(|| (OsStr::from_bytes(directory), OsStr::from_bytes(name)))
}

/// Whether a link of `/proc` leads each process to itself: us elsewhere than the script.
fn is_own(link: &Path) -> bool {
    ["/proc/self", "/proc/thread-self"].iter().any(|own| link.as_os_str() == *own)
}

/// Whether a path, absolute and without links, is that directory or lies in it.
pub(super) fn is_in(path: &Path, directory: &Path) -> bool {
    let directory = directory.as_os_str().as_bytes();
    let directory = directory.strip_suffix(b"/").unwrap_or(directory);
    let rest = path.as_os_str().as_bytes().strip_prefix(directory);
    rest.is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}

fn parts(path: &Path) -> impl Iterator<Item = OsString> + '_ {
    path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsStr::new("..").to_owned()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use std::path::Path;

    use super::super::found::names;
    use super::{Found, PathResolver, PathRoots, is_in, split};

    #[test]
    fn links_are_followed_one_by_one_and_forgotten_when_removed() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        std::fs::create_dir_all(root.join("c/b")).unwrap();
        std::fs::write(root.join("a/b/f"), "x").unwrap();
        symlink("a", root.join("l")).unwrap();
        symlink("../l/b/f", root.join("c/m")).unwrap();
        let roots = PathRoots::new([("P".into(), root.clone())]);
        let mut resolver = PathResolver::default();
        let found = resolver.resolve(&root.join("c/m"), true, &roots);
        assert_eq!(found.path, root.join("a/b/f"));
        let links: Vec<_> = found.links.iter().map(|(l, t)| (roots.name(l), t.to_str())).collect();
        assert_eq!(links, [("$P/c/m".into(), Some("../l/b/f")), ("$P/l".into(), Some("a"))]);
        let kept = resolver.resolve(&root.join("c/m"), false, &roots);
        assert_eq!(kept.found, Found::Link("../l/b/f".into()));

        for _ in 0..2 {
            assert_eq!(
                resolver.resolve(&root.join("l/b/f"), true, &roots).path,
                root.join("a/b/f")
            );
        }
        std::fs::remove_file(root.join("l")).unwrap();
        symlink("c", root.join("l")).unwrap();
        resolver.forget(&root.join("l"));
        let found = resolver.resolve(&root.join("l/b/f"), true, &roots);
        assert_eq!((found.path, found.found), (root.join("c/b/f"), Found::Missing));
    }

    #[test]
    fn circles_files_as_directories_and_parents() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        symlink("o", root.join("o")).unwrap();
        std::fs::write(root.join("f"), "").unwrap();
        let roots = PathRoots::default();
        let mut resolver = PathResolver::default();
        let mut look = |p: &str| resolver.resolve(&root.join(p), true, &roots).found;
        assert!(matches!(look("o"), Found::Link(_)));
        assert_eq!(look("f/x/y"), Found::Missing);
        assert!(matches!(look("none/../f"), Found::Missing));
        assert!(matches!(look("./../"), Found::Directory(_)));
        symlink("/dev/stderr", root.join("e")).unwrap();
        let of_script = resolver.resolve(&root.join("e"), true, &roots);
        assert_eq!(of_script.path, Path::new("/proc/self/fd/2"), "and not what we have there");
    }

    #[test]
    fn paths_are_taken_apart() {
        for (path, expected) in [
            ("/a/b", Some(("/a", "b"))),
            ("/a", Some(("/", "a"))),
            ("/a/", None),
            ("/a/..", None),
            ("/a/.", None),
            ("/", None),
        ] {
            let parts =
                split(Path::new(path)).map(|(d, n)| (d.to_str().unwrap(), n.to_str().unwrap()));
            assert_eq!(parts, expected, "{path}");
        }
        for (path, directory, expected) in [
            ("/a/b", "/a", true),
            ("/a/b", "/a/", true),
            ("/a", "/a", true),
            ("/ab", "/a", false),
            ("/a", "/", true),
            ("/", "/", true),
            ("/", "/a", false),
        ] {
            assert_eq!(
                is_in(Path::new(path), Path::new(directory)),
                expected,
                "{path} {directory}"
            );
        }
    }

    #[test]
    fn listings_have_names_and_kinds() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("f"), "").unwrap();
        std::fs::create_dir(dir.path().join("d")).unwrap();
        assert_eq!(names(dir.path()).unwrap(), [b"dd".to_vec(), b"ff".to_vec()]);
        assert!(names(&dir.path().join("none")).is_err());
    }
}
