//! A cursor over a message that can't leave it.

use super::name::Name;

/// A message that contradicts itself: too short, a label that runs out of it, a pointer loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed message: {what} at byte {at}")]
pub(crate) struct Malformed {
    /// What was being read.
    pub(crate) what: &'static str,
    /// Where, from the start of the message.
    pub(crate) at: usize,
}

/// Most pointers followed in one name; a legal name of 255 bytes has at most 127 labels.
const MAX_POINTERS: usize = 127;
/// The two upper bits of a length byte that make it a pointer (RFC 1035 section 4.1.4).
const POINTER: u8 = 0xc0;

/// Reads big-endian fields and names from `message`, starting anywhere in it.
#[derive(Clone)]
pub(crate) struct Reader<'a> {
    message: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(message: &'a [u8], at: usize) -> Self {
        Self { message, at }
    }

    /// Bytes from the start of the message.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn take(&mut self, count: usize, what: &'static str) -> Result<&'a [u8], Malformed> {
        let malformed = Malformed { what, at: self.at };
        let end = self.at.checked_add(count).ok_or(malformed)?;
        let bytes = self.message.get(self.at..end).ok_or(malformed)?;
        self.at = end;
        Ok(bytes)
    }

    pub(crate) fn u8(&mut self, what: &'static str) -> Result<u8, Malformed> {
        self.take(1, what).map(|bytes| bytes[0])
    }

    pub(crate) fn u16(&mut self, what: &'static str) -> Result<u16, Malformed> {
        self.take(2, what).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    pub(crate) fn u32(&mut self, what: &'static str) -> Result<u32, Malformed> {
        let bytes = self.take(4, what)?;
        Ok(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    /// A name, its pointers followed; the cursor ends behind it. Pointers must go backwards,
    /// which also ends every loop.
    pub(crate) fn name(&mut self) -> Result<Name, Malformed> {
        let start = self.at;
        let mut wire = Vec::with_capacity(64);
        let mut cursor = self.clone();
        let mut after_first_pointer = None;
        let mut lowest = start;
        for _ in 0..=MAX_POINTERS {
            let pointer = cursor.labels(&mut wire)?;
            let end = *after_first_pointer.get_or_insert(cursor.at);
            let Some(target) = pointer else {
                self.at = end;
                return Ok(Name::from_wire(wire));
            };
            if target >= lowest {
                return Err(Malformed { what: "name pointer forwards", at: cursor.at });
            }
            lowest = target;
            cursor.at = target;
        }
        Err(Malformed { what: "too many name pointers", at: start })
    }

    /// Skips a name without following its pointers.
    pub(crate) fn skip_name(&mut self) -> Result<(), Malformed> {
        self.labels(&mut Vec::new()).map(drop)
    }

    /// Appends labels up to the root, which is appended too, or up to a pointer, whose target is
    /// returned.
    fn labels(&mut self, wire: &mut Vec<u8>) -> Result<Option<usize>, Malformed> {
        loop {
            let at = self.at;
            let length = self.u8("name")?;
            if length & POINTER == POINTER {
                let low = self.u8("name pointer")?;
                return Ok(Some(usize::from(u16::from_be_bytes([length & !POINTER, low]))));
            }
            if length & POINTER != 0 {
                return Err(Malformed { what: "label type", at });
            }
            wire.push(length);
            wire.extend_from_slice(self.take(usize::from(length), "label")?);
            if wire.len() > Name::MAX {
                return Err(Malformed { what: "name of over 255 bytes", at });
            }
            if length == 0 {
                return Ok(None);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_with_their_pointers() {
        let message = b"\x03www\x07example\x00\x02ns\xc0\x04\xc0\x0d!";
        for (at, name, end) in
            [(0, "www.example.", 13), (13, "ns.example.", 18), (4, "example.", 13)]
        {
            let mut reader = Reader::new(message, at);
            assert_eq!(reader.name().unwrap().to_string(), name, "at {at}");
            assert_eq!(reader.at(), end, "at {at}");
        }
        let mut reader = Reader::new(message, 18);
        assert_eq!(reader.name().unwrap().to_string(), "ns.example.", "a pointer to a pointer");
    }

    #[test]
    fn lies_are_errors() {
        let long = [b"\x3f".as_slice(), &[b'a'; 63]].concat().repeat(4);
        for (what, message, at) in [
            ("label", b"\x05abc".as_slice(), 0),
            ("name", b"".as_slice(), 0),
            ("name", b"\x01a".as_slice(), 0),
            ("name pointer", b"\xc0".as_slice(), 0),
            ("name pointer forwards", b"\xc0\x00".as_slice(), 0),
            ("name pointer forwards", b"\x01a\xc0\x00".as_slice(), 0),
            ("name pointer forwards", b"\xc0\x02\xc0\x00".as_slice(), 2),
            ("label type", b"\x41a\x00".as_slice(), 0),
            ("name of over 255 bytes", &long, 0),
        ] {
            assert_eq!(Reader::new(message, at).name().unwrap_err().what, what);
        }
    }
}
