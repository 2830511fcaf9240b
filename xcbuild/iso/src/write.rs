//! The forward pass: writes what the layout has placed, front to back.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;

use crate::descriptor::{self, Volume};
use crate::directory::Bytes;
use crate::error::Error;
use crate::layout::Layout;
use crate::pathtable::{self, Order};
use crate::sector::Sector;
use crate::source::Source;
use crate::tree::{Body, NodeId};

/// How much of a content is in memory at a time.
const BUFFER: usize = 1 << 20;

/// Writes an image to a stream.
pub(crate) fn stream(layout: &Layout<'_>, out: &mut impl Write) -> Result<(), Error> {
    let mut out = Forward { out, at: 0 };
    metadata(layout, &mut out)?;
    let mut buffer = vec![0; BUFFER];
    for &node in &layout.files {
        out.skip_to(layout.content(node))?;
        content(layout, node, &mut buffer, &mut out)?;
    }
    out.skip_to(layout.end)?;
    out.out.flush()?;
    Ok(())
}

/// Writes everything in front of the contents.
fn metadata(layout: &Layout<'_>, out: &mut Forward<'_, impl Write>) -> Result<(), Error> {
    out.skip_to(Sector(descriptor::FIRST))?;
    for placed in &layout.views {
        let volume = Volume {
            options: layout.options,
            alphabet: placed.alphabet,
            sectors: layout.end,
            tables: placed.tables,
            root_record: &layout.records(placed).root_record()?,
        };
        out.put(&volume.descriptor()?)?;
    }
    out.put(&descriptor::terminator())?;
    for placed in &layout.views {
        let tables = [(placed.tables.little, Order::Little), (placed.tables.big, Order::Big)];
        for (start, order) in tables {
            out.skip_to(start)?;
            out.put(&pathtable::bytes(&placed.view, order))?;
        }
    }
    let mut bytes = Bytes::default();
    for placed in &layout.views {
        let records = layout.records(placed);
        for directory in layout.directories(placed) {
            records.directory(directory, &mut bytes)?;
            out.skip_to(directory.place.start)?;
            out.put(&bytes.records)?;
            out.put(&bytes.area.bytes)?;
        }
    }
    Ok(())
}

/// Copies the content of a file, which must have the length that was laid out.
fn content(
    layout: &Layout<'_>,
    node: NodeId,
    buffer: &mut [u8],
    out: &mut Forward<'_, impl Write>,
) -> Result<(), Error> {
    let Body::File { source, len } = &layout.tree.inode(node).body else { return Ok(()) };
    let unreadable = |error| Error::Source {
        path: layout.tree.path_of(node),
        source_path: source.host_path().to_owned(),
        source: error,
    };
    let changed = || Error::SizeChanged { path: layout.tree.path_of(node), expected: *len };
    match source {
        Source::Bytes(bytes) => out.put(bytes)?,
        Source::Path(path) | Source::Sized { path, .. } => {
            let mut file = File::open(path).map_err(unreadable)?;
            let mut left = *len;
            while left > 0 {
                let room = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                let got = file.read(&mut buffer[..room]).map_err(unreadable)?;
                if got == 0 {
                    return Err(changed());
                }
                out.put(&buffer[..got])?;
                left -= got as u64;
            }
            if file.read(&mut buffer[..1]).map_err(unreadable)? > 0 {
                return Err(changed());
            }
        }
        Source::Range { file, offset, .. } => {
            let (mut at, end) = (*offset, offset + len);
            while at < end {
                let room = buffer.len().min(usize::try_from(end - at).unwrap_or(usize::MAX));
                let got = file.read_at(&mut buffer[..room], at).map_err(unreadable)?;
                if got == 0 {
                    return Err(changed());
                }
                out.put(&buffer[..got])?;
                at += got as u64;
            }
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

    /// Writes zeros up to a sector.
    fn skip_to(&mut self, sector: Sector) -> io::Result<()> {
        static ZEROS: [u8; 32_768] = [0; 32_768];
        let mut left = sector
            .offset()
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
