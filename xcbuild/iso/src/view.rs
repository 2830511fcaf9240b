//! A view: one hierarchy of directories with names of one kind, as its volume descriptor starts
//! it. An image has one for ISO 9660 (and Rock Ridge, which decorates it) and perhaps one for
//! Joliet; both point to the same file contents.
//!
//! Directories are in the order of the path table (ECMA-119 §6.9.1): by level, then by the number
//! of the parent, then by identifier. A walk in breadth over sorted directories gives just that.

use std::cmp::Reverse;

use crate::error::Error;
use crate::names::Identifier;
use crate::sector::Sector;
use crate::tree::{NodeId, Tree};

/// The most directories that a path table can hold: its parent numbers have 16 bits.
pub const DIRECTORIES_MAX: usize = 65_535;

/// What an entry of a directory stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Itself.
    Plain,
    /// A directory that is elsewhere: a file that names the place (Rock Ridge CL).
    Placeholder,
    /// A directory that belongs elsewhere, or the one that holds such (Rock Ridge RE).
    Relocated,
}

/// An entry of a directory.
#[derive(Debug)]
pub(crate) struct Entry<'t> {
    /// The name in this view, without a version.
    pub identifier: Identifier,
    /// The real name.
    pub name: &'t [u8],
    pub node: NodeId,
    pub role: Role,
}

impl Entry<'_> {
    /// Whether the entry is a directory of this view.
    pub(crate) fn is_directory(&self, tree: &Tree) -> bool {
        self.role != Role::Placeholder && tree.inode(self.node).is_directory()
    }
}

/// Where a directory lies: its records and, after them, the Rock Ridge fields that did not fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub start: Sector,
    /// Bytes of records, whole sectors.
    pub length: u32,
    pub continuation: Sector,
}

/// Where a relocated directory belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub directory: NodeId,
    /// How many relocated directories it is in, itself included.
    pub nesting: u32,
}

/// A directory of a view.
#[derive(Debug)]
pub(crate) struct Directory<'t> {
    pub node: NodeId,
    /// The directory above it, as an index into the view.
    pub parent: usize,
    /// Where it belongs, if it was relocated.
    pub origin: Option<Origin>,
    pub identifier: Identifier,
    pub entries: Vec<Entry<'t>>,
    pub place: Place,
}

/// A hierarchy of directories.
#[derive(Debug)]
pub(crate) struct View<'t> {
    pub directories: Vec<Directory<'t>>,
    /// The index of each inode's directory.
    index: Vec<u32>,
}

impl<'t> View<'t> {
    /// Orders the directories. `take` gives up the entries of one, with identifiers; `origin` says
    /// where a relocated one belongs.
    pub(crate) fn new(
        tree: &Tree,
        mut take: impl FnMut(NodeId) -> Vec<Entry<'t>>,
        origin: impl Fn(NodeId) -> Option<Origin>,
    ) -> Result<Self, Error> {
        let root = Directory {
            node: Tree::ROOT,
            parent: 0,
            origin: None,
            identifier: Box::new([0]),
            entries: Vec::new(),
            place: Place::default(),
        };
        let mut view = Self { directories: vec![root], index: vec![u32::MAX; tree.len()] };
        let mut at = 0;
        while at < view.directories.len() {
            let node = view.directories[at].node;
            view.index[node.index()] = at as u32;
            let mut entries = take(node);
            entries.sort_unstable_by(|a, b| a.identifier.cmp(&b.identifier));
            for entry in entries.iter().filter(|entry| entry.is_directory(tree)) {
                if view.directories.len() == DIRECTORIES_MAX {
                    let path = tree.path_of(entry.node);
                    return Err(Error::TooManyDirectories { path, limit: DIRECTORIES_MAX });
                }
                view.directories.push(Directory {
                    node: entry.node,
                    parent: at,
                    origin: origin(entry.node),
                    identifier: entry.identifier.clone(),
                    entries: Vec::new(),
                    place: Place::default(),
                });
            }
            view.directories[at].entries = entries;
            at += 1;
        }
        Ok(view)
    }

    /// The index of an inode's directory, if it has one here.
    pub(crate) fn index(&self, node: NodeId) -> Option<usize> {
        let index = self.index[node.index()] as usize;
        (index < self.directories.len()).then_some(index)
    }

    /// The indices of the directories in the order in which they are to lie: root and `RR_MOVED`
    /// first, then what was relocated, that from the deepest place first, then the rest.
    ///
    /// libarchive reads an image front to back and connects relocated directories only if it has
    /// seen them, and all placeholders in them, before the placeholders that lead to them.
    pub(crate) fn reading_order(&self) -> Vec<usize> {
        let mut nesting = vec![0; self.directories.len()];
        for (index, directory) in self.directories.iter().enumerate().skip(1) {
            nesting[index] =
                directory.origin.map_or(nesting[directory.parent], |origin| origin.nesting);
        }
        let mut order: Vec<usize> = (0..self.directories.len()).collect();
        order.sort_by_key(|&index| {
            let node = self.directories[index].node;
            (node != Tree::ROOT, node != Tree::RELOCATED, Reverse(nesting[index]), index)
        });
        order
    }

    /// Where the directory of an inode lies.
    pub(crate) fn place(&self, node: NodeId) -> Place {
        self.index(node).map_or(Place::default(), |index| self.directories[index].place)
    }
}
