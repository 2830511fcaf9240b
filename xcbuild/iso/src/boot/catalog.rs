//! The boot catalog and the boot record that names it (El Torito §2 and §4).
//!
//! ```text
//!  validation │ first entry │ header │ entry │ header │ entry │ …      32 bytes each
//! ```

use super::{DISK_SECTOR, Platform};
use crate::sector::{SECTOR, Sector};

/// Entries that a catalog of one sector has room for.
pub(crate) const ENTRIES_MAX: usize = 32;

const ENTRY: usize = 32;

/// An entry whose file has its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    pub platform: Platform,
    pub start: Sector,
    /// Bytes of the file.
    pub length: u64,
    pub load_sectors: Option<u16>,
}

impl Placed {
    fn bytes(&self) -> [u8; ENTRY] {
        const BOOTABLE: u8 = 0x88;
        let whole = || u16::try_from(self.length.div_ceil(DISK_SECTOR)).unwrap_or(0);
        let load = self.load_sectors.unwrap_or_else(|| match self.platform {
            Platform::Bios => 4,
            Platform::Efi => whole(),
        });
        let mut entry = [0; ENTRY];
        entry[0] = BOOTABLE; // then: no emulation, the usual segment
        entry[6..8].copy_from_slice(&load.to_le_bytes());
        entry[8..12].copy_from_slice(&self.start.0.to_le_bytes());
        entry
    }
}

fn platform_id(platform: Platform) -> u8 {
    match platform {
        Platform::Bios => 0,
        Platform::Efi => 0xef,
    }
}

/// The catalog: the first entry is the default, each other one a section of its own.
pub(crate) fn catalog(entries: &[Placed]) -> Vec<u8> {
    const MORE: u8 = 0x90;
    const LAST: u8 = 0x91;
    let mut out = Vec::with_capacity(SECTOR);
    for (index, entry) in entries.iter().enumerate() {
        if index == 0 {
            out.extend_from_slice(&validation(entry.platform));
        } else {
            let mut header = [0; ENTRY];
            header[0] = if index + 1 == entries.len() { LAST } else { MORE };
            header[1] = platform_id(entry.platform);
            header[2] = 1; // entries in the section
            out.extend_from_slice(&header);
        }
        out.extend_from_slice(&entry.bytes());
    }
    out.resize(SECTOR, 0);
    out
}

/// The validation entry, whose 16-bit words add up to 0.
fn validation(platform: Platform) -> [u8; ENTRY] {
    let mut entry = [0; ENTRY];
    entry[..2].copy_from_slice(&[1, platform_id(platform)]);
    entry[30..].copy_from_slice(&[0x55, 0xaa]);
    let (words, _) = entry.as_chunks();
    let sum = words.iter().fold(0_u16, |sum, &word| sum.wrapping_add(u16::from_le_bytes(word)));
    entry[28..30].copy_from_slice(&sum.wrapping_neg().to_le_bytes());
    entry
}

/// The boot record volume descriptor (ECMA-119 §8.2), which must be in sector 17.
pub(crate) fn boot_record(catalog: Sector) -> Vec<u8> {
    const SYSTEM: &[u8] = b"EL TORITO SPECIFICATION";
    let mut out = b"\0CD001\x01".to_vec();
    out.extend_from_slice(SYSTEM);
    out.resize(71, 0);
    out.extend_from_slice(&catalog.0.to_le_bytes());
    out.resize(SECTOR, 0);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalog_has_a_section_for_each_further_entry() {
        let entry = |platform, start| Placed {
            platform,
            start: Sector(start),
            length: 1 << 20,
            load_sectors: None,
        };
        let bytes = catalog(&[entry(Platform::Bios, 0x1234), entry(Platform::Efi, 0x5678)]);
        let expected = [
            (0, &[1, 0, 0, 0][..]),
            (28, &[0xaa, 0x55, 0x55, 0xaa]),
            (32, &[0x88, 0, 0, 0, 0, 0, 4, 0, 0x34, 0x12, 0, 0]),
            (64, &[0x91, 0xef, 1, 0]),
            (96, &[0x88, 0, 0, 0, 0, 0, 0, 8, 0x78, 0x56, 0, 0]),
            (128, &[0, 0, 0, 0]),
        ];
        for (at, part) in expected {
            assert_eq!(&bytes[at..at + part.len()], part, "{at}");
        }
    }
}
