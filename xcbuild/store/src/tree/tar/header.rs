//! The header of a member: one block of fields (POSIX.1 pax(1), "ustar Interchange Format", and
//! what GNU tar made of it).

use std::ops::Range;

/// Tars come in blocks of that many bytes.
pub(super) const BLOCK: u64 = 512;

/// Where the fields are.
const NAME: Range<usize> = 0..100;
const MODE: Range<usize> = 100..108;
const UID: Range<usize> = 108..116;
const GID: Range<usize> = 116..124;
const SIZE: Range<usize> = 124..136;
const MTIME: Range<usize> = 136..148;
const CHECKSUM: Range<usize> = 148..156;
const TYPE: usize = 156;
const LINK: Range<usize> = 157..257;
const MAGIC: Range<usize> = 257..263;
const MAJOR: Range<usize> = 329..337;
const MINOR: Range<usize> = 337..345;
const PREFIX: Range<usize> = 345..500;
/// GNU tar's map of a sparse file: four pieces, whether more blocks of them follow, the real size.
const SPARSE: Range<usize> = 386..482;
const SPARSE_GOES_ON: usize = 482;
const REAL_SIZE: Range<usize> = 483..495;
/// A block with more of that map: 21 pieces, and whether another follows.
const MORE_SPARSE: Range<usize> = 0..504;
const MORE_SPARSE_GOES_ON: usize = 504;
/// Bytes of a piece in such a map: an offset and a length of 12 each.
const PIECE: usize = 24;

/// A block, read as a header.
#[derive(Clone, Copy)]
pub(super) struct Header(pub [u8; BLOCK as usize]);

/// A field that has to be a number and is none; its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotANumber(pub &'static str);

type Number<T> = Result<T, NotANumber>;

impl Header {
    /// Whether it is a block of zeros, with which a tar ends.
    pub(super) fn is_zero(&self) -> bool {
        self.0.iter().all(|byte| *byte == 0)
    }

    /// Whether the checksum is right: that of unsigned bytes or, as old tars have it, of signed ones.
    pub(super) fn is_sound(&self) -> bool {
        let counted = |at: usize| if CHECKSUM.contains(&at) { b' ' } else { self.0[at] };
        let unsigned: i64 = (0..self.0.len()).map(|at| i64::from(counted(at))).sum();
        let signed: i64 = (0..self.0.len()).map(|at| i64::from(counted(at).cast_signed())).sum();
        number(&self.0[CHECKSUM]).is_some_and(|sum| sum == unsigned || sum == signed)
    }

    /// The type of the member.
    pub(super) fn kind(&self) -> u8 {
        self.0[TYPE]
    }

    /// The path, which POSIX keeps in two fields.
    pub(super) fn path(&self) -> Vec<u8> {
        let name = text(&self.0[NAME]);
        let prefix = text(&self.0[PREFIX]);
        // GNU tar has other things where POSIX has the prefix.
        if &self.0[MAGIC] != b"ustar\0" || prefix.is_empty() {
            return name.to_vec();
        }
        [prefix, b"/", name].concat()
    }

    /// What a link points to.
    pub(super) fn link(&self) -> Vec<u8> {
        text(&self.0[LINK]).to_vec()
    }

    pub(super) fn mode(&self) -> Number<u32> {
        self.unsigned32("mode", MODE)
    }

    pub(super) fn uid(&self) -> Number<u32> {
        self.unsigned32("uid", UID)
    }

    pub(super) fn gid(&self) -> Number<u32> {
        self.unsigned32("gid", GID)
    }

    pub(super) fn size(&self) -> Number<u64> {
        self.unsigned("size", SIZE)
    }

    pub(super) fn mtime(&self) -> Number<i64> {
        number(&self.0[MTIME]).ok_or(NotANumber("time"))
    }

    /// The numbers of a device. Archives of other systems leave them out or have them as texts.
    pub(super) fn device(&self) -> (u32, u32) {
        let part = |field| self.unsigned32("device", field).unwrap_or(0);
        (part(MAJOR), part(MINOR))
    }

    /// The size of a sparse file with its holes.
    pub(super) fn real_size(&self) -> Number<u64> {
        self.unsigned("real size", REAL_SIZE)
    }

    /// The pieces of a sparse file that its header names, and whether more follow.
    pub(super) fn sparse(&self) -> Number<(Vec<(u64, u64)>, bool)> {
        Ok((pieces(&self.0[SPARSE])?, self.0[SPARSE_GOES_ON] != 0))
    }

    /// The pieces that a block after the header names, and whether more follow.
    pub(super) fn more_sparse(&self) -> Number<(Vec<(u64, u64)>, bool)> {
        Ok((pieces(&self.0[MORE_SPARSE])?, self.0[MORE_SPARSE_GOES_ON] != 0))
    }

    fn unsigned(&self, name: &'static str, field: Range<usize>) -> Number<u64> {
        let value = number(&self.0[field]).and_then(|number| u64::try_from(number).ok());
        value.ok_or(NotANumber(name))
    }

    fn unsigned32(&self, name: &'static str, field: Range<usize>) -> Number<u32> {
        u32::try_from(self.unsigned(name, field)?).map_err(|_| NotANumber(name))
    }
}

/// Offsets and lengths, up to the first that is empty.
fn pieces(map: &[u8]) -> Number<Vec<(u64, u64)>> {
    let bad = || NotANumber("sparse map");
    let one = |piece: &[u8]| {
        let part = |field| number(field).and_then(|number| u64::try_from(number).ok());
        let (offset, length) = piece.split_at(PIECE / 2);
        Ok((part(offset).ok_or_else(bad)?, part(length).ok_or_else(bad)?))
    };
    map.chunks_exact(PIECE).take_while(|piece| piece[0] != 0).map(one).collect()
}

/// A text that ends at a NUL or with its field.
fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// A number: octal digits between spaces, in base 256 where the first bit is set (then the one after
/// it is the sign), and 0 where there is nothing at all, as real archives have it.
fn number(field: &[u8]) -> Option<i64> {
    if field.first().is_some_and(|first| first & 0x80 != 0) {
        let first = i128::from((field[0] << 1).cast_signed() >> 1);
        let add = |number: i128, byte: &u8| number.checked_mul(256)?.checked_add((*byte).into());
        return field[1..].iter().try_fold(first, add)?.try_into().ok();
    }
    let digits = text(field).trim_ascii();
    let add = |number: i64, digit: &u8| match digit {
        b'0'..=b'7' => number.checked_mul(8)?.checked_add(i64::from(digit - b'0')),
        _ => None,
    };
    digits.iter().try_fold(0, add)
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_of_every_form_are_read() {
        let rows: [(&[u8], Option<i64>); 12] = [
            (b"0000644\0", Some(0o644)),
            (b"   644 \0", Some(0o644)),
            (b"644     ", Some(0o644)),
            (b"77777777", Some(0o7777_7777)),
            (b"\0\0\0\0\0\0\0\0", Some(0)),
            (b"        ", Some(0)),
            (b"644\0junk", Some(0o644)),
            (b"64x\0\0\0\0\0", None),
            (b"648\0\0\0\0\0", None),
            (b"\x80\0\0\0\0\x01\x11\x70", Some(70_000)),
            (b"\xff\xff\xff\xff\xff\xff\xff\xfe", Some(-2)),
            (b"\xc0\0\0\0\0\0\0\0\0\0\0\0", None),
        ];
        for (field, expected) in rows {
            assert_eq!(number(field), expected, "{field:?}");
        }
    }
}
