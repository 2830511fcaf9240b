//! Trees into the form that all our trees have: usr-merged, as Debian is since release 12.
//!
//! What stands in `/bin`, `/sbin`, `/lib` and their like belongs into `/usr`, and what stands in
//! `/var/run` into `/run`, where those names are links in the base image. Two paths of a tree can
//! become one by that. Then
//!
//! | in the old place | in the new place | what becomes of it |
//! |---|---|---|
//! | a directory | a directory | both are joined |
//! | anything | a link that leads to the old place, or the other way around | the link is dropped |
//! | the same | the same | one is dropped |
//! | a file or link | another file or link | the new place wins, as where a tar is unpacked in order; it is reported |
//! | a directory | something else, or the other way around | an error |
//!
//! No name gets the content of another: hard links follow what they named, and relative links that
//! would lead elsewhere from the new place become absolute.

use std::collections::BTreeMap;

use super::merge::link_target;
use super::{Entry, Kind, PathError, Tree, TreePath};

/// The directories of a root that are links, and where they lead.
const MERGED: &[(&str, &str)] = &[
    ("bin", "usr/bin"),
    ("lib", "usr/lib"),
    ("lib32", "usr/lib32"),
    ("lib64", "usr/lib64"),
    ("libx32", "usr/libx32"),
    ("sbin", "usr/sbin"),
    ("var/lock", "run/lock"),
    ("var/run", "run"),
];

/// Why a tree can't be usr-merged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UsrMergeError {
    /// A path becomes too long.
    #[error(transparent)]
    Path(#[from] PathError),
    /// Something else where a node has a link.
    #[error("`/{0}` is {1}, but in a node it is a link to `/{2}`")]
    Taken(TreePath, &'static str, TreePath),
    /// Two that can't be one.
    #[error("`/{0}` and `/{1}` are one path in a node, but only one of them is a directory")]
    Mixed(TreePath, TreePath),
}

/// A usr-merged tree, and what it lacks of the tree before.
#[derive(Debug, Default)]
pub struct UsrMerged {
    /// The tree.
    pub tree: Tree,
    /// What gave way to something else at its new path, by both paths.
    pub replaced: Vec<(TreePath, TreePath)>,
    /// Links that would lead to themselves, by their paths before.
    pub dropped: Vec<TreePath>,
}

/// Makes a tree usr-merged; see the module.
///
/// # Errors
/// [`UsrMergeError`].
pub fn usr_merge(mut tree: Tree) -> Result<UsrMerged, UsrMergeError> {
    let mut merged = UsrMerged { dropped: loops(&tree)?, ..UsrMerged::default() };
    for path in &merged.dropped {
        tree.release(path);
    }
    let moved = moves(&tree)?;
    for (old, new) in &moved {
        match (tree.get(old), tree.get(new)) {
            (Some(one), Some(other)) if one.is_directory() != other.is_directory() => {
                return Err(UsrMergeError::Mixed(old.clone(), new.clone()));
            }
            (Some(one), Some(other)) if !one.is_directory() => {
                if !is_same(&tree, (old, one), (new, other)) {
                    merged.replaced.push((old.clone(), new.clone()));
                }
                tree.release(old);
            }
            _ => {}
        }
    }
    merged.tree = relocate(tree, &moved)?;
    Ok(merged)
}

/// The paths that move, and where to.
fn moves(tree: &Tree) -> Result<BTreeMap<TreePath, TreePath>, PathError> {
    let mut moves = BTreeMap::new();
    for (path, _) in tree.iter() {
        if let Some(new) = moved(path)? {
            moves.insert(path.clone(), new);
        }
    }
    Ok(moves)
}

/// Where a path leads; `None` if it stays.
fn moved(path: &TreePath) -> Result<Option<TreePath>, PathError> {
    for (name, to) in MERGED {
        if let Some(moved) = path.rebased(&TreePath::new(name)?, &TreePath::new(to)?) {
            return moved.map(Some);
        }
    }
    Ok(None)
}

/// Where a path is in a usr-merged tree.
///
/// # Errors
/// [`PathError`] when it becomes too long.
pub fn usr_merged_path(path: &TreePath) -> Result<TreePath, PathError> {
    Ok(moved(path)?.unwrap_or_else(|| path.clone()))
}

/// The links that lead to themselves once all is moved; those at the top among them, which the base
/// image has.
fn loops(tree: &Tree) -> Result<Vec<TreePath>, UsrMergeError> {
    let mut loops = Vec::new();
    for (path, entry) in tree.iter() {
        let new = usr_merged_path(path)?;
        let leads_to = match &entry.kind {
            Kind::Symlink(target) => link_target(path, target),
            _ => None,
        };
        let is_loop = match &leads_to {
            Some(to) if to != path => usr_merged_path(to)? == new,
            _ => false,
        };
        if is_loop {
            loops.push(path.clone());
        } else if is_top(path)? && !entry.is_directory() {
            let what = if leads_to.is_some() { "a link elsewhere" } else { "not a directory" };
            return Err(UsrMergeError::Taken(path.clone(), what, new));
        }
    }
    Ok(loops)
}

/// Whether a path is one of those that are links in a node.
fn is_top(path: &TreePath) -> Result<bool, PathError> {
    for (name, _) in MERGED {
        if *path == TreePath::new(name)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether two entries are one file, or can't be told apart.
fn is_same(tree: &Tree, one: (&TreePath, &Entry), other: (&TreePath, &Entry)) -> bool {
    let holder = |(path, entry): (&TreePath, &Entry)| match &entry.kind {
        Kind::Hardlink(first) => first.clone(),
        _ => path.clone(),
    };
    let (one, other) = (holder(one), holder(other));
    let (Some(a), Some(b)) = (tree.get(&one), tree.get(&other)) else { return false };
    one == other || a.looks_like(b)
}

/// Puts everything at its new path. What stays comes first: it has its own directories.
fn relocate(tree: Tree, moved: &BTreeMap<TreePath, TreePath>) -> Result<Tree, PathError> {
    let mut merged = Tree::new();
    let (stays, goes): (Vec<_>, Vec<_>) =
        tree.into_iter().partition(|(path, _)| !moved.contains_key(path));
    for (path, mut entry) in stays.into_iter().chain(goes) {
        let new = moved.get(&path).unwrap_or(&path);
        match &mut entry.kind {
            Kind::Hardlink(target) => *target = usr_merged_path(target)?,
            Kind::Symlink(target) => keep_direction(&path, new, target)?,
            Kind::Directory if merged.get(new).is_some() => continue,
            _ => {}
        }
        merged.insert(new.clone(), entry);
    }
    Ok(merged)
}

/// Makes a link absolute that would lead elsewhere from its new path.
fn keep_direction(old: &TreePath, new: &TreePath, target: &mut Vec<u8>) -> Result<(), PathError> {
    let Some(meant) = link_target(old, target).filter(|_| old != new) else { return Ok(()) };
    let found = link_target(new, target).map(|found| usr_merged_path(&found)).transpose()?;
    if found != Some(usr_merged_path(&meant)?) {
        *target = [b"/", meant.as_bytes()].concat();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{UsrMergeError, usr_merge};
    use crate::tree::{Entry, Kind, Tree, TreePath};

    fn path(text: &str) -> TreePath {
        TreePath::new(text).unwrap()
    }

    fn tree(entries: &[(&str, Entry)]) -> Tree {
        let mut tree = Tree::new();
        for (path, entry) in entries {
            tree.insert(TreePath::new(path).unwrap(), entry.clone());
        }
        tree
    }

    fn file(text: &str) -> Entry {
        Entry::file(0o755, text)
    }

    fn hardlink(to: &str) -> Entry {
        Entry::new(0o755, Kind::Hardlink(path(to)))
    }

    /// What there is besides directories, by path and content or target.
    fn merged(entries: &[(&str, Entry)]) -> (Vec<String>, Vec<String>) {
        let merged = usr_merge(tree(entries)).unwrap();
        let shown = |(path, entry): (&TreePath, &Entry)| match &entry.kind {
            Kind::Directory => None,
            Kind::File(content) => {
                Some(format!("{path} {}", String::from_utf8(content.read().unwrap()).unwrap()))
            }
            Kind::Symlink(to) => Some(format!("{path} -> {}", String::from_utf8_lossy(to))),
            Kind::Hardlink(to) => Some(format!("{path} = {to}")),
            other => Some(format!("{path} {other:?}")),
        };
        let replaced = merged.replaced.iter().map(|(old, new)| format!("{old} {new}")).collect();
        (merged.tree.iter().filter_map(shown).collect(), replaced)
    }

    #[test]
    fn old_places_move_into_usr() {
        let merged = usr_merge(tree(&[
            ("bin/ls", file("")),
            ("bin/dir", hardlink("bin/ls")),
            ("usr/bin/env", file("")),
            ("lib64", Entry::symlink("usr/lib64")),
            ("library/x", file("")),
            ("var/lock", Entry::symlink("../run/lock")),
            ("var/run/mine/pid", file("")),
        ]))
        .unwrap();
        let names: Vec<_> = merged.tree.iter().map(|(path, _)| path.to_string()).collect();
        let expected = [
            "library",
            "library/x",
            "run",
            "run/mine",
            "run/mine/pid",
            "usr",
            "usr/bin",
            "usr/bin/dir",
            "usr/bin/env",
            "usr/bin/ls",
            "var",
        ];
        assert_eq!(names, expected);
        let link = merged.tree.get(&path("usr/bin/dir")).unwrap();
        assert_eq!(link.kind, Kind::Hardlink(path("usr/bin/ls")));
    }

    #[test]
    fn links_to_themselves_give_way_to_files() {
        for target in ["/bin/x", "../../bin/x", "/usr/../bin/x"] {
            let entries = [("bin/x", file("one")), ("usr/bin/x", Entry::symlink(target))];
            assert_eq!(merged(&entries), (vec!["usr/bin/x one".into()], vec![]), "{target}");
        }
        let entries = [("bin/x", Entry::symlink("../usr/bin/x")), ("usr/bin/x", file("one"))];
        assert_eq!(merged(&entries), (vec!["usr/bin/x one".into()], vec![]));
        // The file may be in another layer, which the link would hide.
        assert_eq!(merged(&[("bin/x", Entry::symlink("/usr/bin/x"))]), (vec![], vec![]));
        let entries = [("usr/lib/d", Entry::symlink("/lib/d")), ("lib/d/f", file("one"))];
        assert_eq!(merged(&entries), (vec!["usr/lib/d/f one".into()], vec![]));
        // A loop that was one before is the author's.
        let entries = [("etc/x", Entry::symlink("x")), ("bin/y", Entry::symlink("y"))];
        let expected = vec!["etc/x -> x".to_owned(), "usr/bin/y -> y".to_owned()];
        assert_eq!(merged(&entries), (expected, vec![]));
    }

    #[test]
    fn no_content_is_exchanged() {
        let entries = [
            ("bin/x", file("one")),
            ("usr/bin/x", file("two")),
            ("opt/y", hardlink("bin/x")),
            ("opt/z", hardlink("bin/x")),
        ];
        let expected = ["opt/y one", "opt/z = opt/y", "usr/bin/x two"].map(ToOwned::to_owned);
        assert_eq!(merged(&entries), (expected.into(), vec!["bin/x usr/bin/x".into()]));
        let same = [("bin/x", file("one")), ("usr/bin/x", file("one"))];
        assert_eq!(merged(&same), (vec!["usr/bin/x one".into()], vec![]));
        let linked = [("bin/x", hardlink("usr/bin/x")), ("usr/bin/x", file("one"))];
        assert_eq!(merged(&linked), (vec!["usr/bin/x one".into()], vec![]));
    }

    #[test]
    fn relative_links_lead_where_they_led() {
        let entries = [
            ("bin/a", Entry::symlink("../etc/a")),
            ("bin/b", Entry::symlink("../lib/b")),
            ("bin/c", Entry::symlink("ls")),
            ("bin/d", Entry::symlink("/bin/ls")),
            ("var/run/e", Entry::symlink("../lib/e")),
        ];
        let expected = [
            "run/e -> /var/lib/e",
            "usr/bin/a -> /etc/a",
            "usr/bin/b -> ../lib/b",
            "usr/bin/c -> ls",
            "usr/bin/d -> /bin/ls",
        ];
        assert_eq!(merged(&entries), (expected.map(ToOwned::to_owned).into(), vec![]));
    }

    #[test]
    fn directories_keep_the_modes_of_their_new_place() {
        let entries = [
            ("bin/x", file("")),
            ("usr", Entry::new(0o700, Kind::Directory)),
            ("usr/bin", Entry::new(0o711, Kind::Directory)),
        ];
        let merged = usr_merge(tree(&entries)).unwrap().tree;
        assert_eq!(merged.get(&path("usr")).unwrap().mode, 0o700);
        assert_eq!(merged.get(&path("usr/bin")).unwrap().mode, 0o711);
    }

    #[test]
    fn what_can_not_be_meant_is_an_error() {
        let taken = |name, what, to| UsrMergeError::Taken(path(name), what, path(to));
        let mixed = UsrMergeError::Mixed(path("sbin/sub"), path("usr/sbin/sub"));
        let elsewhere = taken("lib", "a link elsewhere", "usr/lib");
        for (entries, expected) in [
            (vec![("bin", file("x"))], taken("bin", "not a directory", "usr/bin")),
            (vec![("lib", Entry::symlink("/opt/lib"))], elsewhere),
            (vec![("sbin/sub/f", file("")), ("usr/sbin/sub", file(""))], mixed.clone()),
            (vec![("sbin/sub", file("")), ("usr/sbin/sub/f", file(""))], mixed),
        ] {
            assert_eq!(usr_merge(tree(&entries)).unwrap_err(), expected);
        }
    }
}
