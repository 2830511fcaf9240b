//! Trees on top of each other.

use super::{Entry, Kind, PathError, Tree, TreePath};

/// A name that two trees both have, and not as the same thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The name.
    pub path: TreePath,
    /// What the lower tree had.
    pub hidden: Entry,
}

/// Puts a tree on top of another, as a later overlay on earlier ones, and gives what it hid.
///
/// Directories of both are joined, with the upper one's mode and owner. A directory never comes in
/// place of a symbolic link to a directory that the lower tree has: what is in it is put where the
/// link leads, as when a tar is unpacked there.
///
/// # Errors
/// [`PathError`] when a path becomes too long by following a link.
pub fn merge(lower: &mut Tree, upper: Tree) -> Result<Vec<Conflict>, PathError> {
    let mut conflicts = Vec::new();
    for (path, entry) in upper {
        let path = follow(lower, &path)?;
        if path.is_root() {
            continue;
        }
        if let Some(old) = lower.get(&path).filter(|old| **old != entry) {
            let leads_on = entry.is_directory() && leads_to_directory(lower, &path);
            if leads_on {
                continue;
            }
            if !(old.is_directory() && entry.is_directory()) {
                conflicts.push(Conflict { path: path.clone(), hidden: old.clone() });
            }
        }
        lower.insert(path, entry);
    }
    Ok(conflicts)
}

/// Follows the symbolic links to directories that a path goes through, relative or absolute.
fn follow(tree: &Tree, path: &TreePath) -> Result<TreePath, PathError> {
    let mut done = TreePath::root();
    for part in path.parts() {
        let place = resolve(tree, &done);
        done = place.join(&TreePath::new(part)?)?;
    }
    Ok(done)
}

/// The directory that a path leads to by symbolic links; the path itself if it leads to none.
fn resolve(tree: &Tree, path: &TreePath) -> TreePath {
    let mut place = path.clone();
    // As many links in a row as the kernel follows.
    for _ in 0..40 {
        let Some(Entry { kind: Kind::Symlink(target), .. }) = tree.get(&place) else { break };
        let Some(next) = link_target(&place, target) else { break };
        place = next;
    }
    let directory = place.is_root() || tree.get(&place).is_some_and(Entry::is_directory);
    if directory { place } else { path.clone() }
}

fn leads_to_directory(tree: &Tree, path: &TreePath) -> bool {
    resolve(tree, path) != *path
}

/// Where a symbolic link points in its tree, by its text alone; `None` if that is not a path in it.
pub(super) fn link_target(link: &TreePath, target: &[u8]) -> Option<TreePath> {
    let start = if target.starts_with(b"/") { TreePath::root() } else { link.parent()? };
    let mut parts: Vec<&[u8]> = start.parts().collect();
    for part in target.split(|b| *b == b'/').filter(|p| !p.is_empty() && *p != b".") {
        match part {
            // The root's parent is the root.
            b".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    TreePath::new(parts.join(&b'/')).ok()
}

#[cfg(test)]
mod tests {
    use super::merge;
    use crate::tree::{Entry, Tree, TreePath};

    fn tree(entries: &[(&str, Entry)]) -> Tree {
        let mut tree = Tree::new();
        for (path, entry) in entries {
            tree.insert(TreePath::new(path).unwrap(), entry.clone());
        }
        tree
    }

    fn names(tree: &Tree) -> Vec<String> {
        tree.iter().map(|(p, _)| p.to_string()).collect()
    }

    #[test]
    fn later_files_win_and_are_told() {
        let mut lower = tree(&[("a/x", Entry::file(0o644, "1")), ("a/y", Entry::file(0o644, "1"))]);
        let upper = tree(&[("a/x", Entry::file(0o644, "2")), ("a/y", Entry::file(0o644, "1"))]);
        let conflicts = merge(&mut lower, upper).unwrap();
        assert_eq!(conflicts.len(), 1);
        assert_eq!(conflicts[0].path.to_string(), "a/x");
        let x = lower.get(&TreePath::new("a/x").unwrap()).unwrap();
        assert_eq!(*x, Entry::file(0o644, "2"));
    }

    #[test]
    fn links_to_directories_are_followed() {
        for target in ["usr/bin", "/usr/bin", "./usr/../usr/bin"] {
            let mut lower =
                tree(&[("bin", Entry::symlink(target)), ("usr/bin", Entry::directory())]);
            let conflicts = merge(&mut lower, tree(&[("bin/ls", Entry::file(0o755, ""))])).unwrap();
            assert_eq!(conflicts, []);
            assert_eq!(names(&lower), ["bin", "usr", "usr/bin", "usr/bin/ls"], "{target}");
        }
        let mut looped = tree(&[("a", Entry::symlink("b")), ("b", Entry::symlink("a"))]);
        merge(&mut looped, tree(&[("a/x", Entry::file(0o644, ""))])).unwrap();
        assert_eq!(names(&looped), ["a", "a/x", "b"]);
    }
}
