//! File trees in memory: what overlays, packages and images are made of.
//!
//! A [`Tree`] holds names, modes, owners and links; the contents of files stay where they are (a
//! range of a blob in the store, a file on disk) and are read once, when the tree is written.
//! Times are not kept: they would make equal recipes yield different bytes.
//!
//! Paths are bytes, relative to the tree's root, with `/` between parts and none at the ends; the
//! root itself is the empty path and is always there. [`TreePath`] checks that, so that nothing in
//! a tree can name a place outside of it.

mod acl;
mod attribute_list;
pub mod attributes;
mod content;
mod directory;
mod from_iso;
mod iso;
mod merge;
mod path;
mod tar;
mod usr_merge;

use std::collections::BTreeMap;

pub use attribute_list::AttributeList;
pub use attributes::Attributes;
pub use content::{Blob, Content, Pieces};
pub use directory::{Modes, attributed, from_directory};
pub use from_iso::from_iso;
pub use iso::{add_to_iso, source};
pub use merge::{Conflict, merge};
pub use path::{PathError, TreePath};
pub use tar::{Archive, Member, SPARSE_MAX, TIMESTAMP, TarError, from_tar, write_tar};
pub use usr_merge::{UsrMergeError, UsrMerged, usr_merge, usr_merged_path};

/// Permission bits of a directory without an entry of its own.
pub const DIRECTORY_MODE: u32 = 0o755;

/// One name in a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Permission bits, with set-id and sticky, as `chmod` takes them.
    pub mode: u32,
    /// The owner's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// What it is.
    pub kind: Kind,
    /// Its extended attributes, those that trees keep.
    pub attributes: Attributes,
}

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A directory; its entries are the longer paths.
    Directory,
    /// A regular file.
    File(Content),
    /// A symbolic link to that text.
    Symlink(Vec<u8>),
    /// Another name of something in the tree that is not a directory, with the same mode, owner and
    /// attributes.
    Hardlink(TreePath),
    /// A block or character device.
    Device {
        /// Whether it is a block device.
        block: bool,
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A named pipe.
    Fifo,
}

impl Entry {
    /// An entry of root's.
    pub fn new(mode: u32, kind: Kind) -> Self {
        Self { mode, uid: 0, gid: 0, kind, attributes: Attributes::new() }
    }

    /// A directory of root's, mode 0755.
    pub fn directory() -> Self {
        Self::new(DIRECTORY_MODE, Kind::Directory)
    }

    /// A file of root's with that content.
    pub fn file(mode: u32, bytes: impl Into<Vec<u8>>) -> Self {
        Self::new(mode, Kind::File(Content::bytes(bytes)))
    }

    /// A symbolic link.
    pub fn symlink(target: impl Into<Vec<u8>>) -> Self {
        Self::new(0o777, Kind::Symlink(target.into()))
    }

    /// Whether a node can't tell two entries apart: mode, owner, attributes and content are the same.
    /// One whose content can't be read looks like no other.
    pub fn looks_like(&self, other: &Self) -> bool {
        let rights = |e: &Self| (e.mode, e.uid, e.gid);
        let same_rights = rights(self) == rights(other) && self.attributes == other.attributes;
        same_rights
            && match (&self.kind, &other.kind) {
                (Kind::File(one), Kind::File(other)) if one.len() == other.len() => {
                    one == other || matches!((one.read(), other.read()), (Ok(a), Ok(b)) if a == b)
                }
                (one, other) => one == other,
            }
    }

    /// Whether it is a directory.
    pub fn is_directory(&self) -> bool {
        self.kind == Kind::Directory
    }
}

/// A file tree; see the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    /// Sorted by path, so that a directory comes before what is in it.
    entries: BTreeMap<TreePath, Entry>,
}

impl Tree {
    /// A tree with nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts an entry in, in place of one that had the path; missing parents are made, mode 0755.
    ///
    /// What stood below a path that stops being a directory goes. A parent that is not a directory is
    /// replaced by one: the later entry wins, as when a tar is unpacked.
    pub fn insert(&mut self, path: TreePath, entry: Entry) {
        self.make_parents(&path);
        if !entry.is_directory() && self.get(&path).is_some_and(Entry::is_directory) {
            self.remove(&path);
        }
        self.entries.insert(path, entry);
    }

    fn make_parents(&mut self, path: &TreePath) {
        let Some(parent) = path.parent() else { return };
        if parent.is_root() || self.get(&parent).is_some_and(Entry::is_directory) {
            return;
        }
        self.make_parents(&parent);
        self.entries.insert(parent, Entry::directory());
    }

    /// Takes a path out, with all below it.
    pub fn remove(&mut self, path: &TreePath) {
        self.entries.remove(path);
        let below: Vec<TreePath> = self.below(path).map(|(p, _)| p.clone()).collect();
        for path in below {
            self.entries.remove(&path);
        }
    }

    /// Takes a path out that is not a directory. What it held goes to the first of its other names.
    pub fn release(&mut self, path: &TreePath) {
        let Some(old) = self.entries.remove(path) else { return };
        let is_name = |entry: &Entry| entry.kind == Kind::Hardlink(path.clone());
        let names = self.entries.iter().filter(|(_, entry)| is_name(entry));
        let names: Vec<TreePath> = names.map(|(name, _)| name.clone()).collect();
        let Some((heir, others)) = names.split_first() else { return };
        for name in others {
            if let Some(entry) = self.entries.get_mut(name) {
                entry.kind = Kind::Hardlink(heir.clone());
            }
        }
        self.entries.insert(heir.clone(), old);
    }

    /// The entry of a path.
    pub fn get(&self, path: &TreePath) -> Option<&Entry> {
        self.entries.get(path)
    }

    /// The entry of a path, to be changed; its kind may change only between non-directories.
    pub fn get_mut(&mut self, path: &TreePath) -> Option<&mut Entry> {
        self.entries.get_mut(path)
    }

    /// All entries, a directory before what is in it.
    pub fn iter(&self) -> impl Iterator<Item = (&TreePath, &Entry)> {
        self.entries.iter()
    }

    /// The entries below a directory, at any depth.
    pub fn below<'a>(
        &'a self,
        directory: &'a TreePath,
    ) -> impl Iterator<Item = (&'a TreePath, &'a Entry)> {
        // Sorting is by parts, so all below a directory follow it without a gap.
        self.entries
            .range(directory.clone()..)
            .skip_while(move |(p, _)| *p == directory)
            .take_while(move |(p, _)| p.is_below(directory))
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes in all files, hard links counted once.
    pub fn content_size(&self) -> u64 {
        let size = |e: &Entry| match &e.kind {
            Kind::File(content) => content.len(),
            _ => 0,
        };
        self.entries.values().map(size).sum()
    }
}

impl IntoIterator for Tree {
    type Item = (TreePath, Entry);
    type IntoIter = std::collections::btree_map::IntoIter<TreePath, Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::{Entry, Tree, TreePath};

    fn path(text: &str) -> TreePath {
        TreePath::new(text).unwrap()
    }

    fn names(tree: &Tree) -> Vec<String> {
        tree.iter().map(|(p, _)| p.to_string()).collect()
    }

    #[test]
    fn parents_are_made_and_directories_come_first() {
        let mut tree = Tree::new();
        tree.insert(path("a/b/c"), Entry::file(0o644, "x"));
        tree.insert(path("a-b"), Entry::file(0o644, "x"));
        tree.insert(path("a/b.d"), Entry::directory());
        assert_eq!(names(&tree), ["a", "a/b", "a/b/c", "a/b.d", "a-b"]);
        assert_eq!(tree.below(&path("a/b")).count(), 1);
        assert_eq!(tree.below(&path("a")).count(), 3);
    }

    #[test]
    fn later_entries_win_over_what_stood_there() {
        let mut tree = Tree::new();
        tree.insert(path("a/b/c"), Entry::file(0o644, "x"));
        tree.insert(path("a/b"), Entry::symlink("z"));
        assert_eq!(names(&tree), ["a", "a/b"]);
        tree.insert(path("a/b/d"), Entry::file(0o644, "x"));
        assert!(tree.get(&path("a/b")).unwrap().is_directory());
        tree.remove(&path("a"));
        assert!(tree.is_empty());
    }
}
