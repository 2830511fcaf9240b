//! The view for ISO 9660 readers, and with it the relocation of deep directories.
//!
//! ECMA-119 §6.8.2.1 allows 8 levels of directories and paths of 255 bytes. Directories beyond
//! move, with all below them, to `RR_MOVED` in the root, and a file with a CL field stays in their
//! place (RRIP §4.1.5). Rock Ridge readers see the tree as it was; `RR_MOVED` and what is in it
//! carry RE and are hidden from them.

use std::collections::HashMap;

use crate::error::Error;
use crate::names::resolve;
use crate::options::{IsoNames, Options};
use crate::tree::{NodeId, Tree};
use crate::view::{Entry, Origin, Role, View};

/// Levels of directories, the root included.
const LEVELS_MAX: usize = 8;
/// Bytes of a path: identifiers and one for each directory.
const PATH_MAX: usize = 255;
/// What the directory of relocated directories is called, for ISO 9660 and for Rock Ridge.
const RELOCATED_NAME: &[u8] = b"rr_moved";
/// Bytes of a path in it, at most: `RR_MOVED`, a directory's name, and one each.
const RELOCATED_PATH: usize = 8 + 31 + 2;

/// Builds the view.
pub(crate) fn build<'t>(tree: &'t Tree, options: &Options) -> Result<View<'t>, Error> {
    let mut plan = Plan {
        tree,
        names: options.iso_names,
        entries: HashMap::new(),
        relocated: Vec::new(),
        origins: HashMap::new(),
    };
    plan.descend();
    if let (false, Some((node, _))) = (options.rock_ridge, plan.relocated.first()) {
        let path = tree.path_of(*node);
        return Err(Error::NeedsRockRidge {
            path,
            what: "directories deeper than ISO 9660 allows",
        });
    }
    plan.gather_relocated();
    let Plan { mut entries, origins, .. } = plan;
    View::new(
        tree,
        |node| entries.remove(&node).unwrap_or_default(),
        |node| origins.get(&node).copied(),
    )
}

struct Plan<'t> {
    tree: &'t Tree,
    names: IsoNames,
    entries: HashMap<NodeId, Vec<Entry<'t>>>,
    /// Relocated directories and their names, in the order in which they are found.
    relocated: Vec<(NodeId, &'t [u8])>,
    origins: HashMap<NodeId, Origin>,
}

/// A directory that is still to be named, at a level and with a path of some length.
struct Waiting {
    node: NodeId,
    level: usize,
    path: usize,
    nesting: u32,
}

impl<'t> Plan<'t> {
    /// Names all entries and finds the directories that lie too deep.
    fn descend(&mut self) {
        let mut waiting = vec![Waiting { node: Tree::ROOT, level: 1, path: 0, nesting: 0 }];
        while let Some(at) = waiting.pop() {
            let mut listed = Vec::new();
            for (name, &node) in self.tree.entries(at.node) {
                let mut role = Role::Plain;
                if self.tree.inode(node).is_directory() {
                    let below = self.below(&at, node, name);
                    role = self.place(&at, below, name, &mut waiting);
                }
                listed.push((node, &**name, role));
            }
            let entries = self.named(listed, at.node == Tree::ROOT);
            self.entries.insert(at.node, entries);
        }
    }

    /// A directory in another, if it may stay there.
    fn below(&self, at: &Waiting, node: NodeId, name: &[u8]) -> Waiting {
        /// What making a name unique may add to it.
        const DIGITS: usize = 6;
        let identifier = (name.len() + DIGITS).min(self.names.longest_directory());
        let path = at.path + identifier + 1;
        Waiting { node, level: at.level + 1, path, nesting: at.nesting }
    }

    /// Lets a directory stay, or relocates it.
    fn place(
        &mut self,
        at: &Waiting,
        below: Waiting,
        name: &'t [u8],
        waiting: &mut Vec<Waiting>,
    ) -> Role {
        if below.level <= LEVELS_MAX && below.path + self.names.longest_file() <= PATH_MAX {
            waiting.push(below);
            return Role::Plain;
        }
        let nesting = at.nesting + 1;
        self.relocated.push((below.node, name));
        self.origins.insert(below.node, Origin { directory: at.node, nesting });
        waiting.push(Waiting { level: 3, path: RELOCATED_PATH, nesting, ..below });
        Role::Placeholder
    }

    /// Gives the entries of a directory their identifiers. That of `RR_MOVED` is never given to
    /// another entry of the root.
    fn named(&self, listed: Vec<(NodeId, &'t [u8], Role)>, root: bool) -> Vec<Entry<'t>> {
        let identifier = |&(node, name, role): &(NodeId, &[u8], Role), number| {
            if self.tree.inode(node).is_directory() && role != Role::Placeholder {
                self.names.directory(name, number)
            } else {
                self.names.file(name, number)
            }
        };
        let reserved = usize::from(root);
        let mut plain = Vec::with_capacity(listed.len() + reserved);
        if root {
            plain.push(self.names.directory(RELOCATED_NAME, None));
        }
        plain.extend(listed.iter().map(|entry| identifier(entry, None)));
        let numbered = |at: usize, number| identifier(&listed[at - reserved], Some(number));
        let identifiers = resolve(plain, numbered).into_iter().skip(reserved);
        let entry = |(identifier, &(node, name, role)): (_, &(NodeId, &'t [u8], Role))| Entry {
            identifier,
            name,
            node,
            role,
        };
        identifiers.zip(&listed).map(entry).collect()
    }

    /// Puts what was relocated into its directory and this into the root.
    fn gather_relocated(&mut self) {
        if self.relocated.is_empty() {
            return;
        }
        self.relocated.sort_by(|a, b| a.1.cmp(b.1));
        let listed = self.relocated.iter().map(|&(node, name)| (node, name, Role::Relocated));
        let entries = self.named(listed.collect(), false);
        self.entries.insert(Tree::RELOCATED, entries);
        self.entries.entry(Tree::ROOT).or_default().push(Entry {
            identifier: self.names.directory(RELOCATED_NAME, None),
            name: RELOCATED_NAME,
            node: Tree::RELOCATED,
            role: Role::Relocated,
        });
    }
}
