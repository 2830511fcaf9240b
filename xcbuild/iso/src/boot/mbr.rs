//! The master boot record of an image that is also a disk, as isohybrid (syslinux) makes it.
//!
//! ```text
//!  0 code                 432 sector of the loader   440 disk id   446 four partitions   510 55 aa
//! ```
//!
//! The first partition is the whole image and active, so that a BIOS boots from it; the second is
//! the FAT image for UEFI; with a GPT the third covers everything behind the MBR and says so
//! (UEFI 2.10 §5.2.3), which firmware and Linux take for a hybrid and then read the GPT.

use std::ops::Range;

use super::DISK_SECTOR;

/// The most bytes of code.
pub(crate) const CODE_MAX: usize = 432;
/// The geometry that partition tables of images pretend: a cylinder is a mebibyte.
const HEADS: u64 = 64;
const SECTORS: u64 = 32;
/// Images end at a cylinder's end.
pub(crate) const CYLINDER: u32 = (HEADS * SECTORS * DISK_SECTOR) as u32;

const WHOLE_IMAGE: u8 = 0x17;
const EFI_SYSTEM: u8 = 0xef;
const GPT: u8 = 0xee;

/// What the record says; all numbers are of disk sectors.
pub(crate) struct Mbr<'a> {
    pub code: &'a [u8],
    /// Where the BIOS's boot loader starts.
    pub loader: Option<u64>,
    pub disk_id: u32,
    /// How many sectors the image has.
    pub total: u64,
    pub efi: Option<Range<u64>>,
    pub gpt: bool,
}

impl Mbr<'_> {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = self.code.to_vec();
        out.resize(CODE_MAX, 0);
        out.extend_from_slice(&self.loader.unwrap_or(0).to_le_bytes());
        out.extend_from_slice(&self.disk_id.to_le_bytes());
        out.extend_from_slice(&[0, 0]);
        let rest = self.gpt.then_some(1..self.total);
        out.extend_from_slice(&partition(Some(&(0..self.total)), WHOLE_IMAGE, true));
        out.extend_from_slice(&partition(self.efi.as_ref(), EFI_SYSTEM, false));
        out.extend_from_slice(&partition(rest.as_ref(), GPT, false));
        out.extend_from_slice(&partition(None, 0, false));
        out.extend_from_slice(&[0x55, 0xaa]);
        out
    }
}

/// An entry of the partition table.
fn partition(sectors: Option<&Range<u64>>, kind: u8, active: bool) -> [u8; 16] {
    let mut entry = [0; 16];
    let Some(sectors) = sectors else { return entry };
    let number = |n: u64| u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes();
    entry[0] = if active { 0x80 } else { 0 };
    entry[1..4].copy_from_slice(&chs(sectors.start));
    entry[4] = kind;
    entry[5..8].copy_from_slice(&chs(sectors.end.saturating_sub(1)));
    entry[8..12].copy_from_slice(&number(sectors.start));
    entry[12..].copy_from_slice(&number(sectors.end - sectors.start));
    entry
}

/// A sector as cylinder, head and sector; the last there is for what lies beyond.
fn chs(sector: u64) -> [u8; 3] {
    let cylinder = sector / (HEADS * SECTORS);
    if cylinder > 1023 {
        return [0xfe, 0xff, 0xff];
    }
    let head = sector / SECTORS % HEADS;
    let in_track = sector % SECTORS + 1;
    [head as u8, (in_track | (cylinder >> 8 << 6)) as u8, cylinder as u8]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_names_loader_and_partitions() {
        let mbr = Mbr {
            code: &[0x33; 100],
            loader: Some(0x1_0203),
            disk_id: 0xdead_beef,
            total: 4096,
            efi: Some(800..900),
            gpt: true,
        };
        let bytes = mbr.bytes();
        assert_eq!(bytes.len(), 512);
        assert_eq!(bytes[432..444], [3, 2, 1, 0, 0, 0, 0, 0, 0xef, 0xbe, 0xad, 0xde]);
        assert_eq!(bytes[446..462], [0x80, 0, 1, 0, 0x17, 63, 32, 1, 0, 0, 0, 0, 0, 16, 0, 0]);
        assert_eq!(bytes[462..478], [0, 25, 1, 0, 0xef, 28, 4, 0, 32, 3, 0, 0, 100, 0, 0, 0]);
        assert_eq!(bytes[478..494], [0, 0, 2, 0, 0xee, 63, 32, 1, 1, 0, 0, 0, 255, 15, 0, 0]);
        assert_eq!(bytes[494..], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x55, 0xaa]);
    }
}
