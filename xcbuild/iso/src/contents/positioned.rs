//! Contents to a file, each at its place.
//!
//! A file system lets one thread write to a file at a time, and threads that wait for their turn
//! burn the processor: so one writes, in order, while others read small files ahead. Of large files
//! the kernel copies (`copy_file_range`), which costs no trip through this process,
//! and on file systems that can share blocks (btrfs, XFS, with contents aligned to their blocks)
//! copies nothing at all. Holes are skipped: the target is fresh and has zeros there already.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

use rustix::fs::{SeekFrom, copy_file_range, seek};
use rustix::io::Errno;

use super::Part;
use super::ordered::{self, Large, Turn};
use super::read::{self, Failure};
use crate::error::Error;
use crate::layout::Layout;
use crate::source::{Extent, Source};

/// How much of a large file is copied by one call.
const PART: u64 = 1 << 30;

/// Writes all contents to `out`, a fresh file that has its full length.
pub(crate) fn copy(layout: &Layout<'_>, out: &File) -> Result<(), Error> {
    let mut buffer = Vec::new();
    ordered::copy(layout, Large::Leave, PART, |turn| match turn {
        Turn::Bytes { offset, bytes } => Ok(out.write_all_at(bytes, offset)?),
        Turn::Left(part) => copy_part(layout, part, &mut buffer, out),
    })
}

fn copy_part(
    layout: &Layout<'_>,
    part: &Part,
    buffer: &mut Vec<u8>,
    out: &File,
) -> Result<(), Error> {
    let Part { file, from, len } = *part;
    let at = part.offset(layout);
    let (source, size) = layout.source(file);
    let piece = Piece { from, len, at };
    let named = |failure: Failure| failure.of(layout, file);
    match source {
        Source::Bytes(bytes) => {
            let from = from as usize;
            Ok(out.write_all_at(&bytes[from..from + len as usize], at)?)
        }
        Source::Range { file, offset, .. } => {
            piece.shifted(*offset).copy(file, out, buffer).map_err(named)
        }
        Source::Sparse { file, extents, .. } => {
            for extent in Extent::between(extents, from, from + len) {
                let at = at + (extent.at - from);
                let piece = Piece { from: extent.from, len: extent.len, at };
                piece.copy(file, out, buffer).map_err(named)?;
            }
            Ok(())
        }
        Source::Path(path) | Source::Sized { path, .. } => {
            let file = read::open_large(path, size).map_err(named)?;
            copy_data(&file, &piece, out, buffer).map_err(named)
        }
    }
}

/// Some bytes of a source and where they go.
#[derive(Clone, Copy)]
struct Piece {
    from: u64,
    len: u64,
    at: u64,
}

/// Copies a piece without the holes in it.
fn copy_data(file: &File, piece: &Piece, out: &File, buffer: &mut Vec<u8>) -> Result<(), Failure> {
    let found = file.metadata()?;
    if found.blocks() * 512 >= found.len() {
        return piece.copy(file, out, buffer);
    }
    let end = piece.from + piece.len;
    let mut from = piece.from;
    while from < end {
        let data = match seek(file, SeekFrom::Data(from)) {
            Ok(data) => data,
            Err(Errno::NXIO) => return Ok(()), // nothing but a hole is left
            Err(_) => from,
        };
        if data >= end {
            return Ok(());
        }
        let hole = seek(file, SeekFrom::Hole(data)).map_or(end, |hole| hole.min(end));
        let segment = Piece { from: data, len: hole - data, at: piece.at + (data - piece.from) };
        segment.copy(file, out, buffer)?;
        from = hole;
    }
    Ok(())
}

impl Piece {
    fn shifted(self, offset: u64) -> Self {
        Self { from: self.from + offset, ..self }
    }

    /// Lets the kernel copy, or copies by hand what it will not.
    fn copy(self, file: &File, out: &File, buffer: &mut Vec<u8>) -> Result<(), Failure> {
        let (mut from, mut at, mut left) = (self.from, self.at, self.len);
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(usize::MAX);
            match copy_file_range(file, Some(&mut from), out, Some(&mut at), most) {
                Ok(0) => return Err(Failure::Changed),
                Ok(copied) => left -= copied as u64,
                Err(Errno::INTR) => {}
                Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM) => {
                    return Self { from, at, len: left }.copy_by_hand(file, out, buffer);
                }
                Err(error @ (Errno::NOSPC | Errno::DQUOT | Errno::FBIG | Errno::ROFS)) => {
                    return Err(Failure::Unwritable(error.into()));
                }
                Err(error) => return Err(Failure::Unreadable(error.into())),
            }
        }
        Ok(())
    }

    fn copy_by_hand(self, file: &File, out: &File, buffer: &mut Vec<u8>) -> Result<(), Failure> {
        if buffer.is_empty() {
            *buffer = read::buffer();
        }
        let mut done = 0;
        while done < self.len {
            let most = buffer.len().min(usize::try_from(self.len - done).unwrap_or(usize::MAX));
            let got = match file.read_at(&mut buffer[..most], self.from + done) {
                Ok(0) => return Err(Failure::Changed),
                Ok(got) => got,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            out.write_all_at(&buffer[..got], self.at + done).map_err(Failure::Unwritable)?;
            done += got as u64;
        }
        Ok(())
    }
}
