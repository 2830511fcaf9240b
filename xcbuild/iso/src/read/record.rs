//! Taking directory records and numbers apart (ECMA-119 §7, §9.1). Nothing here reads.

/// The place of fields in a directory record.
mod at {
    pub(super) const EXTENDED: usize = 1;
    pub(super) const START: usize = 2;
    pub(super) const LENGTH: usize = 10;
    pub(super) const TIME: usize = 18;
    pub(super) const FLAGS: usize = 25;
    pub(super) const UNIT: usize = 26;
    pub(super) const GAP: usize = 27;
    pub(super) const IDENTIFIER_LENGTH: usize = 32;
    pub(super) const IDENTIFIER: usize = 33;
}

/// A directory record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'b> {
    pub start: u32,
    /// Blocks of extended attributes in front of the content.
    pub extended: u8,
    pub length: u32,
    pub time: [u8; 7],
    flags: u8,
    /// Whether the content is in interleaved pieces.
    pub interleaved: bool,
    pub identifier: &'b [u8],
    pub system_use: &'b [u8],
    /// Whether both orders of the numbers agree.
    pub consistent: bool,
}

impl<'b> Record<'b> {
    /// The record at the start of `bytes`, the rest of a sector, and how long it is. `None` if no
    /// record follows in this sector.
    pub(crate) fn parse(bytes: &'b [u8]) -> Option<Result<(Self, usize), &'static str>> {
        let length = usize::from(*bytes.first()?);
        if length == 0 {
            return None;
        }
        let parsed = bytes.get(..length).ok_or("a directory record crosses a sector");
        Some(parsed.and_then(|record| Ok((Self::parse_one(record)?, length))))
    }

    fn parse_one(record: &'b [u8]) -> Result<Self, &'static str> {
        const SHORT: &str = "a directory record is too short";
        let identifier_length = usize::from(*record.get(at::IDENTIFIER_LENGTH).ok_or(SHORT)?);
        let end = at::IDENTIFIER + identifier_length;
        let identifier = record.get(at::IDENTIFIER..end).ok_or(SHORT)?;
        if identifier.is_empty() {
            return Err("a directory record has no name");
        }
        let padded = end + usize::from(identifier_length.is_multiple_of(2));
        let (start, start_big) = both32(record, at::START).ok_or(SHORT)?;
        let (length, length_big) = both32(record, at::LENGTH).ok_or(SHORT)?;
        Ok(Self {
            start,
            extended: record[at::EXTENDED],
            length,
            time: record[at::TIME..at::TIME + 7].try_into().map_err(|_| SHORT)?,
            flags: record[at::FLAGS],
            interleaved: record[at::UNIT] != 0 || record[at::GAP] != 0,
            identifier,
            system_use: record.get(padded..).unwrap_or_default(),
            consistent: start == start_big && length == length_big,
        })
    }

    pub(crate) fn is_directory(&self) -> bool {
        self.flags & 1 << 1 != 0
    }

    /// Another file's attachment, which no reader shows.
    pub(crate) fn is_associated(&self) -> bool {
        self.flags & 1 << 2 != 0
    }

    /// Whether the content goes on with the next record.
    pub(crate) fn has_more(&self) -> bool {
        self.flags & 1 << 7 != 0
    }

    /// "." and "..".
    pub(crate) fn is_dots(&self) -> bool {
        matches!(self.identifier, [0 | 1])
    }
}

/// A number in both orders: what the little-endian and the big-endian half say.
pub(crate) fn both32(bytes: &[u8], at: usize) -> Option<(u32, u32)> {
    let little = bytes.get(at..at + 4)?.try_into().ok()?;
    let big = bytes.get(at + 4..at + 8)?.try_into().ok()?;
    Some((u32::from_le_bytes(little), u32::from_be_bytes(big)))
}

/// The little-endian half of a number in both orders.
pub(crate) fn number32(bytes: &[u8], at: usize) -> Option<u32> {
    both32(bytes, at).map(|(little, _)| little)
}

/// The seconds since 1970 of a 7-byte time (§9.1.5), whose zone is in quarters of an hour.
pub(crate) fn short_time(time: [u8; 7]) -> i64 {
    let [year, month, day, hour, minute, second, zone] = time;
    let date = (1900 + i64::from(year), month, day);
    seconds(date, [hour, minute, second]) - 900 * i64::from(zone as i8)
}

/// The seconds since 1970 of a 17-byte time (§8.4.26.1); `None` for what are no digits.
pub(crate) fn long_time(time: &[u8]) -> Option<i64> {
    let digits = |range: std::ops::Range<usize>| -> Option<i64> {
        std::str::from_utf8(time.get(range)?).ok()?.parse().ok()
    };
    let byte = |range| digits(range).and_then(|n| u8::try_from(n).ok());
    let date = (digits(0..4)?, byte(4..6)?, byte(6..8)?);
    let zone = *time.get(16)? as i8;
    Some(seconds(date, [byte(8..10)?, byte(10..12)?, byte(12..14)?]) - 900 * i64::from(zone))
}

/// Seconds since 1970, by days counted in years that start in March.
fn seconds((year, month, day): (i64, u8, u8), [hour, minute, second]: [u8; 3]) -> i64 {
    let (month, day) = (i64::from(month.clamp(1, 12)), i64::from(day));
    let year = year - i64::from(month <= 2);
    let from_march = (month + 9) % 12;
    let of_era = year.rem_euclid(400);
    let of_year = (153 * from_march + 2) / 5 + day - 1;
    let days = year.div_euclid(400) * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    (days - 719_468) * 86_400 + i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields;

    #[test]
    fn times_come_back() {
        for time in
            [0, 1, -1, 951_782_400, 951_868_799, 2_147_483_648, -2_208_988_800, 5_869_583_999]
        {
            assert_eq!(short_time(fields::short_time(time).unwrap()), time);
            assert_eq!(long_time(&fields::long_time(time).unwrap()), Some(time));
        }
        assert_eq!(short_time([70, 1, 1, 1, 0, 0, 4]), 0);
        assert_eq!(short_time([255; 7]), short_time([255; 7]));
    }

    #[test]
    fn records_that_lie_are_refused() {
        assert!(Record::parse(&[]).is_none());
        assert!(Record::parse(&[0; 40]).is_none());
        for bytes in [&[255_u8; 100][..], &[33; 33], &[34; 34], &[20; 40]] {
            assert!(Record::parse(bytes).unwrap().is_err(), "{bytes:?}");
        }
    }
}
