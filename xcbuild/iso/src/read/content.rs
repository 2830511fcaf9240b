//! Reading the content of a file.

use std::io::{self, Read, Seek, SeekFrom};

use super::input::Input;
use super::problem::ReadError;
use super::tree::{Entry, Piece, Reader};

/// The content of a file, piece after piece.
#[derive(Debug)]
pub struct Content<'r, I> {
    input: &'r I,
    pieces: &'r [Piece],
    at: u64,
    size: u64,
    /// The piece that was read last, and where it starts in the content: there may be millions.
    piece: (usize, u64),
}

impl<I: Input> Reader<I> {
    /// The content of an entry; nothing for what is no file.
    ///
    /// # Errors
    /// If the image ends before the content does, or has it compressed.
    pub fn content<'r>(&'r self, entry: &'r Entry) -> Result<Content<'r, I>, ReadError> {
        if entry.compressed {
            return Err(ReadError::Compressed { path: self.path(entry) });
        }
        let inside = |piece: &Piece| {
            piece.start.checked_add(piece.length).is_some_and(|end| end <= self.length)
        };
        if !entry.pieces.iter().all(inside) {
            return Err(ReadError::Truncated { path: self.path(entry) });
        }
        let (input, pieces, size) = (&self.input, &entry.pieces[..], entry.size());
        Ok(Content { input, pieces, at: 0, size, piece: (0, 0) })
    }
}

impl<I: Input> Read for Content<'_, I> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(piece) = self.pieces.get(self.piece.0) {
            let from = self.at - self.piece.1;
            if from < piece.length {
                let left = usize::try_from(piece.length - from).unwrap_or(usize::MAX);
                let most = buffer.len().min(left);
                let got = self.input.read_at(&mut buffer[..most], piece.start + from)?;
                if got == 0 && most > 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                self.at += got as u64;
                return Ok(got);
            }
            self.piece = (self.piece.0 + 1, self.piece.1.saturating_add(piece.length));
        }
        Ok(0)
    }
}

impl<I: Input> Seek for Content<'_, I> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = target.ok_or(io::ErrorKind::InvalidInput)?;
        if self.at < self.piece.1 {
            self.piece = (0, 0);
        }
        Ok(self.at)
    }
}
