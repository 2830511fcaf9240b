//! What a tar is when it is unpacked: its members by their paths, later over earlier, with the
//! times that trees don't keep.
//!
//! As GNU tar unpacks: what comes a second time takes the place of the first, whatever both are;
//! only a directory that is not empty stays. A file that had hard links lives on under the others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::TarError;
use super::members::{Members, Raw, kind};
use crate::tree::{Blob, Content, Entry, Kind, Tree, TreePath, attributes};

/// A member: what a tree has of it, and its time.
#[derive(Debug, Clone)]
pub struct Member {
    /// What it is.
    pub entry: Entry,
    /// Time of the last change of its content, seconds since 1970.
    pub mtime: i64,
}

/// A tar, read.
#[derive(Debug, Default)]
pub struct Archive {
    /// What it says of the root itself.
    pub root: Option<Member>,
    /// Everything else. Directories that are taken for granted are not in it.
    pub members: BTreeMap<TreePath, Member>,
    /// Attributes that could not be kept: path and name.
    pub lost: Vec<(TreePath, String)>,
    /// The other names of each file that has some.
    links: BTreeMap<TreePath, BTreeSet<TreePath>>,
    /// Bytes of sparse files with their holes.
    sparse: u64,
}

impl Archive {
    /// Reads an uncompressed tar. Sparse files may have `sparse_max` bytes together.
    ///
    /// # Errors
    /// [`TarError`], which names the entry.
    pub fn read(blob: &Arc<Blob>, sparse_max: u64) -> Result<Self, TarError> {
        let mut archive = Self::default();
        let mut members = Members::of(blob)?;
        while let Some(raw) = members.next()? {
            archive.take(blob, raw, sparse_max)?;
        }
        Ok(archive)
    }

    fn take(&mut self, blob: &Arc<Blob>, raw: Raw, sparse_max: u64) -> Result<(), TarError> {
        // From the root on or not (`tar -P`): it is unpacked there.
        let path = TreePath::new(&raw.path)?;
        let kind = self.kind(blob, &path, &raw)?;
        if raw.sparse {
            self.sparse = self.sparse.saturating_add(raw.content.len);
            if self.sparse > sparse_max {
                return Err(TarError::Sparse(path, self.sparse, sparse_max));
            }
        }
        let (attributes, lost) = attributes::of_records(raw.records.iter());
        let named = |name: &Vec<u8>| (path.clone(), String::from_utf8_lossy(name).into_owned());
        self.lost.extend(lost.iter().map(named));
        let mode = if matches!(kind, Kind::Symlink(_)) { 0o777 } else { raw.mode };
        let entry = Entry { mode, uid: raw.uid, gid: raw.gid, kind, attributes };
        let member = Member { entry, mtime: raw.mtime };
        if path.is_root() {
            self.root = member.entry.is_directory().then_some(member);
            return Ok(());
        }
        self.insert(path, member)
    }

    fn kind(&self, blob: &Arc<Blob>, path: &TreePath, raw: &Raw) -> Result<Kind, TarError> {
        let (major, minor) = raw.device;
        Ok(match raw.kind {
            kind::FILE | kind::SPARSE => Kind::File(Content::pieces(blob, raw.content.clone())),
            kind::DIRECTORY => Kind::Directory,
            kind::SYMLINK => Kind::Symlink(raw.link.clone()),
            kind::HARD_LINK => self.hardlink(path, &raw.link)?,
            kind::FIFO => Kind::Fifo,
            kind::BLOCK => Kind::Device { block: true, major, minor },
            kind::CHARACTER => Kind::Device { block: false, major, minor },
            other => return Err(TarError::Kind(path.clone(), char::from(other))),
        })
    }

    fn hardlink(&self, path: &TreePath, target: &[u8]) -> Result<Kind, TarError> {
        let target = TreePath::new(target).map_err(|e| TarError::Outside(path.clone(), e))?;
        let dangling = |why| Err(TarError::Dangling(path.clone(), target.clone(), why));
        match self.members.get(&target).map(|member| &member.entry.kind) {
            None => dangling("which is not before it in the tar"),
            Some(Kind::Directory) => dangling("which is a directory"),
            // A link to a link is one to its file.
            Some(Kind::Hardlink(first)) => Ok(Kind::Hardlink(first.clone())),
            Some(_) => Ok(Kind::Hardlink(target)),
        }
    }

    fn insert(&mut self, path: TreePath, mut member: Member) -> Result<(), TarError> {
        self.check_parents(&path)?;
        if let Kind::Hardlink(first) = &member.entry.kind {
            if *first == path || self.links.get(first).is_some_and(|names| names.contains(&path)) {
                // How tar writes a file that it is given twice.
                return Ok(());
            }
            // All names of a file have its owner, mode and attributes: those of the first.
            if let Some(holder) = self.members.get(first) {
                let kind = member.entry.kind;
                member = holder.clone();
                member.entry.kind = kind;
            }
        }
        let is_directory = member.entry.is_directory();
        if !is_directory && self.has_below(&path) {
            return Err(TarError::NotEmpty(path));
        }
        self.release(&path);
        if let Kind::Hardlink(first) = &member.entry.kind {
            self.links.entry(first.clone()).or_default().insert(path.clone());
        }
        self.members.insert(path, member);
        Ok(())
    }

    /// All that a path goes through has to be a directory.
    fn check_parents(&self, path: &TreePath) -> Result<(), TarError> {
        let mut above = path.parent();
        while let Some(parent) = above.filter(|parent| !parent.is_root()) {
            if self.members.get(&parent).is_some_and(|member| !member.entry.is_directory()) {
                return Err(TarError::Through(path.clone(), parent));
            }
            above = parent.parent();
        }
        Ok(())
    }

    fn has_below(&self, path: &TreePath) -> bool {
        // All below a directory follow it without a gap.
        let mut after = self.members.range(path.clone()..).filter(|(other, _)| *other != path);
        after.next().is_some_and(|(next, _)| next.is_below(path))
    }

    /// Takes a path out of the hard links: what it held goes to the first of the other names.
    fn release(&mut self, path: &TreePath) {
        let Some(old) = self.members.remove(path) else { return };
        if let Kind::Hardlink(first) = &old.entry.kind
            && let Some(names) = self.links.get_mut(first)
        {
            names.remove(path);
        }
        let mut names = self.links.remove(path).unwrap_or_default();
        let Some(heir) = names.pop_first() else { return };
        for name in &names {
            if let Some(member) = self.members.get_mut(name) {
                member.entry.kind = Kind::Hardlink(heir.clone());
            }
        }
        self.links.insert(heir.clone(), names);
        self.members.insert(heir, old);
    }

    /// The tree, without times.
    pub fn into_tree(self) -> Tree {
        let mut tree = Tree::new();
        for (path, member) in self.members {
            tree.insert(path, member.entry);
        }
        tree
    }
}
