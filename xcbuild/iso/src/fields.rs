//! How ISO 9660 writes numbers, times and texts (ECMA-119 §7 and §8.4.26, §9.1.5).

const SECONDS_PER_DAY: i64 = 86_400;

/// A 16-bit number, little-endian then big-endian (§7.2.3).
pub(crate) fn both16(value: u16) -> [u8; 4] {
    let [a, b] = value.to_le_bytes();
    [a, b, b, a]
}

/// A 32-bit number, little-endian then big-endian (§7.3.3).
pub(crate) fn both32(value: u32) -> [u8; 8] {
    let [a, b, c, d] = value.to_le_bytes();
    [a, b, c, d, d, c, b, a]
}

/// A moment in Greenwich, taken apart.
struct Civil {
    year: i64,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
}

/// Takes seconds since 1970 apart, by the proleptic Gregorian calendar. The arithmetic counts
/// years from March so that the leap day is a year's last (Howard Hinnant, "chrono-Compatible
/// Low-Level Date Algorithms").
fn civil(seconds: i64) -> Civil {
    let days = seconds.div_euclid(SECONDS_PER_DAY);
    let of_day = seconds.rem_euclid(SECONDS_PER_DAY);
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    Civil {
        year: year_of_era + era * 400 + i64::from(month <= 2),
        month: month as u8,
        day: (of_year - (153 * from_march + 2) / 5 + 1) as u8,
        hour: (of_day / 3600) as u8,
        minute: (of_day / 60 % 60) as u8,
        second: (of_day % 60) as u8,
    }
}

/// The 7-byte time of directory records and Rock Ridge (§9.1.5); `None` outside 1900 to 2155.
pub(crate) fn short_time(seconds: i64) -> Option<[u8; 7]> {
    let t = civil(seconds);
    let year = u8::try_from(t.year - 1900).ok()?;
    Some([year, t.month, t.day, t.hour, t.minute, t.second, 0])
}

/// The 17-byte time of volume descriptors (§8.4.26.1); `None` outside the years 1 to 9999.
pub(crate) fn long_time(seconds: i64) -> Option<[u8; 17]> {
    let t = civil(seconds);
    if !(1..=9999).contains(&t.year) {
        return None;
    }
    let digits = format!(
        "{:04}{:02}{:02}{:02}{:02}{:02}00\0",
        t.year, t.month, t.day, t.hour, t.minute, t.second
    );
    digits.into_bytes().try_into().ok()
}

/// "Not specified" for a 17-byte time.
pub(crate) const NO_LONG_TIME: [u8; 17] = *b"0000000000000000\0";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_in_both_orders() {
        assert_eq!(both16(0x0102), [2, 1, 1, 2]);
        assert_eq!(both32(0x0102_0304), [4, 3, 2, 1, 1, 2, 3, 4]);
    }

    #[test]
    fn times_at_the_edges() {
        let table: [(i64, Option<[u8; 7]>); 7] = [
            (0, Some([70, 1, 1, 0, 0, 0, 0])),
            (951_782_400, Some([100, 2, 29, 0, 0, 0, 0])),
            (951_868_799, Some([100, 2, 29, 23, 59, 59, 0])),
            (-2_208_988_800, Some([0, 1, 1, 0, 0, 0, 0])),
            (-2_208_988_801, None),
            (5_869_583_999, Some([255, 12, 31, 23, 59, 59, 0])),
            (5_869_584_000, None),
        ];
        for (seconds, expected) in table {
            assert_eq!(short_time(seconds), expected, "{seconds}");
        }
        assert_eq!(long_time(951_782_400).as_ref(), Some(b"2000022900000000\0"));
        assert_eq!(long_time(i64::MAX / 2), None);
    }
}
