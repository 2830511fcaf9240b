//! Streams of the older pcap format, which qemu and our own helper write: read as they come, and
//! written.
//!
//! ```text
//!   magic  version 2.4  0  0  snap length  link type          24 bytes, once
//!   seconds  fraction  bytes here  bytes on the wire          16 bytes, before each frame
//! ```
//!
//! The magic number tells the unit of the fraction, and the order of bytes, which is this
//! machine's: the writer is on it.
//!
//! Reference: draft-ietf-opsawg-pcap.

use std::time::Duration;

use super::Frame;

/// Fractions of a second are microseconds; nanoseconds.
const MICROSECONDS: u32 = 0xA1B2_C3D4;
const NANOSECONDS: u32 = 0xA1B2_3C4D;

const HEAD: usize = 24;
const FRAME_HEAD: usize = 16;

/// More bytes than any frame has: what claims more is no such stream.
const LONGEST: u32 = 1 << 20;

/// The head of a stream with nanoseconds.
pub fn head(snaplen: u32) -> Vec<u8> {
    // Version 2.4, two unused numbers, LINKTYPE_ETHERNET.
    let version = u32::from_ne_bytes(if cfg!(target_endian = "little") {
        [2, 0, 4, 0]
    } else {
        [0, 2, 0, 4]
    });
    [NANOSECONDS, version, 0, 0, snaplen, 1].iter().flat_map(|n| n.to_ne_bytes()).collect()
}

/// The head of a frame in such a stream.
pub fn frame_head(when: Duration, here: u32, length: u32) -> Vec<u8> {
    // Seconds are 32 bits in this format; it ends in 2106.
    let seconds = when.as_secs() as u32;
    [seconds, when.subsec_nanos(), here, length].iter().flat_map(|n| n.to_ne_bytes()).collect()
}

/// A stream that is read piece by piece.
#[derive(Debug, Default)]
pub struct Stream {
    pending: Vec<u8>,
    /// The unit of the fraction in nanoseconds, once the head was read.
    unit: Option<u32>,
}

impl Stream {
    /// Whether the head has come: the writer has begun.
    pub fn has_begun(&self) -> bool {
        self.unit.is_some()
    }

    /// Takes the next bytes and gives the frames that are whole.
    ///
    /// # Errors
    /// A sentence, when these bytes are no such stream.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Vec<Frame>, String> {
        self.pending.extend(bytes);
        let mut at = 0;
        if self.unit.is_none() {
            if self.pending.len() < HEAD {
                return Ok(Vec::new());
            }
            self.unit = Some(match self.number(0) {
                MICROSECONDS => 1000,
                NANOSECONDS => 1,
                other => return Err(format!("{other:#x} is not the magic number of pcap")),
            });
            at = HEAD;
        }
        let mut frames = Vec::new();
        while let Some(frame) = self.frame(at)? {
            at += FRAME_HEAD + frame.bytes.len();
            frames.push(frame);
        }
        self.pending.drain(..at);
        Ok(frames)
    }

    fn frame(&self, at: usize) -> Result<Option<Frame>, String> {
        if self.pending.len() < at + FRAME_HEAD {
            return Ok(None);
        }
        let [seconds, fraction, here, length] = [0, 4, 8, 12].map(|i| self.number(at + i));
        if here > LONGEST {
            return Err(format!("a frame of {here} bytes"));
        }
        let start = at + FRAME_HEAD;
        let Some(bytes) = self.pending.get(start..start + here as usize) else { return Ok(None) };
        let nanoseconds = u64::from(fraction) * u64::from(self.unit.unwrap_or(1));
        let when = Duration::from_secs(seconds.into()) + Duration::from_nanos(nanoseconds);
        Ok(Some(Frame { when, length, bytes: bytes.into() }))
    }

    /// The number at a place that is there.
    fn number(&self, at: usize) -> u32 {
        let bytes = self.pending.get(at..at + 4).and_then(|b| b.try_into().ok());
        u32::from_ne_bytes(bytes.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Stream, frame_head, head};

    #[test]
    fn frames_come_out_whole_however_the_bytes_come() {
        let when = Duration::new(7, 8);
        let bytes =
            [head(96), frame_head(when, 3, 60), vec![1, 2, 3], frame_head(when, 0, 0)].concat();
        for piece in [1, 5, bytes.len()] {
            let mut stream = Stream::default();
            assert!(!stream.has_begun());
            let pieces = bytes.chunks(piece).flat_map(|b| stream.take(b).unwrap());
            let frames: Vec<_> = pieces.collect();
            assert_eq!(frames.len(), 2);
            assert_eq!((frames[0].when, frames[0].length), (when, 60));
            assert_eq!((&frames[0].bytes[..], frames[1].length), (&[1, 2, 3][..], 0));
            assert!(stream.has_begun());
        }
    }

    #[test]
    fn other_streams_are_refused() {
        assert!(Stream::default().take(&[b'x'; 24]).is_err());
        let mut stream = Stream::default();
        stream.take(&head(96)).unwrap();
        assert!(stream.take(&frame_head(Duration::ZERO, u32::MAX, 0)).is_err());
    }
}
