//! The bytes of rtnetlink messages: a header, a fixed part, attributes. Pure.
//!
//! ```text
//!   nlmsghdr   length:4  type:2  flags:2  sequence:4  port:4
//!   fixed      ifinfomsg, ifaddrmsg or rtmsg
//!   attribute  length:2  type:2  value, padded to 4 bytes; a nested one has attributes as value
//! ```
//!
//! All numbers are in the host's byte order, addresses in the network's.
//!
//! Reference: netlink(7), rtnetlink(7), and the kernel's `include/uapi/linux/{netlink,rtnetlink,
//! if_link,if_addr}.h`.

/// Length of the header.
pub(super) const HEADER: usize = 16;
/// Flags of a request that wants an answer: NLM_F_REQUEST, NLM_F_ACK.
pub(super) const REQUEST: u16 = 0x1 | 0x4;
/// Flags that make a new object, never change one: NLM_F_EXCL, NLM_F_CREATE.
pub(super) const CREATE: u16 = 0x200 | 0x400;
/// Type of an answer with an error number, 0 for success: NLMSG_ERROR.
pub(super) const ERROR: u16 = 2;

/// A message that grows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message(Vec<u8>);

impl Message {
    /// A request of a type with its fixed part.
    pub(super) fn new(kind: u16, flags: u16, fixed: &[u8]) -> Self {
        let mut bytes = vec![0; 4];
        bytes.extend(kind.to_ne_bytes());
        bytes.extend((REQUEST | flags).to_ne_bytes());
        bytes.extend([0; 8]);
        bytes.extend(fixed);
        Self(bytes)
    }

    /// Adds an attribute.
    #[must_use]
    pub(super) fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
        self.0.extend(length.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// Adds an attribute whose value is a number.
    #[must_use]
    pub(super) fn number(self, kind: u16, value: u32) -> Self {
        self.attribute(kind, &value.to_ne_bytes())
    }

    /// Adds an attribute whose value is a text, with the zero that ends it.
    #[must_use]
    pub(super) fn text(self, kind: u16, value: &str) -> Self {
        self.attribute(kind, &[value.as_bytes(), &[0]].concat())
    }

    /// Adds an attribute whose value is a fixed part and what `fill` adds.
    #[must_use]
    pub(super) fn nested(
        mut self,
        kind: u16,
        fixed: &[u8],
        fill: impl FnOnce(Self) -> Self,
    ) -> Self {
        let start = self.0.len();
        self = self.attribute(kind, fixed);
        self = fill(self);
        let length = u16::try_from(self.0.len() - start).unwrap_or(u16::MAX);
        self.0[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self
    }

    /// The finished bytes.
    pub(super) fn bytes(mut self, sequence: u32) -> Vec<u8> {
        let length = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        self.0[..4].copy_from_slice(&length.to_ne_bytes());
        self.0[8..12].copy_from_slice(&sequence.to_ne_bytes());
        self.0
    }
}

/// `ifinfomsg`: which link, and which flags to set of those in `change`.
pub(super) fn link(index: u32, flags: u32, change: u32) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    for number in [index, flags, change] {
        bytes.extend(number.to_ne_bytes());
    }
    bytes
}

/// An answer, read from the bytes that the kernel sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer<'a> {
    /// Its type.
    pub kind: u16,
    /// The number of the request that it answers.
    pub sequence: u32,
    /// What follows the header.
    pub body: &'a [u8],
}

/// The answers in what was received; bytes that are none end them.
pub(super) fn answers(mut bytes: &[u8]) -> Vec<Answer<'_>> {
    let mut all = Vec::new();
    while let (Some(length), Some(kind), Some(sequence)) =
        (number(bytes, 0), short(bytes, 4), number(bytes, 8))
    {
        let length = length as usize;
        let Some(body) = bytes.get(HEADER..length) else { break };
        all.push(Answer { kind, sequence, body });
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    all
}

/// The number at an offset.
pub(super) fn number(bytes: &[u8], offset: usize) -> Option<u32> {
    let slice = bytes.get(offset..offset + 4)?;
    Some(u32::from_ne_bytes(slice.try_into().ok()?))
}

fn short(bytes: &[u8], offset: usize) -> Option<u16> {
    let slice = bytes.get(offset..offset + 2)?;
    Some(u16::from_ne_bytes(slice.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::{CREATE, Message, REQUEST, answers, link};

    #[test]
    fn lengths_cover_what_is_in_them() {
        let message = Message::new(16, CREATE, &link(0, 0, 0))
            .text(3, "br")
            .nested(18, &[], |m| m.text(1, "bridge"));
        let bytes = message.bytes(7);
        assert_eq!(bytes.len(), 16 + 16 + 8 + 4 + 12);
        let read = answers(&bytes);
        assert_eq!((read[0].kind, read[0].sequence), (16, 7));
        assert_eq!(bytes[6..8], (REQUEST | CREATE).to_ne_bytes());
        // IFLA_IFNAME: four bytes of head, `br`, zero, one byte of padding.
        assert_eq!(bytes[32..40], [7, 0, 3, 0, b'b', b'r', 0, 0]);
        // IFLA_LINKINFO holds its own head and the padded IFLA_INFO_KIND.
        assert_eq!(bytes[40..48], [16, 0, 18, 0, 11, 0, 1, 0]);
    }

    #[test]
    fn cut_off_answers_are_none() {
        let bytes = Message::new(2, 0, &[0; 4]).bytes(1);
        for length in 0..bytes.len() {
            assert_eq!(answers(&bytes[..length]), []);
        }
        assert_eq!(answers(&[bytes.clone(), bytes].concat()).len(), 2);
    }
}
