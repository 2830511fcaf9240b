//! What an image is that nodes are to start from: a base image of ours, in whatever format, or a
//! disk of the user's.

use std::fs::File;
use std::io;
use std::path::Path;

use anyhow::{Context, Result};
use fs_err as fs;
use serde::{Deserialize, Serialize};
use xc_iso::read::Input;

use super::qcow2::{MAGIC, Qcow2};
use crate::base::VOLUME_ID;

/// Where the first descriptor of an ISO names its volume (ECMA-119 8.4.7), in bytes.
const VOLUME_ID_AT: u64 = 16 * 2048 + 40;
/// Where a boot sector has its signature, and what that is.
const SIGNATURE_AT: u64 = 510;
const SIGNATURE: [u8; 2] = [0x55, 0xaa];

/// How a disk's bytes lie in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// As they are.
    Raw,
    /// In qemu's own way.
    Qcow2,
}

impl Format {
    /// The name that qemu has for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
        }
    }
}

/// What an image is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageInfo {
    /// Its format.
    pub format: Format,
    /// Whether it is a base image of ours.
    pub base: bool,
    /// Whether it has a boot sector, so that firmware can start it.
    pub boots: bool,
    /// The disk's size in bytes.
    pub size: u64,
}

/// Finds out what an image is.
///
/// # Errors
/// When it can't be read. A qcow2 disk that can't be looked into boots by itself and is not ours.
pub fn probe(path: &Path) -> Result<ImageInfo> {
    let file = fs::File::open(path)?.into_parts().0;
    let mut magic = [0; 4];
    let qcow2 = file.read_exact_at(&mut magic, 0).is_ok() && magic == *MAGIC;
    let seen = if qcow2 {
        match Qcow2::open(file) {
            Ok(disk) => within(&disk, Format::Qcow2),
            Err(e) => Err(e),
        }
        .or_else(|e| match e.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::Other => {
                Ok(ImageInfo { format: Format::Qcow2, base: false, boots: true, size: 0 })
            }
            _ => Err(e),
        })
    } else {
        within::<File>(&file, Format::Raw)
    };
    seen.with_context(|| format!("can't read the image `{}`", path.display()))
}

fn within<I: Input>(disk: &I, format: Format) -> io::Result<ImageInfo> {
    let size = disk.size()?;
    let read = |at: u64, bytes: &mut [u8]| match disk.read_exact_at(bytes, at) {
        // A short file is not a disk of either kind.
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        other => other.map(|()| true),
    };
    let mut id = [0; 32];
    let has_id = read(VOLUME_ID_AT, &mut id)?;
    let mut signature = [0; 2];
    let signed = read(SIGNATURE_AT, &mut signature)?;
    let base = has_id && String::from_utf8_lossy(&id).trim_end() == VOLUME_ID;
    Ok(ImageInfo { format, base, boots: signed && signature == SIGNATURE, size })
}
