//! Making an image bootable.
//!
//! * From a CD, by El Torito ("El Torito" Bootable CD-ROM Format Specification 1.0, 1995): a boot
//!   record in sector 17 names a [`catalog`], and that the files that firmware loads: for a BIOS a
//!   boot loader such as `isolinux.bin`, which wants to be told where it is ([`info_table`]), for
//!   UEFI the image of a FAT file system.
//! * From a disk, as which the same bytes look different: the system area before the first
//!   descriptor holds an MBR whose code finds the boot loader (isohybrid), and a GPT that names the
//!   FAT image as EFI system partition, with its second copy at the end ([`mbr`], [`gpt`]).

pub(crate) mod catalog;
pub(crate) mod gpt;
pub(crate) mod info_table;
pub(crate) mod mbr;
mod plan;

pub(crate) use plan::Plan;

/// Which firmware an entry is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// PC BIOS, without emulation of a floppy or hard disk.
    Bios,
    /// UEFI: the file is an image of a FAT file system.
    Efi,
}

/// A file that firmware boots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootEntry {
    /// The file in the image.
    pub path: Vec<u8>,
    /// For which firmware it is.
    pub platform: Platform,
    /// How many sectors of 512 bytes the firmware loads. By default 4 for a BIOS, and all of the
    /// file for UEFI, or 0 (which means the same) if they are more than 65,535.
    pub load_sectors: Option<u16>,
    /// Whether bytes 8 to 63 of the file are to say where it is, as isolinux and GRUB want it.
    pub info_table: bool,
}

/// How the image looks as a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hybrid {
    /// The code of the MBR, at most 432 bytes; isolinux comes with it as `isohdpfx.bin`.
    pub mbr: Vec<u8>,
    /// Whether there is a GPT as well. It names the first EFI entry.
    pub gpt: bool,
}

/// All that is asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Boot {
    pub entries: Vec<BootEntry>,
    pub hybrid: Option<Hybrid>,
}

/// Bytes of a disk's sector, in which MBR and GPT count.
pub(crate) const DISK_SECTOR: u64 = 512;
