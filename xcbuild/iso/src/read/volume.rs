//! Finding the volume descriptors (ECMA-119 §8).

use super::input::Input;
use super::problem::ReadError;
use super::record::{Record, both32, long_time, number32};
use crate::descriptor::FIRST;
use crate::sector::SECTOR;

/// More descriptors than any image has.
const DESCRIPTORS_MAX: u64 = 100;

/// The place of fields in a descriptor.
mod at {
    pub(super) const SYSTEM_ID: usize = 8;
    pub(super) const VOLUME_ID: usize = 40;
    pub(super) const BLOCKS: usize = 80;
    pub(super) const ESCAPES: usize = 88;
    pub(super) const BLOCK_SIZE: usize = 128;
    pub(super) const PATH_TABLE_SIZE: usize = 132;
    pub(super) const PATH_TABLE_LITTLE: usize = 140;
    pub(super) const PATH_TABLE_BIG: usize = 148;
    pub(super) const ROOT: usize = 156;
    pub(super) const ROOT_END: usize = 190;
    pub(super) const CREATED: usize = 813;
    pub(super) const CREATED_END: usize = 830;
}

/// What a volume descriptor says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// The volume identifier without the spaces that fill it up.
    pub id: String,
    /// The system identifier, likewise.
    pub system_id: String,
    /// When it was made, in seconds since 1970.
    pub created: Option<i64>,
    /// Bytes of a logical block: 512, 1024 or 2048.
    pub block_size: u32,
    /// How many blocks the volume claims to have.
    pub blocks: u32,
    /// Bytes of each path table.
    pub path_table_size: u32,
    /// Where the little-endian path table is.
    pub path_table_little: u32,
    /// Where the big-endian path table is.
    pub path_table_big: u32,
    pub(crate) root_start: u32,
    pub(crate) root_length: u32,
    pub(crate) joliet: bool,
    pub(crate) consistent: bool,
}

/// The descriptors that matter.
#[derive(Clone, Debug)]
pub(crate) struct Volumes {
    pub primary: Volume,
    pub joliet: Option<Volume>,
    /// The sector of the El Torito boot catalog.
    pub boot_catalog: Option<u32>,
}

/// Reads the descriptors.
pub(crate) fn read(input: &impl Input) -> Result<Volumes, ReadError> {
    const EL_TORITO: &[u8] = b"EL TORITO SPECIFICATION";
    let (mut primary, mut joliet, mut boot_catalog) = (None, None, None);
    for number in 0..DESCRIPTORS_MAX {
        let mut sector = [0; SECTOR];
        let offset = (u64::from(FIRST) + number) * SECTOR as u64;
        match input.read_exact_at(&mut sector, offset) {
            Err(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => {
                return Err(error.into());
            }
            Ok(()) if &sector[1..6] == b"CD001" => {}
            _ => break,
        }
        match sector[0] {
            0 if sector[7..].starts_with(EL_TORITO) => {
                boot_catalog =
                    Some(u32::from_le_bytes([sector[71], sector[72], sector[73], sector[74]]));
            }
            1 if primary.is_none() => primary = Some(parse(&sector)?),
            2 if joliet.is_none() => joliet = parse(&sector).ok().filter(|volume| volume.joliet),
            255 => break,
            _ => {}
        }
    }
    let primary = primary.ok_or(ReadError::NotIso("there is no primary volume descriptor"))?;
    Ok(Volumes { primary, joliet, boot_catalog })
}

fn parse(sector: &[u8; SECTOR]) -> Result<Volume, ReadError> {
    let escapes = &sector[at::ESCAPES..at::ESCAPES + 3];
    let joliet = sector[0] == 2 && matches!(escapes, b"%/@" | b"%/C" | b"%/E");
    let block_size =
        u32::from(u16::from_le_bytes([sector[at::BLOCK_SIZE], sector[at::BLOCK_SIZE + 1]]));
    if !matches!(block_size, 512 | 1024 | 2048) {
        return Err(ReadError::NotIso("its block size is not 512, 1024 or 2048"));
    }
    let root = match Record::parse(&sector[at::ROOT..at::ROOT_END]) {
        Some(Ok((root, _))) => root,
        _ => return Err(ReadError::NotIso("its root directory has no proper record")),
    };
    let number = |place| number32(sector, place).unwrap_or(0);
    let halves = [at::BLOCKS, at::PATH_TABLE_SIZE].map(|place| both32(sector, place));
    let little = &sector[at::PATH_TABLE_LITTLE..at::PATH_TABLE_LITTLE + 4];
    let big = &sector[at::PATH_TABLE_BIG..at::PATH_TABLE_BIG + 4];
    Ok(Volume {
        id: text(&sector[at::VOLUME_ID..at::VOLUME_ID + 32], joliet),
        system_id: text(&sector[at::SYSTEM_ID..at::SYSTEM_ID + 32], joliet),
        created: long_time(&sector[at::CREATED..at::CREATED_END]),
        block_size,
        blocks: number(at::BLOCKS),
        path_table_size: number(at::PATH_TABLE_SIZE),
        path_table_little: little.iter().rev().fold(0, |n, &byte| n << 8 | u32::from(byte)),
        path_table_big: big.iter().fold(0, |n, &byte| n << 8 | u32::from(byte)),
        root_start: root.start.saturating_add(u32::from(root.extended)),
        root_length: root.length,
        joliet,
        consistent: root.consistent && halves.iter().flatten().all(|(a, b)| a == b),
    })
}

/// A text without its padding.
fn text(bytes: &[u8], joliet: bool) -> String {
    let text = if joliet { ucs2(bytes) } else { String::from_utf8_lossy(bytes).into_owned() };
    text.trim_end_matches([' ', '\0']).to_owned()
}

/// Text of two bytes a character. What is no character becomes U+FFFD.
pub(crate) fn ucs2(bytes: &[u8]) -> String {
    let units = bytes.as_chunks().0.iter().map(|&unit| u16::from_be_bytes(unit));
    char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}
