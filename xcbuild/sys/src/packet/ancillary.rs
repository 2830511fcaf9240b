//! What the kernel says about a frame in control messages: when it saw it, and the VLAN tag that it
//! took off.
//!
//! They are read as bytes, since none of it has to be trusted then: each is a `struct cmsghdr` with
//! data, aligned to 8 bytes, of which those that are not known are passed over.
//!
//! Reference: cmsg(3), packet(7) (`PACKET_AUXDATA`), socket(7) (`SO_TIMESTAMPNS`).

use std::time::Duration;

/// `struct cmsghdr`: length with itself, level, type.
const HEADER: usize = 16;
/// How messages are aligned.
const ALIGNMENT: usize = 8;
/// In `struct tpacket_auxdata`: status, then lengths and offsets, tag and type of the tag.
const STATUS_AT: usize = 0;
const TAG_AT: usize = 16;
const TYPE_AT: usize = 18;
/// The tag's type where the kernel names none.
const VLAN: u16 = 0x8100;

/// What the messages say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct AncillaryData {
    /// When the kernel saw the frame, since 1970.
    pub when: Duration,
    /// Type and value of the VLAN tag that it took off.
    pub tag: Option<(u16, u16)>,
}

impl AncillaryData {
    /// Reads a control buffer as far as the kernel filled it.
    pub(super) fn parse(mut control: &[u8]) -> Self {
        let mut all = Self::default();
        while let Some((level, kind, data, rest)) = message(control) {
            match (level, kind) {
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                    all.when = time(data).unwrap_or_default();
                }
                (libc::SOL_PACKET, libc::PACKET_AUXDATA) => all.tag = tag(data),
                _ => {}
            }
            control = rest;
        }
        all
    }
}

/// The first message: level, type, data, and what follows it.
fn message(control: &[u8]) -> Option<(i32, i32, &[u8], &[u8])> {
    let length = usize::try_from(u64::from_ne_bytes(number(control, 0)?)).ok()?;
    let (level, kind) = (number(control, 8)?, number(control, 12)?);
    let data = control.get(HEADER..length)?;
    let rest = control.get(length.next_multiple_of(ALIGNMENT)..).unwrap_or_default();
    Some((i32::from_ne_bytes(level), i32::from_ne_bytes(kind), data, rest))
}

/// A `struct timespec`.
fn time(data: &[u8]) -> Option<Duration> {
    let seconds = i64::from_ne_bytes(number(data, 0)?);
    let nanoseconds = i64::from_ne_bytes(number(data, 8)?);
    Some(Duration::new(seconds.try_into().ok()?, nanoseconds.try_into().ok()?))
}

/// The tag of a `struct tpacket_auxdata`, if it has one.
fn tag(data: &[u8]) -> Option<(u16, u16)> {
    let status = u32::from_ne_bytes(number(data, STATUS_AT)?);
    let has = |flag: u32| status & flag != 0;
    let value = u16::from_ne_bytes(number(data, TAG_AT)?);
    let named = u16::from_ne_bytes(number(data, TYPE_AT)?);
    let kind = if has(libc::TP_STATUS_VLAN_TPID_VALID) { named } else { VLAN };
    has(libc::TP_STATUS_VLAN_VALID).then_some((kind, value))
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::AncillaryData;

    /// A message as the kernel writes it, padded.
    fn message(level: i32, kind: i32, data: &[u8]) -> Vec<u8> {
        let length = (16 + data.len()) as u64;
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend([level.to_ne_bytes(), kind.to_ne_bytes()].concat());
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    }

    fn auxdata(status: u32) -> Vec<u8> {
        let mut data = status.to_ne_bytes().to_vec();
        data.resize(16, 0);
        data.extend([7_u16.to_ne_bytes(), 0x88a8_u16.to_ne_bytes()].concat());
        message(libc::SOL_PACKET, libc::PACKET_AUXDATA, &data)
    }

    #[test]
    fn time_and_tag_are_found_among_others() {
        let time = [12_i64.to_ne_bytes(), 34_i64.to_ne_bytes()].concat();
        let time = message(libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS, &time);
        let (valid, named) = (libc::TP_STATUS_VLAN_VALID, libc::TP_STATUS_VLAN_TPID_VALID);
        for (status, tag) in [
            (0, None),
            (named, None),
            (valid, Some((0x8100, 7))),
            (valid | named, Some((0x88a8, 7))),
        ] {
            let control = [message(1, 99, &[1; 5]), auxdata(status), time.clone()].concat();
            let expected = AncillaryData { when: Duration::new(12, 34), tag };
            assert_eq!(AncillaryData::parse(&control), expected, "{status}");
        }
    }

    #[test]
    fn what_is_cut_off_or_too_long_is_no_message() {
        let whole = auxdata(libc::TP_STATUS_VLAN_VALID);
        for length in 0..whole.len() - 4 {
            assert_eq!(AncillaryData::parse(&whole[..length]), AncillaryData::default());
        }
        for length in [0, 15, u64::MAX] {
            let mut control = whole.clone();
            control[..8].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(AncillaryData::parse(&control), AncillaryData::default());
        }
    }
}
