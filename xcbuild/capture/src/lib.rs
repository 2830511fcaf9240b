//! Captures: frames of networks, from several places at once, into one pcapng file.
//!
//! A [`Source`] is a place where frames are seen; each is read by a thread of its own, whatever the
//! reader of the file does, since qemu and the kernel must not wait for it. What can't be written in
//! time is dropped and counted, as the file says at its end.
//!
//! ```text
//!   qemu's filter-dump ── FIFO ──┐
//!   packet socket in a namespace ┼── frames ──▶ queue ──▶ pcapng ──▶ file, or wireshark's pipe
//!   multicast group on loopback ─┘
//! ```
//!
//! | module | subject |
//! |---|---|
//! | [`pcapng`] | the file that is written |
//! | [`pcap`] | the streams that are read |
//! | [`source`] | where frames come from |
//! | [`record`] | from sources to the file, until the end |
//! | [`background`] | the same in the background |
//!
//! Which sources a network has is known to `cluster::capture`.

pub mod background;
pub mod pcap;
pub mod pcapng;
pub mod record;
pub mod source;

use std::time::Duration;

pub use background::Background;
pub use record::{Limits, Summary, record};
pub use source::Source;

/// The most bytes of a frame that are taken, unless set otherwise: more than a network card
/// gives in one piece.
pub const SNAPLEN: u32 = 262_144;

/// A frame as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// When, since 1970.
    pub when: Duration,
    /// How many bytes it has on the wire.
    pub length: u32,
    /// Its first bytes, all of them unless cut to the snap length.
    pub bytes: Vec<u8>,
}
