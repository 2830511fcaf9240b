//! Reading contents, which must have the lengths that were laid out.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::batch::BATCH;
use super::{Batch, Part};
use crate::error::{Error, ImagePath};
use crate::layout::Layout;
use crate::source::{Extent, Source};

/// A buffer for a batch. The byte more is to see whether a file has grown.
pub(crate) fn buffer() -> Vec<u8> {
    vec![0; BATCH + 1]
}

/// Why a content could not be had.
pub(crate) enum Failure {
    Unreadable(io::Error),
    /// The image took no more.
    Unwritable(io::Error),
    /// It is shorter or longer than it was.
    Changed,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error)
    }
}

impl Failure {
    /// The error that names a file of a layout.
    pub(crate) fn of(self, layout: &Layout<'_>, file: usize) -> Error {
        let (source, expected) = layout.source(file);
        self.named(layout.tree.path_of(layout.files[file]), source, expected)
    }

    /// The error that names a path.
    pub(crate) fn named(self, path: ImagePath, source: &Source, expected: u64) -> Error {
        match self {
            Self::Changed => Error::SizeChanged { path, expected },
            Self::Unwritable(error) => Error::Write(error),
            Self::Unreadable(error) => {
                Error::Source { path, source_path: source.host_path().to_owned(), source: error }
            }
        }
    }
}

/// Reads all of a content that is small enough for memory.
pub(crate) fn read_source(source: &Source, len: u64) -> Result<Vec<u8>, Failure> {
    let mut content = vec![0; len as usize + 1];
    whole(source, &mut content)?;
    content.pop();
    Ok(content)
}

/// Reads a batch into `buffer` and returns how many bytes it has, with zeros between the files.
pub(crate) fn fill(layout: &Layout<'_>, batch: &Batch, buffer: &mut [u8]) -> Result<usize, Error> {
    let (start, span) = batch.span(layout);
    match batch {
        Batch::Part(Part { file, from, len }) => {
            let (source, size) = layout.source(*file);
            let target = &mut buffer[..*len as usize];
            part(source, size, *from, target).map_err(|failure| failure.of(layout, *file))?;
        }
        Batch::Files(files) => {
            let mut filled = 0;
            for file in files.clone() {
                let extent = layout.extent(file);
                let at = (extent.start - start) as usize;
                let end = (extent.end - start) as usize;
                buffer[filled..at].fill(0);
                // The byte after the content is free: what comes next is read later.
                whole(layout.source(file).0, &mut buffer[at..=end])
                    .map_err(|failure| failure.of(layout, file))?;
                filled = end;
            }
        }
    }
    Ok(span as usize)
}

/// Reads a whole content into all of `target` but its last byte.
fn whole(source: &Source, target: &mut [u8]) -> Result<(), Failure> {
    let len = target.len() - 1;
    match source {
        Source::Bytes(bytes) => target[..len].copy_from_slice(bytes),
        Source::Range { file, offset, .. } => exactly(file, *offset, &mut target[..len])?,
        Source::Sparse { file, extents, .. } => sparse(file, extents, 0, &mut target[..len])?,
        Source::Path(path) | Source::Sized { path, .. } => whole_file(path, target)?,
    }
    Ok(())
}

/// One call to read is enough for most files: a short answer is the end of the file.
fn whole_file(path: &Path, target: &mut [u8]) -> Result<(), Failure> {
    let len = target.len() - 1;
    let mut file = File::open(path)?;
    let mut have = 0;
    while have < len {
        match file.read(&mut target[have..]) {
            Ok(0) => return Err(Failure::Changed),
            Ok(got) => have += got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    if have == len { Ok(()) } else { Err(Failure::Changed) }
}

/// Reads a part of a large content.
fn part(source: &Source, size: u64, from: u64, target: &mut [u8]) -> Result<(), Failure> {
    match source {
        Source::Bytes(bytes) => {
            let from = from as usize;
            target.copy_from_slice(&bytes[from..from + target.len()]);
            Ok(())
        }
        Source::Range { file, offset, .. } => exactly(file, offset + from, target),
        Source::Sparse { file, extents, .. } => sparse(file, extents, from, target),
        Source::Path(path) | Source::Sized { path, .. } => {
            exactly(&open_large(path, size)?, from, target)
        }
    }
}

/// Reads a part of a content with holes, which are zeros.
fn sparse(file: &File, extents: &[Extent], from: u64, target: &mut [u8]) -> Result<(), Failure> {
    target.fill(0);
    let end = from + target.len() as u64;
    for extent in Extent::between(extents, from, end) {
        let at = (extent.at - from) as usize;
        exactly(file, extent.from, &mut target[at..at + extent.len as usize])?;
    }
    Ok(())
}

/// Opens a file that is worked on in parts.
pub(crate) fn open_large(path: &Path, size: u64) -> Result<File, Failure> {
    let file = File::open(path)?;
    if file.metadata()?.len() == size { Ok(file) } else { Err(Failure::Changed) }
}

fn exactly(file: &File, offset: u64, target: &mut [u8]) -> Result<(), Failure> {
    file.read_exact_at(target, offset).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => Failure::Changed,
        _ => Failure::Unreadable(error),
    })
}
