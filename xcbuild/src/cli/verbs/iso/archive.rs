//! The members of a tar archive, as entries of an image. Their contents stay where they are.
//!
//! Unlike the tars of overlays (`xc_store::tree`) these keep their times. What ISO 9660 can't hold is
//! refused by name; extended attributes, which no ISO holds, are left out with a warning.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use tar::{EntryType, Header};
use xc_iso::{DeviceKind, Image, Meta, Source};

use super::show;
use crate::ui;

/// Adds all members of an archive to the root of an image.
pub(super) fn add(image: &mut Image, file: File, timestamp: i64) -> Result<()> {
    let length = file.metadata()?.len();
    let file = Arc::new(file);
    let mut archive = tar::Archive::new(At { file: &file, at: 0 });
    let mut reader = Reader { image, file: &file, length, timestamp, attributed: Vec::new() };
    for member in archive.entries_with_seek()? {
        let mut member =
            member.context("not a tar archive; compressed ones are to be unpacked first")?;
        let shown = show::text(&member.path_bytes());
        reader.member(&mut member).with_context(|| format!("`{shown}`"))?;
    }
    if let Some(first) = reader.attributed.first() {
        let count = reader.attributed.len();
        ui::warn(format_args!(
            "left out the extended attributes of {count} members, such as `{first}`: no ISO holds them"
        ));
    }
    Ok(())
}

struct Reader<'a> {
    image: &'a mut Image,
    file: &'a Arc<File>,
    /// Bytes of the archive.
    length: u64,
    /// The time of what has none.
    timestamp: i64,
    /// The members that have extended attributes.
    attributed: Vec<String>,
}

type Member<'m> = tar::Entry<'m, At<'m>>;

impl Reader<'_> {
    fn member(&mut self, member: &mut Member<'_>) -> Result<()> {
        if member.header().entry_type() == EntryType::XGlobalHeader {
            return Ok(());
        }
        let path = inside(&member.path_bytes())?;
        let meta = self.meta(member)?;
        if path.is_empty() {
            self.image.root(meta);
            return Ok(());
        }
        self.add_parents(&path)?;
        self.entry(path, meta, member)
    }

    fn entry(&mut self, path: Vec<u8>, meta: Meta, member: &Member<'_>) -> Result<()> {
        let header = member.header();
        let target = || member.link_name_bytes().context("a link without a target");
        let device = |kind| -> Result<_> {
            let numbers = (header.device_major()?, header.device_minor()?);
            let (Some(major), Some(minor)) = numbers else { bail!("a device without numbers") };
            Ok((kind, major, minor))
        };
        let image = &mut *self.image;
        let (kind, major, minor) = match header.entry_type() {
            EntryType::Directory => return Ok(image.dir(path, meta)?),
            EntryType::Symlink => return Ok(image.symlink(path, meta, target()?)?),
            EntryType::Link => return Ok(image.hardlink(path, inside(&target()?)?)?),
            EntryType::Fifo => return Ok(image.fifo(path, meta)?),
            EntryType::Block => device(DeviceKind::Block)?,
            EntryType::Char => device(DeviceKind::Character)?,
            EntryType::Regular | EntryType::Continuous => {
                let (offset, len) = (member.raw_file_position(), member.size());
                if offset.checked_add(len).is_none_or(|end| end > self.length) {
                    bail!("the archive is cut off: it ends before this member does");
                }
                let source = Source::Range { file: Arc::clone(self.file), offset, len };
                return Ok(image.file(path, meta, source)?);
            }
            EntryType::GNUSparse => bail!(SPARSE),
            other => bail!("a member of a type that no ISO holds ({:?})", other.as_byte() as char),
        };
        Ok(image.device(path, meta, kind, major, minor)?)
    }

    /// The attributes of a member, those of pax before those of its header.
    fn meta(&mut self, member: &mut Member<'_>) -> Result<Meta> {
        let mut mtime = seconds(member.header());
        let mut attributed = false;
        for record in member.pax_extensions()?.into_iter().flatten() {
            let record = record?;
            match record.key_bytes() {
                b"mtime" => mtime = pax_seconds(record.value_bytes()),
                key if key.starts_with(b"GNU.sparse.") => bail!(SPARSE),
                key => attributed |= EXTENDED.iter().any(|start| key.starts_with(start)),
            }
        }
        if attributed {
            self.attributed.push(show::text(&member.path_bytes()));
        }
        let header = member.header();
        let number = |n: u64| u32::try_from(n).context("an owner's number over 32 bits");
        let (mode, uid, gid) = (header.mode()?, number(header.uid()?)?, number(header.gid()?)?);
        Ok(Meta { mode, uid, gid, mtime: mtime.context("a time that is no number")? })
    }

    /// Adds the directories that an archive takes for granted.
    fn add_parents(&mut self, path: &[u8]) -> Result<()> {
        let slashes = path.iter().enumerate().filter(|&(_, &byte)| byte == b'/');
        for (at, _) in slashes {
            if !self.image.contains(&path[..at]) {
                let meta = Meta { mode: 0o755, mtime: self.timestamp, ..Meta::default() };
                self.image.dir(&path[..at], meta)?;
            }
        }
        Ok(())
    }
}

const SPARSE: &str =
    "a sparse file, whose content is not there as it is; make the archive without --sparse";

/// How the keys of extended attributes and access lists start in pax records.
const EXTENDED: [&[u8]; 3] = [b"SCHILY.xattr.", b"SCHILY.acl.", b"LIBARCHIVE.xattr."];

/// The time of a header: octal digits, or for what those can't hold a number in base 256, which may
/// be negative.
fn seconds(header: &Header) -> Option<i64> {
    let field = &header.as_old().mtime;
    if field[0] & 0x80 == 0 {
        return header.mtime().ok()?.try_into().ok();
    }
    // The first bit says base 256, the one after it is the sign.
    let first = i128::from((field[0] << 1) as i8 >> 1);
    let number = field[1..].iter().fold(first, |number, &byte| number << 8 | i128::from(byte));
    number.try_into().ok()
}

/// Whole seconds of a time with a fraction, the last that was complete.
fn pax_seconds(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let begun = whole.starts_with('-') && fraction.bytes().any(|digit| digit != b'0');
    whole.parse::<i64>().ok()?.checked_sub(i64::from(begun))
}

/// A member's path without `.` and slashes at its ends.
fn inside(path: &[u8]) -> Result<Vec<u8>> {
    let mut names = path.split(|&b| b == b'/').filter(|name| !matches!(*name, b"" | b"."));
    if names.clone().any(|name| name == b"..") {
        bail!("a path with '..' leads outside");
    }
    let first = names.next().unwrap_or_default().to_vec();
    Ok(names.fold(first, |path, name| [&path, &b"/"[..], name].concat()))
}

/// Reading at a place of its own: the file's is not moved.
struct At<'f> {
    file: &'f File,
    at: u64,
}

impl Read for At<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.file.read_at(buffer, self.at)?;
        self.at += got as u64;
        Ok(got)
    }
}

impl Seek for At<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.file.metadata()?.len().checked_add_signed(by),
        };
        self.at = place.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::{inside, pax_seconds, seconds};

    #[test]
    fn paths_are_put_inside() {
        let rows =
            [("./", ""), ("/", ""), ("./a/b", "a/b"), ("/a//b/", "a/b"), ("a", "a"), (".x", ".x")];
        for (given, expected) in rows {
            assert_eq!(inside(given.as_bytes()).unwrap(), expected.as_bytes(), "{given}");
        }
        assert!(inside(b"a/../b").is_err());
    }

    #[test]
    fn times_of_every_form_are_read() {
        let rows = [("0", 0), ("1.999", 1), ("-1.5", -2), ("-1.0", -1), ("-7", -7), ("9.", 9)];
        for (given, expected) in rows {
            assert_eq!(pax_seconds(given.as_bytes()), Some(expected), "{given}");
        }
        assert_eq!(pax_seconds(b"x"), None);
        let mut header = tar::Header::new_gnu();
        for time in [0, 1_000_000_000, 10_000_000_000] {
            header.set_mtime(time);
            assert_eq!(seconds(&header), i64::try_from(time).ok());
        }
        header.as_old_mut().mtime = [0xff; 12];
        assert_eq!(seconds(&header), Some(-1));
    }
}
