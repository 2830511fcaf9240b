//! Writes pcapng: a section, a description of each place where frames are seen, then the frames, and
//! at the end how many were seen and dropped at each.
//!
//! Numbers are little-endian, times are nanoseconds, all frames are Ethernet's.
//!
//! Reference: draft-ietf-opsawg-pcapng, sections 4.1 to 4.6.

use std::io::{self, Write};
use std::time::Duration;

use super::Frame;

const SECTION: u32 = 0x0A0D_0D0A;
const INTERFACE: u32 = 1;
const STATISTICS: u32 = 5;
const PACKET: u32 = 6;

/// By it a reader sees the order of bytes.
const BYTE_ORDER: u32 = 0x1A2B_3C4D;
/// LINKTYPE_ETHERNET.
const ETHERNET: u16 = 1;

/// Options: shb_userappl, if_name, if_description, if_tsresol, epb_flags, isb_ifrecv, isb_osdrop.
const APPLICATION: u16 = 4;
const NAME: u16 = 2;
const DESCRIPTION: u16 = 3;
const RESOLUTION: u16 = 9;
const FLAGS: u16 = 2;
const RECEIVED: u16 = 4;
const DROPPED: u16 = 7;

/// 10 to the power of minus that is the unit of time.
const NANOSECONDS: u8 = 9;

/// Which way a frame went, as seen from the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Direction {
    /// Not known.
    Unknown = 0,
    /// To it.
    In = 1,
    /// From it.
    Out = 2,
}

/// A place where frames are seen, as the file describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// A short name.
    pub name: String,
    /// What it is.
    pub description: String,
    /// The most bytes of a frame that are taken.
    pub snaplen: u32,
}

/// Writes the head of the file: the section and the places, numbered from 0 in their order.
///
/// # Errors
/// What the writer gives.
pub fn head(out: &mut impl Write, interfaces: &[Interface]) -> io::Result<()> {
    let mut body = BYTE_ORDER.to_le_bytes().to_vec();
    body.extend([1, 0, 0, 0]);
    // The length of the section is not known while it is written.
    body.extend((-1_i64).to_le_bytes());
    option(&mut body, APPLICATION, concat!("xcbuild ", env!("CARGO_PKG_VERSION")).as_bytes());
    block(out, SECTION, body)?;
    for interface in interfaces {
        let mut body = ETHERNET.to_le_bytes().to_vec();
        body.extend([0, 0]);
        body.extend(interface.snaplen.to_le_bytes());
        option(&mut body, NAME, interface.name.as_bytes());
        option(&mut body, DESCRIPTION, interface.description.as_bytes());
        option(&mut body, RESOLUTION, &[NANOSECONDS]);
        block(out, INTERFACE, body)?;
    }
    Ok(())
}

/// Writes a frame that was seen at a place.
///
/// # Errors
/// What the writer gives.
pub fn frame(
    out: &mut impl Write,
    interface: u32,
    frame: &Frame,
    direction: Direction,
) -> io::Result<()> {
    let mut body = interface.to_le_bytes().to_vec();
    time(&mut body, frame.when);
    body.extend(size(&frame.bytes).to_le_bytes());
    body.extend(frame.length.to_le_bytes());
    padded(&mut body, &frame.bytes);
    if direction != Direction::Unknown {
        option(&mut body, FLAGS, &(direction as u32).to_le_bytes());
    }
    block(out, PACKET, body)
}

/// Writes how many frames were seen at a place in all, and how many of them were dropped.
///
/// # Errors
/// What the writer gives.
pub fn statistics(
    out: &mut impl Write,
    interface: u32,
    when: Duration,
    received: u64,
    dropped: u64,
) -> io::Result<()> {
    let mut body = interface.to_le_bytes().to_vec();
    time(&mut body, when);
    option(&mut body, RECEIVED, &received.to_le_bytes());
    option(&mut body, DROPPED, &dropped.to_le_bytes());
    block(out, STATISTICS, body)
}

/// A block; its length stands before and after its body, which may end in options.
fn block(out: &mut impl Write, kind: u32, mut body: Vec<u8>) -> io::Result<()> {
    // All bodies but that of a plain frame end in options, and none may go without an end of them
    // if it has some; an end without any is allowed.
    body.extend([0; 4]);
    let length = (size(&body) + 12).to_le_bytes();
    let whole = [&kind.to_le_bytes()[..], &length, &body, &length].concat();
    out.write_all(&whole)
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    // Names are ours and short; one that isn't is cut.
    let value = &value[..value.len().min(usize::from(u16::MAX))];
    body.extend(code.to_le_bytes());
    body.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
    padded(body, value);
}

/// Bytes, and zeros up to a multiple of four.
fn padded(body: &mut Vec<u8>, bytes: &[u8]) {
    body.extend(bytes);
    body.resize(body.len().next_multiple_of(4), 0);
}

/// Nanoseconds since 1970, the high half first.
fn time(body: &mut Vec<u8>, when: Duration) {
    let nanoseconds = u64::try_from(when.as_nanos()).unwrap_or(u64::MAX);
    let halves = [nanoseconds >> 32, nanoseconds & u64::from(u32::MAX)];
    body.extend(halves.iter().flat_map(|half| (*half as u32).to_le_bytes()));
}

fn size(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Direction, Interface, frame, head, statistics};
    use crate::Frame;

    #[test]
    fn blocks_are_as_the_draft_has_them() {
        let mut out = Vec::new();
        let interface = Interface { name: "n1".into(), description: "d".into(), snaplen: 96 };
        head(&mut out, &[interface]).unwrap();
        let section = out.len() - 48;
        // Section: type, length, magic, version 1.0, length unknown.
        assert_eq!(out[..8], [0x0a, 0x0d, 0x0d, 0x0a, section as u8, 0, 0, 0]);
        assert_eq!(out[8..16], [0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0]);
        assert_eq!(out[16..24], [0xff; 8]);
        let described = [
            &[1, 0, 0, 0, 48, 0, 0, 0, 1, 0, 0, 0, 96, 0, 0, 0][..],
            &[2, 0, 2, 0, b'n', b'1', 0, 0, 3, 0, 1, 0, b'd', 0, 0, 0],
            &[9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0, 48, 0, 0, 0],
        ];
        assert_eq!(out[section..section + 48], described.concat());

        let mut out = Vec::new();
        let seen = Frame { when: Duration::new(5, 6), length: 60, bytes: vec![7; 5] };
        frame(&mut out, 3, &seen, Direction::Out).unwrap();
        assert_eq!(out.len() % 4, 0);
        assert_eq!(out[8..12], [3, 0, 0, 0]);
        // 5,000,000,006 ns are 1 · 2³² + 705,032,710.
        assert_eq!(out[12..20], [1, 0, 0, 0, 6, 0xf2, 5, 0x2a]);
        assert_eq!(out[20..28], [5, 0, 0, 0, 60, 0, 0, 0]);
        assert_eq!(out[28..44], [7, 7, 7, 7, 7, 0, 0, 0, 2, 0, 4, 0, 2, 0, 0, 0]);

        let mut out = Vec::new();
        statistics(&mut out, 0, Duration::ZERO, 9, 2).unwrap();
        assert_eq!(out[20..32], [4, 0, 8, 0, 9, 0, 0, 0, 0, 0, 0, 0]);
    }
}
