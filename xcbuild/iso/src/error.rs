//! What can go wrong, always with the path in the image and the limit that it met.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A path inside an image: bytes, `/`-separated, relative to the root, in no particular encoding.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImagePath(pub Vec<u8>);

impl fmt::Display for ImagePath {
    /// Prints what is text as text and every other byte as `\xNN`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/")?;
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                if c.is_control() {
                    write!(f, "{}", c.escape_default())?
                } else {
                    write!(f, "{c}")?
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for ImagePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A file of the host, or an open one without a name.
fn shown(source_path: &Path) -> String {
    match source_path.as_os_str().is_empty() {
        true => "its content".into(),
        false => source_path.display().to_string(),
    }
}

/// Why an image could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The path is not a relative, `/`-separated list of proper names.
    #[error("{path}: {reason}")]
    BadPath {
        /// The path as it was given.
        path: ImagePath,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A name is longer than Rock Ridge readers take.
    #[error("{path}: the last name has {length} bytes, the limit is {limit}")]
    NameTooLong {
        /// The path with the long name.
        path: ImagePath,
        /// Its length in bytes.
        length: usize,
        /// The most bytes a name may have.
        limit: usize,
    },
    /// A symbolic link's target is empty, too long or holds a NUL.
    #[error("{path}: the target of the symbolic link {reason}")]
    BadTarget {
        /// The link.
        path: ImagePath,
        /// What is wrong with its target.
        reason: &'static str,
    },
    /// Device numbers that Rock Ridge has no form for that Linux reads back.
    #[error(
        "{path}: device {major}:{minor}; majors go to 4095 (0 only with minors to 255), minors to 1048575"
    )]
    BadDevice {
        /// The device.
        path: ImagePath,
        /// Its major number.
        major: u32,
        /// Its minor number.
        minor: u32,
    },
    /// Something is already there.
    #[error("{path}: already in the image")]
    Exists {
        /// The path that was to be added.
        path: ImagePath,
    },
    /// The directory that should hold the entry has not been added.
    #[error("{path}: its directory is not in the image; add it first")]
    NoParent {
        /// The path that was to be added.
        path: ImagePath,
    },
    /// What should hold the entry is a file, a link or something else.
    #[error("{path}: {above} is in the image and is no directory")]
    NotADirectory {
        /// The path that was to be added.
        path: ImagePath,
        /// What it would be in.
        above: ImagePath,
    },
    /// What should be there is not.
    #[error("{path}: not in the image")]
    Missing {
        /// The path that was looked for.
        path: ImagePath,
    },
    /// A hard link to a directory was asked for.
    #[error("{path}: a directory can't have a hard link")]
    LinkToDirectory {
        /// The directory.
        path: ImagePath,
    },
    /// A time outside the years that a directory record can hold (ECMA-119 §9.1.5).
    #[error("{path}: the time {seconds} s is outside the years 1900 to 2155 that ISO 9660 holds")]
    Time {
        /// Whose time it is.
        path: ImagePath,
        /// The time in seconds since 1970.
        seconds: i64,
    },
    /// Only Rock Ridge can hold this and it is switched off.
    #[error("{path}: {what} need Rock Ridge, which is switched off")]
    NeedsRockRidge {
        /// The entry.
        path: ImagePath,
        /// What it is, in the plural.
        what: &'static str,
    },
    /// More directories than a path table can number (ECMA-119 §6.9.1).
    #[error("{path}: directory number {}; an image holds at most {limit}", limit + 1)]
    TooManyDirectories {
        /// The first directory that has no number.
        path: ImagePath,
        /// The most directories of an image.
        limit: usize,
    },
    /// The records of one directory need more bytes than its length field holds.
    #[error("{path}: its directory records need {length} bytes, the limit is 4 GiB")]
    DirectoryTooLarge {
        /// The directory.
        path: ImagePath,
        /// The bytes needed.
        length: u64,
    },
    /// The image would have more than 2³² sectors.
    #[error("the image needs more than 4,294,967,295 sectors of 2048 bytes (8 TiB)")]
    ImageTooLarge,
    /// A file can't be booted as was asked.
    #[error("{path}: {reason}")]
    Boot {
        /// The file.
        path: ImagePath,
        /// Why not.
        reason: &'static str,
    },
    /// An option has a value that the format does not allow.
    #[error("option {option}: {reason}")]
    BadOption {
        /// The field of [`Options`](crate::Options).
        option: &'static str,
        /// What is wrong with its value.
        reason: String,
    },
    /// The content of a file could not be read.
    #[error("{path}: reading {}", shown(source_path))]
    Source {
        /// The file in the image.
        path: ImagePath,
        /// The file on the host, empty for an open one.
        source_path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file shrank or grew after its size was taken.
    #[error("{path}: its content is no longer {expected} bytes long; it changed while it was read")]
    SizeChanged {
        /// The file in the image.
        path: ImagePath,
        /// The size it was laid out with.
        expected: u64,
    },
    /// The image could not be written.
    #[error("writing the image")]
    Write(#[from] io::Error),
}
