//! Maps of sparse files: which bytes there are, in the four forms of GNU tar ("Storing Sparse
//! Files" in its manual). bsdtar writes the last of them by default.

use std::ops::Range;

use super::TarError;
use super::header::BLOCK;
use super::pax::{Records, decimal, padded};
use crate::tree::Pieces;
use xc_iso::Extent;

/// More pieces than that are a decompression bomb: each takes more than its bytes in memory.
const PIECES_MAX: usize = 1 << 20;

/// The map of a sparse file.
#[derive(Default)]
pub(super) struct Map {
    /// Offset in the file and length of what is not a hole, in order.
    pub pieces: Vec<(u64, u64)>,
    /// The size with all holes.
    pub real: u64,
    /// Whether the map stands before the content, in decimal lines (form 1.0).
    pub is_in_content: bool,
    /// Bytes of such a map with its padding.
    skipped: u64,
}

impl Map {
    pub(super) fn new(pieces: Vec<(u64, u64)>, real: u64) -> Self {
        Self { pieces, real, ..Self::default() }
    }

    /// Where the bytes of the file are, its content being at `start` to `end` of the tar; `None`
    /// if the map is not one of this content.
    pub(super) fn pieces(&self, start: u64, end: u64) -> Option<Pieces> {
        let (mut from, mut last, mut list) = (start.checked_add(self.skipped)?, 0, Vec::new());
        for &(at, len) in &self.pieces {
            let (piece_end, next) = (at.checked_add(len)?, from.checked_add(len)?);
            if at < last || piece_end > self.real || next > end {
                return None;
            }
            if len > 0 {
                list.push(Extent { at, from, len });
            }
            (from, last) = (next, piece_end);
        }
        Some(Pieces { list: list.into(), len: self.real })
    }
}

/// The map that records of pax give, or say is in the content; `None` for a file that is not sparse.
///
/// # Errors
/// For numbers that are none, or a form that nobody wrote.
pub(super) fn of_records(records: &Records) -> Result<Option<Map>, ()> {
    let number = |key| records.number(key).map_err(|_| ());
    let real = number("GNU.sparse.realsize")?.or(number("GNU.sparse.size")?);
    let major = number("GNU.sparse.major")?;
    let is_sparse = major.is_some() || real.is_some() || records.get("GNU.sparse.map").is_some();
    if !is_sparse {
        return Ok(None);
    }
    let real = real.ok_or(())?;
    if major == Some(1) {
        return Ok(Some(Map { real, is_in_content: true, ..Map::default() }));
    }
    if major.is_some_and(|major| major > 1) {
        return Err(());
    }
    let pieces = match records.get("GNU.sparse.map") {
        Some(map) => {
            let numbers = map.split(|byte| *byte == b',').map(|n| decimal(n).ok_or(()));
            pairs(&numbers.collect::<Result<Vec<_>, _>>()?)?
        }
        None => separate(records)?,
    };
    Ok(Some(Map::new(pieces, real)))
}

/// The first form: a record for each offset and each length.
fn separate(records: &Records) -> Result<Vec<(u64, u64)>, ()> {
    let is_part = |key: &[u8]| matches!(key, b"GNU.sparse.offset" | b"GNU.sparse.numbytes");
    let parts = records.iter().filter(|(key, _)| is_part(key));
    pairs(&parts.map(|(_, value)| decimal(value).ok_or(())).collect::<Result<Vec<_>, _>>()?)
}

fn pairs(numbers: &[u64]) -> Result<Vec<(u64, u64)>, ()> {
    let (pairs, rest) = numbers.as_chunks::<2>();
    if !rest.is_empty() || pairs.len() > PIECES_MAX {
        return Err(());
    }
    Ok(pairs.iter().map(|[at, len]| (*at, *len)).collect())
}

/// Reads the map that stands before a content: lines of decimal numbers, the first says how many
/// pieces there are; padded to a block. `None` for a map that is wrong.
pub(super) fn from_content(
    map: &mut Map,
    content: Range<u64>,
    mut read: impl FnMut(&mut [u8], u64) -> Result<(), TarError>,
) -> Result<Option<()>, TarError> {
    let mut lines = Lines { block: [0; BLOCK as usize], used: 0, content: content.clone() };
    let Some(count) = lines.number(&mut read)? else { return Ok(None) };
    let Some(count) = usize::try_from(count).ok().filter(|count| *count <= PIECES_MAX) else {
        return Ok(None);
    };
    for _ in 0..count {
        let (Some(at), Some(len)) = (lines.number(&mut read)?, lines.number(&mut read)?) else {
            return Ok(None);
        };
        map.pieces.push((at, len));
    }
    map.skipped = padded(lines.used).unwrap_or(lines.used);
    Ok(Some(()))
}

/// Lines of numbers, read a block at a time.
struct Lines {
    block: [u8; BLOCK as usize],
    /// Bytes that were used of the content.
    used: u64,
    content: Range<u64>,
}

impl Lines {
    fn number(
        &mut self,
        read: &mut impl FnMut(&mut [u8], u64) -> Result<(), TarError>,
    ) -> Result<Option<u64>, TarError> {
        let mut number: u64 = 0;
        for digits in 0.. {
            let place = (self.used % BLOCK) as usize;
            if place == 0 {
                let at = self.content.start + self.used;
                if at >= self.content.end {
                    return Ok(None);
                }
                read(&mut self.block, at)?;
            }
            self.used += 1;
            let add = |digit: u8| number.checked_mul(10)?.checked_add(u64::from(digit - b'0'));
            match self.block[place] {
                b'\n' if digits > 0 => return Ok(Some(number)),
                digit @ b'0'..=b'9' => match add(digit) {
                    Some(more) => number = more,
                    None => return Ok(None),
                },
                _ => return Ok(None),
            }
        }
        Ok(None)
    }
}
