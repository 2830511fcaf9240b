//! The view for ISO 9660 readers, and with it the relocation of deep directories.
//!
//! ECMA-119 §6.8.2.1 allows 8 levels of directories and paths of 255 bytes. Directories beyond
//! move, with all below them, to `RR_MOVED` in the root, and a file with a CL field stays in their
//! place (RRIP §4.1.5). Rock Ridge readers see the tree as it was; `RR_MOVED` and what is in it
//! carry RE and are hidden from them.

use std::collections::HashMap;

use crate::error::Error;
use crate::names::Unique;
use crate::options::{IsoNames, Options};
use crate::tree::{Body, NodeId, Tree};
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
            let mut unique = Unique::default();
            let mut entries = self.name_entries(at.node, &mut unique);
            for entry in entries.iter_mut().filter(|entry| entry.is_directory(self.tree)) {
                let below = Waiting {
                    node: entry.node,
                    level: at.level + 1,
                    path: at.path + entry.identifier.len() + 1,
                    nesting: at.nesting,
                };
                if self.fits(&below) {
                    waiting.push(below);
                    continue;
                }
                entry.role = Role::Placeholder;
                entry.identifier = self.names.file(&mut unique, entry.name);
                self.relocated.push((entry.node, entry.name));
                let nesting = at.nesting + 1;
                self.origins.insert(entry.node, Origin { directory: at.node, nesting });
                waiting.push(Waiting { level: 3, path: RELOCATED_PATH, nesting, ..below });
            }
            self.entries.insert(at.node, entries);
        }
    }

    /// Whether a directory and the files in it may be that deep. Files are taken to have the
    /// longest names there are.
    fn fits(&self, directory: &Waiting) -> bool {
        let longest_file = match self.names {
            IsoNames::Short => 14,
            IsoNames::Long => 33,
        };
        directory.level <= LEVELS_MAX && directory.path + longest_file <= PATH_MAX
    }

    fn name_entries(&self, directory: NodeId, unique: &mut Unique) -> Vec<Entry<'t>> {
        if directory == Tree::ROOT {
            // Nobody else's, so that RR_MOVED is free if it is needed.
            self.names.directory(unique, RELOCATED_NAME);
        }
        let mut named = Vec::new();
        for (name, &node) in self.tree.entries(directory) {
            let identifier = match self.tree.inode(node).body {
                Body::Directory(_) => self.names.directory(unique, name),
                _ => self.names.file(unique, name),
            };
            named.push(Entry { identifier, name, node, role: Role::Plain });
        }
        named
    }

    /// Puts what was relocated into its directory and this into the root.
    fn gather_relocated(&mut self) {
        if self.relocated.is_empty() {
            return;
        }
        self.relocated.sort_by(|a, b| a.1.cmp(b.1));
        let mut unique = Unique::default();
        let entry = |&(node, name): &(NodeId, &'t [u8])| {
            let identifier = self.names.directory(&mut unique, name);
            Entry { identifier, name, node, role: Role::Relocated }
        };
        let entries = self.relocated.iter().map(entry).collect();
        self.entries.insert(Tree::RELOCATED, entries);
        let identifier = self.names.directory(&mut Unique::default(), RELOCATED_NAME);
        self.entries.entry(Tree::ROOT).or_default().push(Entry {
            identifier,
            name: RELOCATED_NAME,
            node: Tree::RELOCATED,
            role: Role::Relocated,
        });
    }
}
