//! An image's tree, in memory.

use std::ops::Range;

use super::input::Input;
use super::problem::{Problem, ReadError};
use super::scan::Scan;
use super::volume::{self, Volume, Volumes};
use crate::error::ImagePath;
use crate::tree::{DeviceKind, Meta};

/// Which names to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// Those of Rock Ridge.
    RockRidge,
    /// Those of Joliet.
    Joliet,
    /// The plain ones of ISO 9660.
    Plain,
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A symbolic link and its target.
    Symlink(Vec<u8>),
    /// A device and its numbers.
    Device(DeviceKind, u32, u32),
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
}

/// A piece of a file's content: bytes of the image. A large file has several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Piece {
    /// Where it starts in the image, in bytes.
    pub start: u64,
    /// Its length in bytes.
    pub length: u64,
}

/// An entry of an image.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its name, empty for the root.
    pub name: Box<[u8]>,
    /// What it is.
    pub kind: Kind,
    /// Mode, owner, time. Without Rock Ridge all may read, and root owns it.
    pub meta: Meta,
    /// How many names it has, as the image says.
    pub links: u32,
    /// Its inode number, 0 if the image has none.
    pub serial: u32,
    /// Its content, in order.
    pub pieces: Vec<Piece>,
    /// Whether what is there is compressed by zisofs, which is not read here.
    pub compressed: bool,
    pub(crate) parent: u32,
    /// Bytes of its path.
    pub(crate) path_length: u32,
    pub(crate) children: Range<u32>,
}

impl Entry {
    /// The size of the content in bytes.
    pub fn size(&self) -> u64 {
        self.pieces.iter().fold(0, |sum, piece| sum.saturating_add(piece.length))
    }
}

/// An image, open for reading.
#[derive(Debug)]
pub struct Reader<I> {
    pub(crate) input: I,
    pub(crate) length: u64,
    volumes: Volumes,
    names: Names,
    entries: Vec<Entry>,
    problems: Vec<Problem>,
}

impl<I: Input> Reader<I> {
    /// Reads the tree with the best names there are.
    ///
    /// # Errors
    /// If there is no ISO 9660 volume. What is wrong with entries is in [`Self::problems`].
    pub fn open(input: I) -> Result<Self, ReadError> {
        Self::open_as(input, None)
    }

    /// Reads the tree with certain names.
    ///
    /// # Errors
    /// Also if the image has no such names.
    pub fn open_as(input: I, wanted: Option<Names>) -> Result<Self, ReadError> {
        let length = input.size()?;
        let volumes = volume::read(&input)?;
        let mut scan = Scan::new(&input, length, &volumes.primary);
        let names = match wanted {
            Some(names) => names,
            None if scan.has_rock_ridge() => Names::RockRidge,
            None if volumes.joliet.is_some() => Names::Joliet,
            None => Names::Plain,
        };
        match names {
            Names::RockRidge if !scan.has_rock_ridge() => {
                return Err(ReadError::NoSuchNames("Rock Ridge"));
            }
            Names::Joliet => {
                let joliet = volumes.joliet.as_ref().ok_or(ReadError::NoSuchNames("Joliet"))?;
                scan = Scan::new(&input, length, joliet);
            }
            Names::RockRidge | Names::Plain => {}
        }
        let (entries, problems) = scan.run(names);
        Ok(Self { length, volumes, names, entries, problems, input })
    }

    /// The bytes of the image.
    pub fn size(&self) -> u64 {
        self.length
    }

    /// The primary volume.
    pub fn volume(&self) -> &Volume {
        &self.volumes.primary
    }

    /// The volume whose names are read.
    pub fn own_volume(&self) -> &Volume {
        match (self.names, &self.volumes.joliet) {
            (Names::Joliet, Some(joliet)) => joliet,
            _ => &self.volumes.primary,
        }
    }

    /// Whether there are Joliet names, whichever are read.
    pub fn has_joliet(&self) -> bool {
        self.volumes.joliet.is_some()
    }

    /// The sector of the El Torito boot catalog, if the image is bootable.
    pub fn boot_catalog(&self) -> Option<u32> {
        self.volumes.boot_catalog
    }

    /// The names that are read.
    pub fn names(&self) -> Names {
        self.names
    }

    /// What is wrong with entries. They are not in the tree.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// All entries, directories before what is in them, the root first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entries of a directory, sorted by name.
    pub fn children(&self, entry: &Entry) -> &[Entry] {
        &self.entries[entry.children.start as usize..entry.children.end as usize]
    }

    /// The entry at a path.
    pub fn find(&self, path: impl AsRef<[u8]>) -> Option<&Entry> {
        let names = path.as_ref().split(|&b| b == b'/').filter(|name| !name.is_empty());
        names.into_iter().try_fold(self.entries.first()?, |at, name| {
            let children = self.children(at);
            let index = children.binary_search_by(|child| (*child.name).cmp(name)).ok()?;
            Some(&children[index])
        })
    }

    /// Visits all entries but the root with their paths: a directory before its entries, these by
    /// name.
    ///
    /// # Errors
    /// The first that `visit` returns.
    pub fn walk<'r, E>(
        &'r self,
        mut visit: impl FnMut(&[u8], &'r Entry) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(root) = self.entries.first() else { return Ok(()) };
        let mut path: Vec<u8> = Vec::new();
        let mut stack = vec![(self.children(root).iter(), 0)];
        while let Some((children, length)) = stack.last_mut() {
            path.truncate(*length);
            let Some(entry) = children.next() else {
                stack.pop();
                continue;
            };
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(&entry.name);
            visit(&path, entry)?;
            if entry.kind == Kind::Directory {
                stack.push((self.children(entry).iter(), path.len()));
            }
        }
        Ok(())
    }

    /// The path of an entry of this reader.
    pub fn path(&self, entry: &Entry) -> ImagePath {
        path_of(&self.entries, entry)
    }
}

/// The path of an entry; it ends at the root, whose name is empty.
pub(crate) fn path_of(entries: &[Entry], entry: &Entry) -> ImagePath {
    let mut names: Vec<&[u8]> = Vec::new();
    let mut at = Some(entry);
    while let Some(entry) = at.filter(|entry| !entry.name.is_empty()) {
        names.push(&entry.name);
        at = entries.get(entry.parent as usize);
    }
    names.reverse();
    ImagePath(names.join(&b'/'))
}
