//! Deals fields out between a directory record and the continuation area of its directory.
//!
//! A record has 255 bytes at most, so long names and links don't fit. What does not fit goes to
//! the area, and a CE field says where:
//!
//! ```text
//!  record │ ident │ PX TF CE ─┐        sector n       sector n+1
//!                             └──► │ NM SL SL CE ─┬──► SL SL │
//! ```
//!
//! A piece never crosses a sector (SUSP §5.1 lets it, but Linux reads a sector at a time), and all
//! fields but the last of a chain leave room for the next CE.

use crate::rockridge::fields::continuation;
use crate::sector::{SECTOR, Sector, padding};

const CE: usize = 28;

/// The continuation area of one directory.
#[derive(Debug, Default)]
pub(crate) struct Area {
    /// Where it will lie; unknown while sizes are taken.
    pub start: Sector,
    pub bytes: Vec<u8>,
}

/// Where a CE field is to be filled in.
enum Link {
    Record(usize),
    Area(usize),
}

impl Area {
    /// Appends to `record` what fits into `room` bytes, and the rest to the area.
    pub(crate) fn deal(&mut self, record: &mut Vec<u8>, room: usize, fields: &[u8]) {
        if fields.len() <= room {
            record.extend_from_slice(fields);
            return;
        }
        let (here, mut rest) = fields.split_at(prefix(fields, room.saturating_sub(CE)));
        record.extend_from_slice(here);
        let mut link = Link::Record(record.len());
        record.extend_from_slice(&[0; CE]);
        while !rest.is_empty() {
            let (taken, more) = self.split(rest);
            let at = self.bytes.len();
            self.bytes.extend_from_slice(taken);
            let next = Link::Area(self.bytes.len());
            if !more.is_empty() {
                self.bytes.extend_from_slice(&[0; CE]);
            }
            let field = self.pointer(at);
            match link {
                Link::Record(ce) => record[ce..ce + CE].copy_from_slice(&field),
                Link::Area(ce) => self.bytes[ce..ce + CE].copy_from_slice(&field),
            }
            (link, rest) = (next, more);
        }
    }

    /// Splits off the fields that go to the rest of this sector, or else to the next.
    fn split<'f>(&mut self, fields: &'f [u8]) -> (&'f [u8], &'f [u8]) {
        let left = padding(self.bytes.len());
        if fields.len() <= left {
            return (fields, &[]);
        }
        let fitting = prefix(fields, left.saturating_sub(CE));
        if fitting > 0 {
            return fields.split_at(fitting);
        }
        self.bytes.resize(self.bytes.len() + left, 0);
        if fields.len() <= SECTOR {
            return (fields, &[]);
        }
        fields.split_at(prefix(fields, SECTOR - CE))
    }

    /// A CE field for what lies from `at` to the end.
    fn pointer(&self, at: usize) -> [u8; CE] {
        let sector = Sector(self.start.0.wrapping_add((at / SECTOR) as u32));
        continuation(sector, (at % SECTOR) as u32, (self.bytes.len() - at) as u32)
    }
}

/// How many bytes of whole fields fit into `room`.
fn prefix(fields: &[u8], room: usize) -> usize {
    let mut end = 0;
    while let Some(&length) = fields.get(end + 2) {
        if end + usize::from(length) > room {
            break;
        }
        end += usize::from(length);
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field of `length` bytes, all of them `mark` but the length.
    fn field(length: u8, mark: u8) -> Vec<u8> {
        let mut field = vec![mark; usize::from(length)];
        field[2] = length;
        field
    }

    /// Follows the chain from a record and returns the fields without the CEs.
    fn follow(record: &[u8], area: &Area) -> Vec<u8> {
        let mut found = Vec::new();
        let mut piece = record;
        loop {
            let mut next = None;
            while !piece.is_empty() {
                let (field, rest) = piece.split_at(usize::from(piece[2]));
                if field.starts_with(b"CE") {
                    let at =
                        |i: usize| u32::from_le_bytes(field[i..i + 4].try_into().unwrap()) as usize;
                    assert!(at(12) + at(20) <= SECTOR, "a piece crosses a sector");
                    let start = (at(4) - area.start.0 as usize) * SECTOR + at(12);
                    next = Some(&area.bytes[start..start + at(20)]);
                } else {
                    found.extend_from_slice(field);
                }
                piece = rest;
            }
            match next {
                Some(more) => piece = more,
                None => return found,
            }
        }
    }

    #[test]
    fn every_chain_comes_back_whole_and_within_sectors() {
        let mut area = Area { start: Sector(77), ..Area::default() };
        for count in 0..60 {
            for length in [4, 27, 28, 29, 200, 255] {
                let fields: Vec<u8> =
                    (0..count).flat_map(|i| field(length, b'a' + i % 20)).collect();
                for room in [28, 100, 188, 220] {
                    let mut record = Vec::new();
                    area.deal(&mut record, room, &fields);
                    assert!(record.len() <= room);
                    assert_eq!(follow(&record, &area), fields, "{count} of {length} in {room}");
                }
            }
        }
    }
}
