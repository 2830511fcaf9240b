//! The layout: everything gets its place before the first byte is written.
//!
//! ```text
//!  sector 0   system area, 16 sectors
//!         16  volume descriptors: primary, Joliet, terminator
//!         …   path tables: ISO 9660 L and M, Joliet L and M
//!         …   directories of the ISO 9660 view, each with its continuation area
//!         …   directories of the Joliet view
//!         …   file contents, in the order of the tree
//! ```
//!
//! Both views name the same contents, and hard links name one content many times.

use crate::descriptor::{self, PathTables};
use crate::directory::{Alphabet, Bytes, Writer};
use crate::error::Error;
use crate::image::Summary;
use crate::joliet;
use crate::options::Options;
use crate::pathtable;
use crate::primary;
use crate::sector::{Allocator, Sector};
use crate::tree::{Body, NodeId, Tree};
use crate::view::{Directory, Place, View};

/// A view and where its path tables are.
pub(crate) struct Placed<'t> {
    pub view: View<'t>,
    pub tables: PathTables,
    pub alphabet: Alphabet,
}

/// An image, laid out.
pub(crate) struct Layout<'t> {
    pub tree: &'t Tree,
    pub options: &'t Options,
    /// The ISO 9660 view first.
    pub views: Vec<Placed<'t>>,
    /// Files with content, in the order in which they lie.
    pub files: Vec<NodeId>,
    /// Where the content of each inode starts.
    contents: Vec<Sector>,
    /// The number of each inode, 1 being the root.
    serials: Vec<u32>,
    file_count: u64,
    /// The size of the image.
    pub end: Sector,
}

impl<'t> Layout<'t> {
    /// Lays out an image.
    pub(crate) fn new(tree: &'t Tree, options: &'t Options) -> Result<Self, Error> {
        options.check()?;
        let primary = primary::build(tree, options)?;
        let mut views = vec![Placed::new(primary, Alphabet::Ascii)];
        views.extend(
            joliet::build(tree, options.joliet)?.map(|view| Placed::new(view, Alphabet::Ucs2)),
        );
        let mut layout = Self {
            tree,
            options,
            views,
            files: Vec::new(),
            contents: vec![Sector(0); tree.len()],
            serials: vec![0; tree.len()],
            file_count: 0,
            end: Sector(0),
        };
        layout.number_inodes()?;
        layout.place()?;
        Ok(layout)
    }

    /// What the image amounts to.
    pub(crate) fn summary(&self) -> Summary {
        let relocated = self.views[0].view.place(Tree::RELOCATED) != Place::default();
        Summary {
            bytes: self.end.offset(),
            directories: self.views[0].view.directories.len() as u64 - u64::from(relocated),
            files: self.file_count,
        }
    }

    /// Where the content of a file starts.
    pub(crate) fn content(&self, node: NodeId) -> Sector {
        self.contents[node.index()]
    }

    /// What writes the records of a view.
    pub(crate) fn records<'a>(&'a self, placed: &'a Placed<'_>) -> Writer<'a> {
        Writer {
            tree: self.tree,
            view: &placed.view,
            alphabet: placed.alphabet,
            rock_ridge: self.options.rock_ridge && placed.alphabet == Alphabet::Ascii,
            contents: &self.contents,
            serials: &self.serials,
        }
    }

    /// Numbers the inodes and lists the files in the order of the tree.
    fn number_inodes(&mut self) -> Result<(), Error> {
        self.serials[Tree::ROOT.index()] = 1;
        let mut last = 1;
        for (_, _, node) in self.tree.walk() {
            let serial = &mut self.serials[node.index()];
            if *serial != 0 {
                continue;
            }
            last += 1;
            *serial = last;
            let what = match &self.tree.inode(node).body {
                Body::File { len, .. } => {
                    self.file_count += 1;
                    if *len > 0 {
                        self.files.push(node);
                    }
                    continue;
                }
                Body::Directory(_) => continue,
                Body::Symlink(_) => "symbolic links",
                Body::Device { .. } => "devices",
                Body::Fifo => "named pipes",
                Body::Socket => "sockets",
            };
            if !self.options.rock_ridge {
                return Err(Error::NeedsRockRidge { path: self.tree.path_of(node), what });
            }
        }
        self.serials[Tree::RELOCATED.index()] = last + 1;
        Ok(())
    }

    fn place(&mut self) -> Result<(), Error> {
        let descriptors = self.views.len() as u64 + 1;
        let mut sectors = Allocator::starting_at(u64::from(descriptor::FIRST) + descriptors);
        for placed in &mut self.views {
            let size = pathtable::size(&placed.view);
            let little = sectors.take(u64::from(size))?;
            placed.tables = PathTables { size, little, big: sectors.take(u64::from(size))? };
        }
        for index in 0..self.views.len() {
            let places = self.place_directories(&self.views[index], &mut sectors)?;
            let directories = &mut self.views[index].view.directories;
            for (directory, place) in directories.iter_mut().zip(places) {
                directory.place = place;
            }
        }
        for &node in &self.files {
            sectors.align(self.options.alignment);
            self.contents[node.index()] = sectors.take(self.tree.inode(node).len())?;
        }
        self.end = sectors.used();
        Ok(())
    }

    /// Takes the size of each directory by writing it once with no places in it.
    fn place_directories(
        &self,
        placed: &Placed<'_>,
        allocator: &mut Allocator,
    ) -> Result<Vec<Place>, Error> {
        let writer = self.records(placed);
        let mut bytes = Bytes::default();
        let mut places = vec![Place::default(); placed.view.directories.len()];
        for index in placed.view.reading_order() {
            let node = placed.view.directories[index].node;
            writer.directory(&placed.view.directories[index], &mut bytes)?;
            let length = bytes.records.len() as u64;
            let too_large = |_| Error::DirectoryTooLarge { path: self.tree.path_of(node), length };
            places[index] = Place {
                length: u32::try_from(length).map_err(too_large)?,
                start: allocator.take(length)?,
                continuation: allocator.take(bytes.area.bytes.len() as u64)?,
            };
        }
        Ok(places)
    }

    /// The directories of a view in the order in which they lie.
    pub(crate) fn directories<'a>(
        &self,
        placed: &'a Placed<'t>,
    ) -> impl Iterator<Item = &'a Directory<'t>> {
        let mut directories: Vec<_> = placed.view.directories.iter().collect();
        directories.sort_unstable_by_key(|directory| directory.place.start);
        directories.into_iter()
    }
}

impl<'t> Placed<'t> {
    fn new(view: View<'t>, alphabet: Alphabet) -> Self {
        Self { view, tables: PathTables::default(), alphabet }
    }
}
