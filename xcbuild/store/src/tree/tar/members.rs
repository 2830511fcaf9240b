//! The members of a tar, one after the other, with what the headers before each say of it.
//!
//! GNU tar's reading is the measure, with one exception: a tar that ends without a block of zeros
//! was cut, and is refused. One such block is an end; what is after it is not looked at.

use std::io;
use std::os::unix::fs::FileExt;

use super::header::{BLOCK, Header, NotANumber};
use super::pax::{Records, padded, seconds};
use super::{TarError, sparse};
use crate::tree::{Blob, Pieces};

/// The longest name or list of attributes of an entry, in bytes.
const LONG_MAX: u64 = 1 << 20;
/// More names than that are a decompression bomb: the tree of a whole distribution has a tenth.
const ENTRIES_MAX: u64 = 2_000_000;

/// Types of members, as POSIX and GNU tar have them.
pub(super) mod kind {
    pub(crate) const OLD_FILE: u8 = 0;
    pub(crate) const FILE: u8 = b'0';
    pub(crate) const HARD_LINK: u8 = b'1';
    pub(crate) const SYMLINK: u8 = b'2';
    pub(crate) const CHARACTER: u8 = b'3';
    pub(crate) const BLOCK: u8 = b'4';
    pub(crate) const DIRECTORY: u8 = b'5';
    pub(crate) const FIFO: u8 = b'6';
    pub(crate) const CONTIGUOUS: u8 = b'7';
    pub(crate) const RECORDS: u8 = b'x';
    pub(crate) const SOLARIS_RECORDS: u8 = b'X';
    pub(crate) const GLOBAL_RECORDS: u8 = b'g';
    pub(crate) const LONG_NAME: u8 = b'L';
    pub(crate) const LONG_LINK: u8 = b'K';
    pub(crate) const SPARSE: u8 = b'S';
    pub(crate) const LABEL: u8 = b'V';
}

/// A member as the tar has it.
pub(super) struct Raw {
    pub path: Vec<u8>,
    pub link: Vec<u8>,
    pub kind: u8,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub mtime: i64,
    pub device: (u32, u32),
    /// Where its content is.
    pub content: Pieces,
    /// Whether the content has holes.
    pub sparse: bool,
    pub records: Records,
}

/// What stands before a member and is about it.
#[derive(Default)]
struct Before {
    records: Records,
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
}

/// Reads the members of a tar.
pub(super) struct Members<'a> {
    blob: &'a Blob,
    /// Bytes of the tar.
    length: u64,
    /// Where the next header is.
    at: u64,
    global: Records,
    count: u64,
    last: Option<String>,
}

impl<'a> Members<'a> {
    /// # Errors
    /// When the file's size can't be found out.
    pub(super) fn of(blob: &'a Blob) -> Result<Self, TarError> {
        let failed = |source| TarError::Read { last: None, source };
        let length = blob.file().metadata().map_err(failed)?.len();
        Ok(Self { blob, length, at: 0, global: Records::default(), count: 0, last: None })
    }

    /// The next member; `None` at the end mark.
    ///
    /// # Errors
    /// When the tar is damaged or cut, or a limit is met.
    pub(super) fn next(&mut self) -> Result<Option<Raw>, TarError> {
        let mut before = Before::default();
        loop {
            let header = self.header()?;
            if header.is_zero() {
                return Ok(None);
            }
            if !header.is_sound() {
                return Err(self.unsound());
            }
            self.count += 1;
            if self.count > ENTRIES_MAX {
                return Err(TarError::Many(ENTRIES_MAX));
            }
            match header.kind() {
                kind::RECORDS | kind::SOLARIS_RECORDS => {
                    let text = self.text(&header)?;
                    before.records.add(&text).map_err(|reason| self.malformed(reason))?;
                }
                kind::GLOBAL_RECORDS => {
                    let text = self.text(&header)?;
                    let mut global = std::mem::take(&mut self.global);
                    global.add(&text).map_err(|reason| self.malformed(reason))?;
                    self.global = global;
                }
                kind::LONG_NAME => before.path = Some(until_nul(self.text(&header)?)),
                kind::LONG_LINK => before.link = Some(until_nul(self.text(&header)?)),
                kind::LABEL => self.skip(size(&header)?)?,
                _ => return self.member(&header, before).map(Some),
            }
        }
    }

    fn header(&mut self) -> Result<Header, TarError> {
        let mut block = [0; BLOCK as usize];
        if self.at == 0 && (1..BLOCK).contains(&self.length) {
            return Err(TarError::NotATar);
        }
        self.read(&mut block, self.at)?;
        self.at += BLOCK;
        Ok(Header(block))
    }

    fn read(&self, bytes: &mut [u8], at: u64) -> Result<(), TarError> {
        self.blob.file().read_exact_at(bytes, at).map_err(|source| match source.kind() {
            io::ErrorKind::UnexpectedEof => self.short(),
            _ => TarError::Read { last: self.last.clone(), source },
        })
    }

    /// Passes over a content; it has to be there, as the padding after it.
    fn skip(&mut self, length: u64) -> Result<(), TarError> {
        let end = padded(length).and_then(|padded| self.at.checked_add(padded));
        self.at = end.filter(|end| *end <= self.length).ok_or_else(|| self.short())?;
        Ok(())
    }

    /// The content of a header that is about another member.
    fn text(&mut self, header: &Header) -> Result<Vec<u8>, TarError> {
        let bytes = size(header)?;
        if bytes > LONG_MAX {
            return Err(TarError::Long { last: self.last.clone(), bytes });
        }
        let mut text = vec![0; bytes as usize];
        self.read(&mut text, self.at)?;
        self.skip(bytes)?;
        Ok(text)
    }

    fn member(&mut self, header: &Header, before: Before) -> Result<Raw, TarError> {
        let records = before.records.after(&self.global);
        let text = |key: &str| records.get(key).map(<[u8]>::to_vec);
        // What is after a sparse file's name is the name of the form that older tars unpack.
        let path = text("GNU.sparse.name").or_else(|| text("path")).or(before.path);
        let path = path.unwrap_or_else(|| header.path());
        let link = text("linkpath").or(before.link).unwrap_or_else(|| header.link());
        let shown = String::from_utf8_lossy(&path).into_owned();
        self.last = Some(shown.clone());
        let wrong = |field| TarError::Number(shown.clone(), field);
        let field = |NotANumber(field)| wrong(field);
        let number = |key| records.number(key).map_err(wrong);
        let number32 = |key| match number(key)?.map(u32::try_from) {
            Some(Err(_)) => Err(wrong(key)),
            other => Ok(other.and_then(Result::ok)),
        };
        let mode = header.mode().map_err(field)? & 0o7777;
        let uid = number32("uid")?.map_or_else(|| header.uid().map_err(field), Ok)?;
        let gid = number32("gid")?.map_or_else(|| header.gid().map_err(field), Ok)?;
        let mtime = match records.get("mtime") {
            Some(text) => seconds(text).ok_or_else(|| wrong("time"))?,
            None => header.mtime().map_err(field)?,
        };
        let size = number("size")?.map_or_else(|| header.size().map_err(field), Ok)?;
        let kind = kind_of(header.kind(), &path);
        let (content, sparse) = self.content(header, kind, size, &records, &shown)?;
        let device = header.device();
        Ok(Raw { path, link, kind, mode, uid, gid, mtime, device, content, sparse, records })
    }

    /// Where the content of a member is, and whether it is sparse; the next header comes after it.
    fn content(
        &mut self,
        header: &Header,
        kind: u8,
        size: u64,
        records: &Records,
        shown: &str,
    ) -> Result<(Pieces, bool), TarError> {
        // Some tars give hard links the size of their file; there is no content.
        let size = if kind == kind::HARD_LINK { 0 } else { size };
        let wrong = || TarError::SparseMap(shown.to_owned());
        let mut map = match kind {
            kind::SPARSE => Some(self.old_map(header).map_err(|e| e.unwrap_or_else(wrong))?),
            _ => sparse::of_records(records).map_err(|()| wrong())?,
        };
        let start = self.at;
        self.skip(size)?;
        if let Some(map) = &mut map
            && map.is_in_content
        {
            let read = |bytes: &mut [u8], at| self.read(bytes, at);
            sparse::from_content(map, start..start + size, read)?.ok_or_else(wrong)?;
        }
        match map {
            Some(map) => Ok((map.pieces(start, start + size).ok_or_else(wrong)?, true)),
            None => Ok((Pieces::whole(start, size), false)),
        }
    }

    /// The map of GNU tar's older form: in the header, and in blocks after it. An error without a
    /// value is that of a map.
    fn old_map(&mut self, header: &Header) -> Result<sparse::Map, Option<TarError>> {
        let real = header.real_size().map_err(|_| None)?;
        let (mut pieces, mut goes_on) = header.sparse().map_err(|_| None)?;
        while goes_on {
            let more;
            (more, goes_on) = self.header().map_err(Some)?.more_sparse().map_err(|_| None)?;
            pieces.extend(more);
        }
        Ok(sparse::Map::new(pieces, real))
    }

    fn short(&self) -> TarError {
        TarError::Short { last: self.last.clone() }
    }

    fn malformed(&self, reason: &'static str) -> TarError {
        TarError::Malformed { last: self.last.clone(), reason }
    }

    fn unsound(&self) -> TarError {
        if self.count == 0 {
            return TarError::NotATar;
        }
        self.malformed("a header's checksum is wrong")
    }
}

fn size(header: &Header) -> Result<u64, TarError> {
    let field = |NotANumber(field)| {
        TarError::Number(String::from_utf8_lossy(&header.path()).into_owned(), field)
    };
    header.size().map_err(field)
}

/// The type of a member. Before there was one for directories, their names ended in a slash.
fn kind_of(kind: u8, path: &[u8]) -> u8 {
    match kind {
        kind::OLD_FILE | kind::FILE | kind::CONTIGUOUS if path.ends_with(b"/") => kind::DIRECTORY,
        kind::OLD_FILE | kind::CONTIGUOUS => kind::FILE,
        other => other,
    }
}

fn until_nul(mut text: Vec<u8>) -> Vec<u8> {
    let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
    text.truncate(end);
    text
}
