//! What is in a file: bytes at hand, or a place to read them from later.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fs_err as fs;
use xc_iso::Extent;

/// A file that stays open, so that ranges of it can be read whatever becomes of its name.
#[derive(Debug)]
pub struct Blob {
    file: Arc<File>,
    path: PathBuf,
}

impl Blob {
    /// Opens a file.
    ///
    /// # Errors
    /// When it can't be opened; the error names it.
    pub fn open(path: &Path) -> io::Result<Arc<Self>> {
        let file = Arc::new(fs::File::open(path)?.into_parts().0);
        Ok(Arc::new(Self { file, path: path.to_path_buf() }))
    }

    /// A file that is open; `path` is for messages.
    pub fn of(file: File, path: &Path) -> Arc<Self> {
        Arc::new(Self { file: Arc::new(file), path: path.to_path_buf() })
    }

    /// The open file.
    pub fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// The name it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads at a place, whatever other readers do.
    ///
    /// # Errors
    /// Those of the kernel, with the file's name.
    pub fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let named =
            |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", self.path.display()));
        self.file.read_at(buffer, at).map_err(named)
    }
}

/// What is in a file.
#[derive(Clone)]
pub enum Content {
    /// The bytes themselves.
    Bytes(Arc<[u8]>),
    /// A part of an open file.
    Range {
        /// The file.
        blob: Arc<Blob>,
        /// Where the part starts, in bytes.
        offset: u64,
        /// Its length in bytes.
        len: u64,
    },
    /// Parts of an open file, with zeros between them.
    Sparse {
        /// The file.
        blob: Arc<Blob>,
        /// The parts.
        pieces: Pieces,
    },
    /// A file on disk, whole, that is opened when it is read.
    Path {
        /// Its name.
        path: PathBuf,
        /// Its length in bytes when it was looked at.
        len: u64,
    },
}

/// Where the bytes of a file are in another, as in a tar; between them are holes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pieces {
    /// The parts that are not holes, in order; none is empty.
    pub list: Arc<[Extent]>,
    /// Length in bytes, with the holes.
    pub len: u64,
}

impl Pieces {
    /// A file without holes.
    pub fn whole(from: u64, len: u64) -> Self {
        let list = if len == 0 { vec![] } else { vec![Extent { at: 0, from, len }] };
        Self { list: list.into(), len }
    }

    /// The part that a place is in or before.
    fn next(&self, at: u64) -> Option<Extent> {
        let index = self.list.partition_point(|piece| piece.at + piece.len <= at);
        self.list.get(index).copied()
    }
}

impl Content {
    /// Parts of a file.
    pub fn pieces(blob: &Arc<Blob>, pieces: Pieces) -> Self {
        let blob = Arc::clone(blob);
        match &*pieces.list {
            [] if pieces.len == 0 => Self::bytes(""),
            [Extent { at: 0, from, len }] if *len == pieces.len => {
                Self::Range { blob, offset: *from, len: *len }
            }
            _ => Self::Sparse { blob, pieces },
        }
    }

    /// Bytes at hand.
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Bytes(bytes.into().into())
    }

    /// Length in bytes.
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Range { len, .. } | Self::Path { len, .. } => *len,
            Self::Sparse { pieces, .. } => pieces.len,
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads it from its start.
    ///
    /// The reader gives exactly [`Content::len`] bytes: a file that has become shorter or longer
    /// meanwhile is an error, never a wrong result.
    ///
    /// # Errors
    /// When it can't be opened.
    pub fn reader(&self) -> io::Result<Reader<'_>> {
        Ok(match self {
            Self::Bytes(bytes) => Reader::Bytes(bytes),
            Self::Range { blob, offset, len } => {
                Reader::Range { blob, at: *offset, end: offset + len }
            }
            Self::Sparse { blob, pieces } => Reader::Sparse { blob, pieces, at: 0 },
            Self::Path { path, len } => Reader::Path { file: fs::File::open(path)?, left: *len },
        })
    }

    /// All of it, in memory.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.reader()?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// Reads a [`Content`].
#[derive(Debug)]
pub enum Reader<'a> {
    /// From memory.
    Bytes(&'a [u8]),
    /// From a part of an open file.
    Range {
        /// The file.
        blob: &'a Blob,
        /// Where to read next, in bytes.
        at: u64,
        /// Where the part ends, in bytes.
        end: u64,
    },
    /// From parts of an open file.
    Sparse {
        /// The file.
        blob: &'a Blob,
        /// The parts.
        pieces: &'a Pieces,
        /// Where to read next in what they make, in bytes.
        at: u64,
    },
    /// From a whole file.
    Path {
        /// The file.
        file: fs::File,
        /// How many bytes it should still have.
        left: u64,
    },
}

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Bytes(bytes) => bytes.read(buffer),
            Self::Range { blob, at, end } => {
                let got = blob.read_at(capped(buffer, *end - *at), *at)?;
                if got == 0 && at != end && !buffer.is_empty() {
                    return Err(changed(&blob.path));
                }
                *at += got as u64;
                Ok(got)
            }
            Self::Sparse { blob, pieces, at } => {
                let got = read_sparse(blob, pieces, *at, buffer)?;
                *at += got as u64;
                Ok(got)
            }
            Self::Path { file, left } => {
                let got = file.read(buffer)? as u64;
                if got > *left || (got == 0 && *left > 0 && !buffer.is_empty()) {
                    return Err(changed(file.path()));
                }
                *left -= got;
                Ok(got as usize)
            }
        }
    }
}

fn read_sparse(blob: &Blob, pieces: &Pieces, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let buffer = capped(buffer, pieces.len - at);
    match pieces.next(at) {
        Some(piece) if piece.at <= at => {
            let inside = at - piece.at;
            let buffer = capped(buffer, piece.len - inside);
            match blob.read_at(buffer, piece.from + inside)? {
                0 if !buffer.is_empty() => Err(changed(&blob.path)),
                got => Ok(got),
            }
        }
        next => {
            let hole = capped(buffer, next.map_or(pieces.len, |piece| piece.at) - at);
            hole.fill(0);
            Ok(hole.len())
        }
    }
}

fn capped(buffer: &mut [u8], most: u64) -> &mut [u8] {
    let most = usize::try_from(most).unwrap_or(usize::MAX).min(buffer.len());
    &mut buffer[..most]
}

fn changed(path: &Path) -> io::Error {
    io::Error::other(format!("`{}` changed its length while it was read", path.display()))
}

impl PartialEq for Content {
    /// Whether both name the same bytes in the same place; equal bytes in two places are not equal
    /// here, since that would need reading them.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (
                Self::Range { blob: a, offset: ao, len: al },
                Self::Range { blob: b, offset: bo, len: bl },
            ) => a.path == b.path && ao == bo && al == bl,
            (Self::Sparse { blob: a, pieces: ap }, Self::Sparse { blob: b, pieces: bp }) => {
                a.path == b.path && ap == bp
            }
            (Self::Path { path: a, len: al }, Self::Path { path: b, len: bl }) => {
                a == b && al == bl
            }
            _ => false,
        }
    }
}

impl Eq for Content {}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Range { blob, offset, len } => {
                write!(f, "{len} bytes at {offset} of {}", blob.path.display())
            }
            Self::Sparse { blob, pieces } => {
                write!(f, "{} bytes, with holes, of {}", pieces.len, blob.path.display())
            }
            Self::Path { path, len } => write!(f, "{len} bytes of {}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Blob, Content};

    #[test]
    fn ranges_are_read_and_changes_are_noticed() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "0123456789").unwrap();
        let blob = Blob::open(file.path()).unwrap();
        let range = Content::Range { blob, offset: 2, len: 5 };
        let whole = |len| Content::Path { path: file.path().to_path_buf(), len };
        assert_eq!(range.read().unwrap(), b"23456");
        assert_eq!(whole(10).read().unwrap(), b"0123456789");
        for changed in [whole(9), whole(11)] {
            let e = changed.read().unwrap_err().to_string();
            assert!(e.contains("changed its length"), "{e}");
        }
        std::fs::write(file.path(), "0123").unwrap();
        assert!(range.read().is_err());
    }
}
