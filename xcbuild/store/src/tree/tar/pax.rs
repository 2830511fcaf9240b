//! Records of pax: what a header has no room or no field for.

use super::header::BLOCK;

/// What records say of the member after them; later records win, and an empty value takes an
/// earlier one back.
#[derive(Debug, Default, Clone)]
pub(super) struct Records {
    list: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Records {
    /// Takes in the content of an extended header: lines `LENGTH KEY=VALUE`.
    ///
    /// # Errors
    /// What is wrong, for the user.
    pub(super) fn add(&mut self, mut bytes: &[u8]) -> Result<(), &'static str> {
        const BAD: &str = "an extended header is malformed";
        // GNU tar stops at a NUL; what is after it fills the block.
        while !bytes.is_empty() && bytes[0] != 0 {
            let space = bytes.iter().position(|byte| *byte == b' ').ok_or(BAD)?;
            let length = std::str::from_utf8(&bytes[..space]).ok().and_then(|n| n.parse().ok());
            let (record, rest) = length.and_then(|n| bytes.split_at_checked(n)).ok_or(BAD)?;
            let record = record.get(space + 1..).and_then(|r| r.strip_suffix(b"\n")).ok_or(BAD)?;
            let equals = record.iter().position(|byte| *byte == b'=').ok_or(BAD)?;
            self.list.push((record[..equals].to_vec(), record[equals + 1..].to_vec()));
            bytes = rest;
        }
        Ok(())
    }

    /// The records, in their order.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (&[u8], &[u8])> {
        self.list.iter().map(|(key, value)| (key.as_slice(), value.as_slice()))
    }

    /// The value of a key, the last that was given.
    pub(super) fn get(&self, key: &str) -> Option<&[u8]> {
        let found = self.iter().rev().find(|(name, _)| *name == key.as_bytes());
        found.map(|(_, value)| value).filter(|value| !value.is_empty())
    }

    /// The value of a key as a number.
    ///
    /// # Errors
    /// The key, if it has something else.
    pub(super) fn number(&self, key: &'static str) -> Result<Option<u64>, &'static str> {
        let Some(value) = self.get(key) else { return Ok(None) };
        decimal(value).map(Some).ok_or(key)
    }

    /// These records after those of the whole archive.
    pub(super) fn after(&self, global: &Self) -> Self {
        Self { list: global.list.iter().chain(&self.list).cloned().collect() }
    }
}

/// A decimal number.
pub(super) fn decimal(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Whole seconds of a time with a fraction, the last that was complete.
pub(super) fn seconds(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let begun = whole.starts_with('-') && fraction.bytes().any(|digit| digit != b'0');
    whole.parse::<i64>().ok()?.checked_sub(i64::from(begun))
}

/// Bytes up to the next whole block.
pub(super) fn padded(length: u64) -> Option<u64> {
    length.checked_next_multiple_of(BLOCK)
}

#[cfg(test)]
mod tests {
    use super::{Records, seconds};

    #[test]
    fn records_are_read_or_refused() {
        let mut records = Records::default();
        records.add(b"9 path=x\n12 key=a=\nb\n9 path=y\n8 gone=\n").unwrap();
        assert_eq!(records.get("path"), Some(&b"y"[..]));
        assert_eq!(records.get("key"), Some(&b"a=\nb"[..]));
        assert_eq!(records.get("gone"), None);
        for bad in [&b"9 path=x"[..], b"90 path=x\n", b"x path=x\n", b"7 path\n", b"2 \n", b"0 "] {
            assert!(Records::default().add(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn times_of_every_form_are_read() {
        let rows = [("0", 0), ("1.999", 1), ("-1.5", -2), ("-1.0", -1), ("-7", -7), ("9.", 9)];
        for (given, expected) in rows {
            assert_eq!(seconds(given.as_bytes()), Some(expected), "{given}");
        }
        assert_eq!(seconds(b"x"), None);
    }
}
