//! The GUID partition table (UEFI 2.10 §5.3) with one partition, the EFI system partition.
//!
//! ```text
//!  disk sector 1 header, 2 … 33 entries, … image …, 32 sectors of entries, header
//! ```
//!
//! The image itself is no partition: it would lie over the other one, and firmware drops those.

use std::ops::Range;

use super::DISK_SECTOR;

/// Disk sectors of the entries: 128 of 128 bytes.
const ENTRIES: u64 = 32;
/// Disk sectors of the second copy, at the end of the image.
pub(crate) const BACKUP: u64 = ENTRIES + 1;
const ENTRY: usize = 128;
const ENTRY_COUNT: usize = 128;
const HEADER: usize = 92;

/// C12A7328-F81F-11D2-BA4B-00A0C93EC93B, as it is stored.
const EFI_SYSTEM: [u8; 16] =
    [0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b];

/// What the table says; all numbers are of disk sectors.
pub(crate) struct Gpt {
    pub total: u64,
    /// The first that a partition may have.
    pub first_usable: u64,
    pub efi: Option<Range<u64>>,
    /// What the identifiers are made of: the same image has the same ones.
    pub seed: u32,
}

impl Gpt {
    /// The table at the front, from disk sector 1 on.
    pub(crate) fn front(&self) -> Vec<u8> {
        let mut out = self.header(1, self.total - 1, 2);
        out.extend(self.entries());
        out
    }

    /// Its copy, the last [`BACKUP`] sectors.
    pub(crate) fn back(&self) -> Vec<u8> {
        let mut out = self.entries();
        out.extend(self.header(self.total - 1, 1, self.total - BACKUP));
        out
    }

    fn header(&self, own: u64, other: u64, entries: u64) -> Vec<u8> {
        let mut out = b"EFI PART\0\0\x01\0".to_vec();
        out.extend_from_slice(&(HEADER as u32).to_le_bytes());
        out.extend_from_slice(&[0; 8]); // checksum, filled in below; reserved
        for number in [own, other, self.first_usable, self.total - BACKUP - 1] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&self.identifier(0));
        out.extend_from_slice(&entries.to_le_bytes());
        out.extend_from_slice(&(ENTRY_COUNT as u32).to_le_bytes());
        out.extend_from_slice(&(ENTRY as u32).to_le_bytes());
        out.extend_from_slice(&crc32(0, &self.entries()).to_le_bytes());
        let sum = crc32(0, &out);
        out[16..20].copy_from_slice(&sum.to_le_bytes());
        out.resize(DISK_SECTOR as usize, 0);
        out
    }

    fn entries(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(ENTRY * ENTRY_COUNT);
        if let Some(efi) = &self.efi {
            out.extend_from_slice(&EFI_SYSTEM);
            out.extend_from_slice(&self.identifier(1));
            out.extend_from_slice(&efi.start.to_le_bytes());
            out.extend_from_slice(&(efi.end - 1).to_le_bytes());
            out.extend_from_slice(&[0; 8]); // attributes
            out.extend("EFI".encode_utf16().flat_map(u16::to_le_bytes));
        }
        out.resize(ENTRY * ENTRY_COUNT, 0);
        out
    }

    /// A GUID of version 8 (RFC 9562), which leaves its making to us.
    fn identifier(&self, number: u8) -> [u8; 16] {
        let mut guid = [0; 16];
        for (part, salt) in guid.chunks_exact_mut(4).zip(0_u8..) {
            part.copy_from_slice(&crc32(self.seed, &[number, salt]).to_le_bytes());
        }
        guid[7] = guid[7] & 0x0f | 0x80;
        guid[8] = guid[8] & 0x3f | 0x80;
        guid
    }
}

/// CRC-32 as in UEFI and zip, going on from an earlier one.
pub(crate) fn crc32(from: u32, bytes: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0xedb8_8320;
    !bytes.iter().fold(!from, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| {
            if sum & 1 == 1 { sum >> 1 ^ POLYNOMIAL } else { sum >> 1 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_usual_one() {
        assert_eq!(crc32(0, b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(crc32(0, b"12345"), b"6789"), 0xcbf4_3926);
    }

    #[test]
    fn both_copies_name_each_other() {
        let gpt = Gpt { total: 8192, first_usable: 64, efi: Some(100..200), seed: 1 };
        let (front, back) = (gpt.front(), gpt.back());
        assert_eq!((front.len(), back.len()), (33 * 512, 33 * 512));
        let number =
            |bytes: &[u8], at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        let header = &back[32 * 512..];
        assert_eq!([24, 32, 72].map(|at| number(&front, at)), [1, 8191, 2]);
        assert_eq!([24, 32, 72].map(|at| number(header, at)), [8191, 1, 8159]);
        assert_eq!(front[512..], back[..32 * 512]);
    }
}
