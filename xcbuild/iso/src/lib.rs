//! ISO 9660 images: a writer that is complete, deterministic and fast, and a reader that trusts
//! nothing.
//!
//! An [`Image`] is built by calls, one for each entry, or from a directory of the host, and then
//! written: to any stream front to back, or to a file by several threads. [`read::Reader`] reads
//! images, one's own and anybody's.
//!
//! # The format
//! ISO 9660 is ECMA-119 (here: the 4th edition, 2019), free on Ecma's site. A disc is a row of
//! sectors of 2048 bytes, and everything lies where a number in something earlier says:
//!
//! ```text
//!  sector 0 ┌────────────────────────────┐
//!           │ system area                │ nothing, or MBR and GPT for use as a disk
//!        16 ├────────────────────────────┤
//!           │ primary volume descriptor  │ names, sizes, where the root and path tables are  §8.4
//!        17 │ boot record                │ where the boot catalog is            El Torito §2.0
//!        18 │ supplementary descriptor   │ the same for Joliet                                §8.5
//!        19 │ terminator                 │                                                    §8.3
//!           ├────────────────────────────┤
//!           │ boot catalog               │ what firmware loads                  El Torito §2.1
//!           │ path tables                │ all directories in a row, in two byte orders  §6.9, §9.4
//!           │ directories                │ records of name, place, length, time          §6.8, §9.1
//!           │  + continuation areas      │ Rock Ridge fields that a record can't hold    SUSP §5.1
//!           │ directories for Joliet     │ records with UCS-2 names
//!           │ contents of files          │ each in a row of whole sectors                     §6.5
//!           └────────────────────────────┘
//! ```
//!
//! A directory record has 255 bytes at most. ISO 9660 itself uses some 66 of them, for a name of
//! capitals; the rest is the "system use" field, where Rock Ridge (RRIP, IEEE P1282 draft 1.12, by
//! the protocol SUSP, IEEE P1281 draft 1.12) keeps real names, modes, owners, links and devices.
//! Readers that know it see a Unix file system, others the capitals. Joliet is a whole second tree
//! of directories for Windows, over the same contents.
//!
//! # The limits
//! | limit | where from | what becomes of it |
//! |---|---|---|
//! | 4 GiB in an extent | 32-bit lengths, §9.1.4 | several extents for a file, §6.5.1 |
//! | 8 levels, paths of 255 bytes | §6.8.2.1 | deeper directories move to a hidden one, RRIP §4.1.5 |
//! | 65,535 directories | 16-bit parents, §9.4.4 | [`Error::TooManyDirectories`] |
//! | names of 31 capitals | §7.5, §7.6 | mapped, cut and numbered; Rock Ridge has the real ones |
//! | names of 255 bytes, targets of 4095 | RRIP readers | an error (Linux itself shows names up to 253) |
//! | years 1900 to 2155 | §9.1.5 | [`Error::Time`] |
//! | 8 TiB | 32-bit sectors | [`Error::ImageTooLarge`] |
//!
//! Nothing is dropped, renamed in Rock Ridge, or cut in silence. What Joliet can't hold, links and
//! devices, is left out of Joliet alone, as all writers do.
//!
//! # How it is written
//! Layout comes first: every directory is written once into the void to know its size, everything
//! gets its sector, and errors end it here, before the first byte. Then one pass writes it all.
//! Contents are never held in memory: a few threads open and read small files ahead, one writes in
//! turn, and large contents are copied by the kernel where the target is a regular file.
//!
//! The same tree gives the same bytes: names are sorted and numbers are given on a walk through the
//! sorted tree, so that the order of the calls leaves no trace, and neither clock nor host is asked.
//!
//! Memory grows with the number of entries alone. `examples/memory.rs` measures it: with short names
//! and paths on the host, an entry costs 220 bytes once it is added, and 430 at most while an image
//! with Joliet is written.
//!
//! # Judged by
//! Golden trees are read by xorriso, bsdtar, isoinfo, 7z, the crate `hadris-iso`, and, without Rock
//! Ridge, the crate `iso9660`; a Linux kernel mounts an image and every path, mode, owner, link,
//! device and digest is compared. Images boot in qemu by BIOS and UEFI, as CD and disk. Images by
//! genisoimage, xorrisofs and `hadris-iso` are read. Where other tools are wrong about the standard,
//! the code says how it keeps them right.

mod boot;
mod contents;
mod descriptor;
mod directory;
mod error;
mod fields;
mod image;
mod joliet;
mod layout;
mod names;
mod options;
mod pathtable;
mod primary;
pub mod read;
mod rockridge;
mod scan;
mod sector;
mod source;
mod tree;
mod view;
mod write;

/// Raised when other bytes come of the same tree and options, for caches of images.
pub const FORMAT: u32 = 3;

pub use boot::{BootEntry, Hybrid, Platform};
pub use directory::EXTENT_MAX;
pub use error::{Error, ImagePath};
pub use image::{Image, Summary};
pub use joliet::JolietName;
pub use options::{IsoNames, Joliet, Options};
pub use sector::{SECTOR, Sector};
pub use source::{Extent, Source};
pub use tree::{DeviceKind, MAJOR_MAX, MINOR_MAX, Meta, NAME_MAX, TARGET_MAX};
pub use view::DIRECTORIES_MAX;
