//! The forward pass: writes what the layout has placed, front to back. Contents take the way of
//! [`crate::contents`].

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::panic::resume_unwind;
use std::thread;

use crate::contents::batch::BATCH;
use crate::contents::ordered::{self, Large, Turn};
use crate::contents::positioned;
use crate::descriptor::{self, Volume};
use crate::directory::Bytes;
use crate::error::Error;
use crate::layout::{Layout, Placed};
use crate::pathtable::{self, Order};
use crate::sector::Sector;

/// Small writes are gathered up to this many bytes.
const BUFFER: usize = 1 << 18;

/// Writes an image to a stream.
pub(crate) fn stream(layout: &Layout<'_>, out: &mut impl Write) -> Result<(), Error> {
    let mut out = Forward { out, at: 0 };
    out.buffered(|out| metadata(layout, out))?;
    ordered::copy(layout, Large::Read, BATCH as u64, |turn| {
        if let Turn::Bytes { offset, bytes } = turn {
            out.skip_to(offset)?;
            out.put(bytes)?;
        }
        Ok(())
    })?;
    let backup = layout.boot.backup(layout.end, &seed(layout)?);
    out.skip_to(layout.end.offset() - backup.len() as u64)?;
    out.put(&backup)?;
    Ok(out.out.flush()?)
}

/// Writes an image to a regular file, whatever was in it before.
pub(crate) fn file(layout: &Layout<'_>, out: &File) -> Result<(), Error> {
    // Emptied first, so that all that is not written reads as zeros. Not if it is empty: ext4 writes
    // a file that was cut to nothing to the disk when it is closed, and makes the caller wait.
    if out.metadata()?.len() > 0 {
        out.set_len(0)?;
    }
    out.set_len(layout.end.offset())?;
    let backup = layout.boot.backup(layout.end, &seed(layout)?);
    out.write_all_at(&backup, layout.end.offset() - backup.len() as u64)?;
    let front = || {
        let mut front = Forward { out: &mut At { file: out, offset: 0 }, at: 0 };
        front.buffered(|out| metadata(layout, out))
    };
    thread::scope(|scope| {
        let front = scope.spawn(front);
        let contents = positioned::copy(layout, out);
        front.join().unwrap_or_else(|panic| resume_unwind(panic)).and(contents)
    })
}

/// What the identifiers of a disk are made of: the primary descriptor.
fn seed(layout: &Layout<'_>) -> Result<Vec<u8>, Error> {
    volume_descriptor(layout, &layout.views[0])
}

fn volume_descriptor(layout: &Layout<'_>, placed: &Placed<'_>) -> Result<Vec<u8>, Error> {
    let volume = Volume {
        options: layout.options,
        alphabet: placed.alphabet,
        sectors: layout.end,
        tables: placed.tables,
        root_record: &layout.records(placed).root_record()?,
    };
    volume.descriptor()
}

/// Writes everything in front of the contents.
fn metadata(layout: &Layout<'_>, out: &mut Forward<'_, impl Write>) -> Result<(), Error> {
    out.put(&layout.boot.system_area(layout.end, &seed(layout)?))?;
    out.skip_to(Sector(descriptor::FIRST).offset())?;
    let mut boot_record = layout.boot.descriptor();
    for placed in &layout.views {
        out.put(&volume_descriptor(layout, placed)?)?;
        // El Torito wants it second.
        out.put(&boot_record.take().unwrap_or_default())?;
    }
    out.put(&descriptor::terminator())?;
    out.put(&layout.boot.catalog_bytes().unwrap_or_default())?;
    for placed in &layout.views {
        let tables = [(placed.tables.little, Order::Little), (placed.tables.big, Order::Big)];
        for (start, order) in tables {
            out.skip_to(start.offset())?;
            out.put(&pathtable::bytes(&placed.view, order))?;
        }
    }
    let mut bytes = Bytes::default();
    for placed in &layout.views {
        let records = layout.records(placed);
        for directory in layout.directories(placed) {
            records.directory(directory, &mut bytes)?;
            out.skip_to(directory.place.start.offset())?;
            out.put(&bytes.records)?;
            out.put(&bytes.area.bytes)?;
        }
    }
    Ok(())
}

/// A stream that knows how far it is.
struct Forward<'a, W> {
    out: &'a mut W,
    at: u64,
}

impl<W: Write> Forward<'_, W> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.at += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    /// Gathers the small writes of `write`.
    fn buffered(
        &mut self,
        write: impl FnOnce(&mut Forward<'_, BufWriter<&mut W>>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut gathered = BufWriter::with_capacity(BUFFER, &mut *self.out);
        let mut forward = Forward { out: &mut gathered, at: self.at };
        write(&mut forward)?;
        self.at = forward.at;
        Ok(gathered.flush()?)
    }

    /// Writes zeros up to a place in the image.
    fn skip_to(&mut self, offset: u64) -> io::Result<()> {
        static ZEROS: [u8; 32_768] = [0; 32_768];
        let mut left = offset
            .checked_sub(self.at)
            .ok_or_else(|| io::Error::other("a size changed between layout and writing"))?;
        while left > 0 {
            let part = left.min(ZEROS.len() as u64);
            self.put(&ZEROS[..part as usize])?;
            left -= part;
        }
        Ok(())
    }
}

/// A file, written from some place on.
struct At<'a> {
    file: &'a File,
    offset: u64,
}

impl Write for At<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write_at(bytes, self.offset)?;
        self.offset += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
