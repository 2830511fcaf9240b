//! Volume descriptors (ECMA-119 §8): a sector each, from sector 16 on, that say what the volume is
//! and where its path tables and root directories are.

use crate::directory::Alphabet;
use crate::error::Error;
use crate::fields::{NO_LONG_TIME, both16, both32, long_time};
use crate::options::Options;
use crate::sector::{SECTOR, Sector};

/// The sector of the first descriptor; those before are the system area (§6.2.1).
pub(crate) const FIRST: u32 = 16;

const PRIMARY: u8 = 1;
const SUPPLEMENTARY: u8 = 2;
const TERMINATOR: u8 = 255;
/// Joliet's mark in the supplementary descriptor: UCS-2 level 3.
const UCS2_LEVEL_3: &[u8] = b"%/E";

/// Where the path tables of a view are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PathTables {
    /// Bytes of each.
    pub size: u32,
    pub little: Sector,
    pub big: Sector,
}

/// What differs between the descriptors of an image's views.
pub(crate) struct Volume<'a> {
    pub options: &'a Options,
    pub alphabet: Alphabet,
    pub sectors: Sector,
    pub tables: PathTables,
    pub root_record: &'a [u8],
}

impl Volume<'_> {
    /// The primary descriptor (§8.4), or Joliet's supplementary one (§8.5).
    pub(crate) fn descriptor(&self) -> Result<Vec<u8>, Error> {
        let joliet = self.alphabet == Alphabet::Ucs2;
        let kind = if joliet { SUPPLEMENTARY } else { PRIMARY };
        let escape = if joliet { UCS2_LEVEL_3 } else { b"" };
        let mut out = start(kind);
        out.push(0);
        self.text(&mut out, &self.options.system_id, 32);
        self.text(&mut out, &self.options.volume_id, 32);
        out.extend_from_slice(&[0; 8]);
        out.extend_from_slice(&both32(self.sectors.0));
        zero_padded(&mut out, escape, 32);
        out.extend_from_slice(&both16(1)); // volumes in the set
        out.extend_from_slice(&both16(1)); // number of this one
        out.extend_from_slice(&both16(SECTOR as u16));
        out.extend_from_slice(&both32(self.tables.size));
        out.extend_from_slice(&self.tables.little.0.to_le_bytes());
        out.extend_from_slice(&[0; 4]); // no second copy
        out.extend_from_slice(&self.tables.big.0.to_be_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(self.root_record);
        self.text(&mut out, &self.options.volume_set_id, 128);
        self.text(&mut out, &self.options.publisher, 128);
        self.text(&mut out, &self.options.preparer, 128);
        self.text(&mut out, &self.options.application, 128);
        for _copyright_abstract_bibliography in 0..3 {
            self.text(&mut out, "", 37);
        }
        let time = self.time()?;
        for moment in [time, time, NO_LONG_TIME, NO_LONG_TIME] {
            out.extend_from_slice(&moment);
        }
        out.push(1); // version of the file structure
        out.resize(SECTOR, 0);
        Ok(out)
    }

    fn time(&self) -> Result<[u8; 17], Error> {
        let seconds = self.options.timestamp;
        long_time(seconds).ok_or_else(|| Error::BadOption {
            option: "timestamp",
            reason: format!("{seconds} s is outside the years 1 to 9999"),
        })
    }

    /// Appends a text in the view's alphabet, padded with spaces to `size` bytes.
    fn text(&self, out: &mut Vec<u8>, text: &str, size: usize) {
        let end = out.len() + size;
        match self.alphabet {
            Alphabet::Ascii => {
                out.extend(text.bytes().take(size));
                out.resize(end, b' ');
            }
            Alphabet::Ucs2 => {
                let units = text.bytes().chain(std::iter::repeat(b' ')).take(size / 2);
                out.extend(units.flat_map(|b| [0, b]));
                out.resize(end, 0);
            }
        }
    }
}

/// The descriptor that ends the list (§8.3).
pub(crate) fn terminator() -> Vec<u8> {
    let mut out = start(TERMINATOR);
    out.resize(SECTOR, 0);
    out
}

fn start(kind: u8) -> Vec<u8> {
    let mut out = Vec::with_capacity(SECTOR);
    out.push(kind);
    out.extend_from_slice(b"CD001");
    out.push(1);
    out
}

fn zero_padded(out: &mut Vec<u8>, bytes: &[u8], size: usize) {
    let end = out.len() + size;
    out.extend_from_slice(bytes);
    out.resize(end, 0);
}
