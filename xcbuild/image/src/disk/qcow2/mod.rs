//! qcow2, the disk format of qemu: written from a raw disk, and read enough to tell what a disk is.
//!
//! ```text
//! header | refcount table | refcount blocks | L1 table | L2 tables | data, in the disk's order
//! ```
//!
//! Clusters of 64 KiB; those that hold zeros only take no room. No snapshots, no backing file, no
//! compression are written. What can't be read is refused by name ([`Unreadable`]): a disk that has
//! it can still be started by qemu, but not looked into.
//!
//! Reference: qemu, `docs/interop/qcow2.txt`, versions 2 and 3.

mod header;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use self::header::Unreadable;
pub use self::read::{Qcow2, to_raw};
pub use self::write::write;

/// How a qcow2 file begins.
pub const MAGIC: &[u8; 4] = b"QFI\xfb";
/// The header of version 3 without extensions, in bytes.
const HEADER_LENGTH: usize = 104;
/// In L1 and L2: the cluster has one user.
const COPIED: u64 = 1 << 63;
/// In L2: the cluster is compressed.
const COMPRESSED: u64 = 1 << 62;
/// In L2: the cluster reads as zeros.
const ZERO: u64 = 1;
/// In L1 and L2: where in the file it is.
const OFFSET: u64 = 0x00ff_ffff_ffff_fe00;
