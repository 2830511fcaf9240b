//! The layout: everything gets its place before the first byte is written.
//!
//! ```text
//!  sector 0   system area, 16 sectors
//!         16  volume descriptors: primary, El Torito, Joliet, terminator
//!         …   boot catalog
//!         …   path tables: ISO 9660 L and M, Joliet L and M
//!         …   directories of the ISO 9660 view, each with its continuation area
//!         …   directories of the Joliet view
//!         …   file contents, in the order of the tree
//!         …   zeros up to 64 KiB
//!         …   for a disk: zeros to a full mebibyte, the copy of the GPT
//! ```
//!
//! Both views name the same contents, and hard links name one content many times.

use std::ops::Range;
use std::panic::resume_unwind;
use std::thread;

use crate::boot::{Boot, Plan};
use crate::descriptor::{self, PathTables};
use crate::directory::{Alphabet, Bytes, Writer};
use crate::error::Error;
use crate::image::Summary;
use crate::joliet;
use crate::options::Options;
use crate::pathtable;
use crate::primary;
use crate::sector::{Allocator, Sector};
use crate::source::Source;
use crate::tree::{Body, NodeId, Tree};
use crate::view::{Directory, Place, View};

/// Smaller images are padded to that many sectors. libarchive looks at the first 24 at once, and
/// takes what is shorter for an empty archive.
const SECTORS_MIN: u64 = 32;

/// Bytes of a directory.
#[derive(Clone, Copy)]
struct Size {
    records: u32,
    continuation: u64,
}

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
    pub boot: Plan<'t>,
    /// The size of the image.
    pub end: Sector,
}

impl<'t> Layout<'t> {
    /// Lays out an image.
    pub(crate) fn new(tree: &'t Tree, options: &'t Options, boot: &'t Boot) -> Result<Self, Error> {
        options.check()?;
        let (primary, joliet) = thread::scope(|scope| {
            let joliet = scope.spawn(|| joliet::build(tree, options.joliet));
            (
                primary::build(tree, options),
                joliet.join().unwrap_or_else(|panic| resume_unwind(panic)),
            )
        });
        let mut views = vec![Placed::new(primary?, Alphabet::Ascii)];
        views.extend(joliet?.map(|view| Placed::new(view, Alphabet::Ucs2)));
        let mut layout = Self {
            tree,
            options,
            views,
            files: Vec::new(),
            contents: vec![Sector(0); tree.len()],
            serials: vec![0; tree.len()],
            file_count: 0,
            boot: Plan::new(tree, boot)?,
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

    /// Where the content of a file lies in the image, in bytes; files as in [`Self::files`].
    pub(crate) fn extent(&self, file: usize) -> Range<u64> {
        let node = self.files[file];
        let start = self.contents[node.index()].offset();
        start..start + self.tree.inode(node).len()
    }

    /// Where the content of a file comes from, and its length.
    pub(crate) fn source(&self, file: usize) -> (&Source, u64) {
        static NOTHING: Source = Source::Bytes(Vec::new());
        let node = self.files[file];
        match &self.tree.inode(node).body {
            Body::File { len, .. } if let Some(patched) = self.boot.patched(node) => {
                (patched, *len)
            }
            Body::File { source, len } => (source, *len),
            _ => (&NOTHING, 0),
        }
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
        let bootable = u64::from(self.boot.is_bootable());
        let descriptors = self.views.len() as u64 + 1 + bootable;
        let mut sectors = Allocator::starting_at(u64::from(descriptor::FIRST) + descriptors);
        self.boot.catalog = sectors.take(bootable)?;
        for placed in &mut self.views {
            let size = pathtable::size(&placed.view);
            let little = sectors.take(u64::from(size))?;
            placed.tables = PathTables { size, little, big: sectors.take(u64::from(size))? };
        }
        let measured = self.measure()?;
        for (placed, sizes) in self.views.iter_mut().zip(measured) {
            for index in placed.view.reading_order() {
                let Size { records, continuation } = sizes[index];
                placed.view.directories[index].place = Place {
                    length: records,
                    start: sectors.take(u64::from(records))?,
                    continuation: sectors.take(continuation)?,
                };
            }
        }
        for &node in &self.files {
            let len = self.tree.inode(node).len();
            sectors.align(self.options.alignment_of(len));
            self.contents[node.index()] = sectors.take(len)?;
        }
        sectors.pad_to(SECTORS_MIN);
        let (multiple, tail) = self.boot.tail();
        sectors.take(tail)?;
        sectors.align(multiple.into());
        self.end = sectors.used()?;
        self.boot.place(self.tree, &self.contents)
    }

    /// Takes the sizes of all directories, the views side by side.
    fn measure(&self) -> Result<Vec<Vec<Size>>, Error> {
        thread::scope(|scope| {
            let measure = |placed| scope.spawn(move || self.measure_view(placed));
            let threads: Vec<_> = self.views.iter().map(measure).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)))
                .collect()
        })
    }

    /// Takes the size of each directory by writing it once with no places in it.
    fn measure_view(&self, placed: &Placed<'_>) -> Result<Vec<Size>, Error> {
        let writer = self.records(placed);
        let mut bytes = Bytes::default();
        let mut sizes = Vec::with_capacity(placed.view.directories.len());
        for directory in &placed.view.directories {
            writer.directory(directory, &mut bytes)?;
            let length = bytes.records.len() as u64;
            let too_large = |_| {
                let path = self.tree.path_of(directory.node);
                Error::DirectoryTooLarge { path, length }
            };
            let records = u32::try_from(length).map_err(too_large)?;
            sizes.push(Size { records, continuation: bytes.area.bytes.len() as u64 });
        }
        Ok(sizes)
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
