//! The header, and what of the format is refused by name.

use super::{HEADER_LENGTH, MAGIC};

/// The header of version 2 has that many bytes, that of version 3 at least [`HEADER_LENGTH`].
const HEADER_LENGTH_2: usize = 72;
/// L1 tables are no longer than that in qemu, in entries of 8 bytes.
const L1_MAX: u64 = (32 << 20) / 8;

/// Why a file is not read as a qcow2 disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The file does not begin as one.
    #[error("not a qcow2 disk")]
    Magic,
    /// Another version of the format.
    #[error("a qcow2 disk of version {0}: versions 2 and 3 can be read")]
    Version(u32),
    /// A header that no qemu writes.
    #[error("a damaged qcow2 disk: its {0} is not valid")]
    Header(&'static str),
    /// Part of its content is in another file.
    #[error("a qcow2 disk with a backing file")]
    BackingFile,
    /// Its content is encrypted.
    #[error("an encrypted qcow2 disk")]
    Encrypted,
    /// It was not closed, or is in use.
    #[error("a qcow2 disk that was not closed properly: `qemu-img check -r all` repairs it")]
    Dirty,
    /// qemu has found it corrupt.
    #[error("a qcow2 disk that is marked as corrupt: `qemu-img check -r all` repairs it")]
    Corrupt,
    /// Its content is in another file.
    #[error("a qcow2 disk with an external data file")]
    ExternalData,
    /// Compressed in another way than by deflate.
    #[error("a qcow2 disk with another compression type than zlib")]
    CompressionType,
    /// L2 tables have longer entries.
    #[error("a qcow2 disk with extended L2 entries")]
    ExtendedL2,
    /// A feature that is newer than this program.
    #[error("a qcow2 disk with an incompatible feature of an unknown kind (bit {0})")]
    Feature(u32),
    /// A compressed cluster.
    #[error("a compressed qcow2 disk")]
    Compressed,
}

/// The incompatible features that are known, by their bits.
const FEATURES: &[Unreadable] = &[
    Unreadable::Dirty,
    Unreadable::Corrupt,
    Unreadable::ExternalData,
    Unreadable::CompressionType,
    Unreadable::ExtendedL2,
];

/// What reading needs of a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// Of the disk, in bytes.
    pub(super) size: u64,
    /// A cluster has 2 to that power bytes.
    pub(super) cluster_bits: u32,
    /// Where the L1 table is, in bytes.
    pub(super) l1: u64,
    /// How many entries it has.
    pub(super) l1_entries: u64,
}

impl Header {
    /// Reads a header from the first bytes of a file; the file may be shorter than the array.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Unreadable> {
        let word = |at: usize| {
            let bytes = bytes.get(at..at + 4).and_then(|b| b.try_into().ok());
            bytes.map(u32::from_be_bytes).ok_or(Unreadable::Header("length"))
        };
        let long = |at: usize| Ok(u64::from(word(at)?) << 32 | u64::from(word(at + 4)?));
        if !bytes.starts_with(MAGIC) {
            return Err(Unreadable::Magic);
        }
        match word(4)? {
            2 if bytes.len() < HEADER_LENGTH_2 => return Err(Unreadable::Header("length")),
            2 => {}
            3 if (word(100)? as usize) < HEADER_LENGTH => return Err(Unreadable::Header("length")),
            3 => refuse_features(long(72)?)?,
            other => return Err(Unreadable::Version(other)),
        }
        if long(8)? != 0 {
            return Err(Unreadable::BackingFile);
        }
        if word(32)? != 0 {
            return Err(Unreadable::Encrypted);
        }
        let (cluster_bits, size, l1_entries) = (word(20)?, long(24)?, word(36)?.into());
        if !(9..=21).contains(&cluster_bits) {
            return Err(Unreadable::Header("cluster size"));
        }
        // An L1 entry is of an L2 table, which is one cluster of entries of 8 bytes.
        let covered = 1_u128 << (2 * cluster_bits - 3);
        if l1_entries > L1_MAX || u128::from(l1_entries) * covered < u128::from(size) {
            return Err(Unreadable::Header("L1 table"));
        }
        Ok(Self { size, cluster_bits, l1: long(40)?, l1_entries })
    }
}

fn refuse_features(incompatible: u64) -> Result<(), Unreadable> {
    if incompatible == 0 {
        return Ok(());
    }
    let bit = incompatible.trailing_zeros();
    Err(FEATURES.get(bit as usize).copied().unwrap_or(Unreadable::Feature(bit)))
}
