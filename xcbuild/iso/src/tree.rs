//! The tree that an image is made of: inodes, and directories that give them names.
//!
//! It has the shape of a Unix file system: a name is an entry of a directory and points to an
//! inode, a hard link is a second entry for the same inode. The order in which entries are added
//! leaves no trace: directories are sorted, and everything that is numbered is numbered on a walk
//! through the sorted tree. Inodes are an array and the walk keeps its own stack, so neither depth
//! nor number is limited by the program's stack.
//!
//! Memory: an entry costs about 220 bytes with its inode and its path on the host, see the crate.

use std::collections::{BTreeMap, btree_map};

use crate::error::{Error, ImagePath};
use crate::source::Source;

/// The longest name that Rock Ridge readers take, in bytes.
pub const NAME_MAX: usize = 255;
/// The longest target of a symbolic link, in bytes.
pub const TARGET_MAX: usize = 4095;

/// The largest major number of a device that Linux knows.
pub const MAJOR_MAX: u32 = 4095;
/// The largest minor number of a device that Linux knows.
pub const MINOR_MAX: u32 = 0xf_ffff;

/// Who may do what with an entry, and since when. Hard links share it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// Permissions with set-user-id, set-group-id and sticky bit (`0o7777`). Type bits are ignored.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Time of the last change of content, in seconds since 1970.
    pub mtime: i64,
}

/// The two kinds of device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceKind {
    /// Read and written in blocks.
    Block,
    /// Read and written in bytes.
    Character,
}

/// The number of an inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct NodeId(pub u32);

impl NodeId {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// What an inode is.
#[derive(Debug)]
pub(crate) enum Body {
    Directory(Entries),
    File { source: Source, len: u64 },
    Symlink(Box<[u8]>),
    Device { kind: DeviceKind, major: u32, minor: u32 },
    Fifo,
    Socket,
}

/// The entries of a directory, sorted by the bytes of their names.
pub(crate) type Entries = BTreeMap<Box<[u8]>, NodeId>;

/// An inode: everything of an entry but its name.
#[derive(Debug)]
pub(crate) struct Inode {
    pub meta: Meta,
    pub links: u32,
    pub body: Body,
}

impl Inode {
    fn new(meta: Meta, body: Body) -> Self {
        let links = if matches!(body, Body::Directory(_)) { 2 } else { 1 };
        Self { meta: Meta { mode: meta.mode & 0o7777, ..meta }, links, body }
    }

    /// The size of a file's content; 0 for everything else.
    pub(crate) fn len(&self) -> u64 {
        if let Body::File { len, .. } = self.body { len } else { 0 }
    }

    pub(crate) fn is_directory(&self) -> bool {
        matches!(self.body, Body::Directory(_))
    }
}

/// All inodes, and the root.
#[derive(Debug)]
pub(crate) struct Tree {
    inodes: Vec<Inode>,
    /// The directory that the last entry was added to. Entries mostly come by directory.
    last_parent: (Vec<u8>, NodeId),
}

impl Tree {
    /// The root directory.
    pub(crate) const ROOT: NodeId = NodeId(0);
    /// The directory that holds relocated directories. It is in no other directory of the tree;
    /// only the view for plain ISO 9660 readers links it.
    pub(crate) const RELOCATED: NodeId = NodeId(1);

    pub(crate) fn new(mtime: i64) -> Self {
        let meta = Meta { mode: 0o755, mtime, ..Meta::default() };
        let directory = || Inode::new(meta, Body::Directory(Entries::new()));
        Self { inodes: vec![directory(), directory()], last_parent: (Vec::new(), Self::ROOT) }
    }

    pub(crate) fn len(&self) -> usize {
        self.inodes.len()
    }

    pub(crate) fn inode(&self, id: NodeId) -> &Inode {
        &self.inodes[id.index()]
    }

    pub(crate) fn set_root(&mut self, meta: Meta) {
        self.inodes[Self::ROOT.index()].meta = Meta { mode: meta.mode & 0o7777, ..meta };
    }

    /// Gives every inode other attributes, by those that it has and whether it is a directory.
    pub(crate) fn change_all(&mut self, change: impl Fn(Meta, bool) -> Meta) {
        for inode in &mut self.inodes {
            inode.meta = change(inode.meta, inode.is_directory());
        }
    }

    /// The entries of a directory; none for anything else.
    pub(crate) fn entries(&self, id: NodeId) -> btree_map::Iter<'_, Box<[u8]>, NodeId> {
        static NONE: Entries = Entries::new();
        match &self.inode(id).body {
            Body::Directory(entries) => entries.iter(),
            _ => NONE.iter(),
        }
    }

    /// Adds a directory, or gives one that is there other attributes.
    pub(crate) fn add_directory(&mut self, path: &[u8], meta: Meta) -> Result<(), Error> {
        match self.find(path).filter(|&id| id != Self::ROOT && self.inode(id).is_directory()) {
            Some(id) => {
                self.inodes[id.index()].meta = Meta { mode: meta.mode & 0o7777, ..meta };
                Ok(())
            }
            None => self.add(path, meta, Body::Directory(Entries::new())),
        }
    }

    /// Adds a new inode under `path`.
    pub(crate) fn add(&mut self, path: &[u8], meta: Meta, body: Body) -> Result<(), Error> {
        let (parent, name) = self.vacancy(path)?;
        let id = NodeId(u32::try_from(self.inodes.len()).map_err(|_| Error::ImageTooLarge)?);
        if matches!(body, Body::Directory(_)) {
            self.inodes[parent.index()].links += 1;
        }
        self.inodes.push(Inode::new(meta, body));
        self.link(parent, name, id);
        Ok(())
    }

    /// Gives the inode at `existing` a second name.
    pub(crate) fn add_link(&mut self, path: &[u8], existing: &[u8]) -> Result<(), Error> {
        check_path(existing)?;
        let id = self
            .find(existing)
            .ok_or_else(|| Error::Missing { path: ImagePath(existing.to_vec()) })?;
        if self.inode(id).is_directory() {
            return Err(Error::LinkToDirectory { path: ImagePath(existing.to_vec()) });
        }
        let (parent, name) = self.vacancy(path)?;
        self.inodes[id.index()].links += 1;
        self.link(parent, name, id);
        Ok(())
    }

    /// The inode at `path`.
    pub(crate) fn find(&self, path: &[u8]) -> Option<NodeId> {
        if path.is_empty() {
            return Some(Self::ROOT);
        }
        path.split(|&b| b == b'/').try_fold(Self::ROOT, |at, name| {
            let Body::Directory(entries) = &self.inode(at).body else { return None };
            entries.get(name).copied()
        })
    }

    /// The directory that is to hold `path` and the name in it, which is free.
    fn vacancy<'p>(&mut self, path: &'p [u8]) -> Result<(NodeId, &'p [u8]), Error> {
        check_path(path)?;
        let split = path.iter().rposition(|&b| b == b'/');
        let (above, name) = split.map_or((&b""[..], path), |at| (&path[..at], &path[at + 1..]));
        if self.last_parent.0 != above {
            let id = self
                .find(above)
                .ok_or_else(|| Error::NoParent { path: ImagePath(path.to_vec()) })?;
            self.last_parent = (above.to_vec(), id);
        }
        let parent = self.last_parent.1;
        let Body::Directory(entries) = &self.inode(parent).body else {
            let above = ImagePath(above.to_vec());
            return Err(Error::NotADirectory { path: ImagePath(path.to_vec()), above });
        };
        if entries.contains_key(name) {
            return Err(Error::Exists { path: ImagePath(path.to_vec()) });
        }
        Ok((parent, name))
    }

    fn link(&mut self, parent: NodeId, name: &[u8], id: NodeId) {
        if let Body::Directory(entries) = &mut self.inodes[parent.index()].body {
            entries.insert(name.into(), id);
        }
    }

    /// Walks all entries but the root: a directory before its entries, these in order.
    pub(crate) fn walk(&self) -> Walk<'_> {
        Walk { tree: self, stack: vec![self.entries(Self::ROOT)] }
    }

    /// The first path of an inode, for messages. It searches the whole tree.
    pub(crate) fn path_of(&self, wanted: NodeId) -> ImagePath {
        let mut path: Vec<&[u8]> = Vec::new();
        for (depth, name, id) in self.walk() {
            path.truncate(depth - 1);
            path.push(name);
            if id == wanted {
                return ImagePath(path.join(&b'/'));
            }
        }
        ImagePath(Vec::new())
    }
}

/// The walk of [`Tree::walk`]: depth (1 in the root), name, inode.
pub(crate) struct Walk<'t> {
    tree: &'t Tree,
    stack: Vec<btree_map::Iter<'t, Box<[u8]>, NodeId>>,
}

impl<'t> Iterator for Walk<'t> {
    type Item = (usize, &'t [u8], NodeId);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let depth = self.stack.len();
            match self.stack.last_mut()?.next() {
                None => drop(self.stack.pop()),
                Some((name, &id)) => {
                    if self.tree.inode(id).is_directory() {
                        self.stack.push(self.tree.entries(id));
                    }
                    return Some((depth, name, id));
                }
            }
        }
    }
}

/// Refuses paths that are not relative lists of proper names.
fn check_path(path: &[u8]) -> Result<(), Error> {
    let bad = |reason| Err(Error::BadPath { path: ImagePath(path.to_vec()), reason });
    for name in path.split(|&b| b == b'/') {
        match name {
            b"" => return bad("an empty name; paths are relative and without '//' or a last '/'"),
            b"." | b".." => return bad("'.' and '..' are no names"),
            _ if name.contains(&0) => return bad("a name holds a NUL byte"),
            _ if name.len() > NAME_MAX => {
                let path = ImagePath(path.to_vec());
                return Err(Error::NameTooLong { path, length: name.len(), limit: NAME_MAX });
            }
            _ => {}
        }
    }
    Ok(())
}
