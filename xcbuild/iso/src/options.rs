//! What the caller decides about an image beside its tree.

use crate::error::Error;
use crate::sector::SECTOR;

/// The names that plain ISO 9660 readers see. Rock Ridge readers never see them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IsoNames {
    /// Up to 8 characters, a dot and up to 3 more (interchange level 1).
    Short,
    /// Up to 31 characters (interchange levels 2 and 3).
    #[default]
    Long,
}

/// Whether there is a second tree with UCS-2 names, for Windows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Joliet {
    /// No such tree.
    #[default]
    Off,
    /// Names of up to 64 characters, as the specification has it.
    Standard,
    /// Names of up to 103 characters, which all known readers take (`-joliet-long`).
    Long,
}

/// The options of an image. Everything that may change a byte of the result is here or in the
/// tree; nothing is taken from the clock or the host.
#[derive(Clone, Debug)]
pub struct Options {
    /// Volume identifier, at most 32 bytes of printable ASCII. Joliet repeats its first 16.
    pub volume_id: String,
    /// System identifier, at most 32 bytes.
    pub system_id: String,
    /// Volume set identifier, at most 128 bytes.
    pub volume_set_id: String,
    /// Publisher, at most 128 bytes.
    pub publisher: String,
    /// Data preparer, at most 128 bytes.
    pub preparer: String,
    /// Application, at most 128 bytes.
    pub application: String,
    /// Seconds since 1970: creation and modification of the volume, and the time of what has none
    /// of its own. `SOURCE_DATE_EPOCH` belongs here.
    pub timestamp: i64,
    /// Owners, modes, links, devices and real names for Unix readers. On by default.
    pub rock_ridge: bool,
    /// The tree for Windows readers. Off by default.
    pub joliet: Joliet,
    /// The names for readers that know neither.
    pub iso_names: IsoNames,
    /// Where file contents may start: at multiples of this many bytes, itself a multiple of 2048.
    /// Those of a mebibyte and more start at multiples of 4096 by themselves, which lets file
    /// systems share their blocks with the image (reflink), those of 16 MiB and more at multiples
    /// of 64 KiB. 4096 here lets all files be shared.
    pub alignment: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            volume_id: "CDROM".into(),
            system_id: "LINUX".into(),
            volume_set_id: String::new(),
            publisher: String::new(),
            preparer: String::new(),
            application: String::new(),
            timestamp: 0,
            rock_ridge: true,
            joliet: Joliet::Off,
            iso_names: IsoNames::Long,
            alignment: SECTOR as u32,
        }
    }
}

impl Options {
    /// What the start of a content of that length is a multiple of, in bytes.
    pub(crate) fn alignment_of(&self, len: u64) -> u64 {
        let (asked, natural) = (u64::from(self.alignment), natural_alignment(len));
        // The least that is a multiple of both; the natural one is a power of two.
        let shared = asked.trailing_zeros().min(natural.trailing_zeros());
        (asked >> shared) * natural
    }

    /// Checks every value against the room its field has.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let texts = [
            ("volume_id", &self.volume_id, 32),
            ("system_id", &self.system_id, 32),
            ("volume_set_id", &self.volume_set_id, 128),
            ("publisher", &self.publisher, 128),
            ("preparer", &self.preparer, 128),
            ("application", &self.application, 128),
        ];
        for (option, text, limit) in texts {
            check_text(option, text, limit)?;
        }
        if self.alignment == 0 || !self.alignment.is_multiple_of(SECTOR as u32) {
            let reason = format!("{} is not a multiple of {SECTOR}", self.alignment);
            return Err(Error::BadOption { option: "alignment", reason });
        }
        Ok(())
    }
}

/// A file system shares whole blocks, and the kernel keeps a file in memory in runs of pages: both
/// want large contents to start at round places. What that wastes is less than half a percent.
fn natural_alignment(len: u64) -> u64 {
    const BLOCK: u64 = 4 << 10;
    const RUN: u64 = 64 << 10;
    match len {
        0..=0xf_ffff => SECTOR as u64,
        0x10_0000..=0xff_ffff => BLOCK,
        _ => RUN,
    }
}

fn check_text(option: &'static str, text: &str, limit: usize) -> Result<(), Error> {
    if text.len() > limit {
        let reason = format!("'{text}' has {} bytes, the limit is {limit}", text.len());
        return Err(Error::BadOption { option, reason });
    }
    if let Some(c) = text.chars().find(|c| !matches!(c, ' '..='~')) {
        let reason = format!("'{text}' holds {c:?}, which is not printable ASCII");
        return Err(Error::BadOption { option, reason });
    }
    Ok(())
}
