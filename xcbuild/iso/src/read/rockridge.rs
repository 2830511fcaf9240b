//! Reading Rock Ridge fields (SUSP and RRIP, as in [`crate::rockridge`]).

use super::record::{long_time, number32, short_time};
use crate::tree::{NAME_MAX, TARGET_MAX};

/// Where fields go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Continuation {
    pub block: u32,
    pub offset: u32,
    pub length: u32,
}

/// What the fields of a record say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields {
    /// Bytes to skip in each record, if this is SP.
    pub skip: Option<u8>,
    /// Whether there is any Rock Ridge field.
    pub any: bool,
    pub posix: Option<Posix>,
    pub modified: Option<i64>,
    pub name: Option<Vec<u8>>,
    pub target: Target,
    pub device: Option<(u32, u32)>,
    pub child: Option<u32>,
    pub relocated: bool,
    /// Whether the content is compressed by zisofs (ZF).
    pub compressed: bool,
    name_ended: bool,
}

/// PX.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Posix {
    pub mode: u32,
    pub links: u32,
    pub uid: u32,
    pub gid: u32,
    /// 0 in images of before RRIP 1.12.
    pub serial: u32,
}

/// A symbolic link's target as it grows, component by component.
#[derive(Clone, Debug, Default)]
pub(crate) struct Target {
    pub text: Vec<u8>,
    /// Whether a `/` comes before the next component.
    slash: bool,
}

impl Fields {
    /// Takes the fields of a record or of a continuation in; returns where they go on.
    pub(crate) fn take(&mut self, mut bytes: &[u8]) -> Result<Option<Continuation>, &'static str> {
        let mut next = None;
        while let [a, b, length, _version, ..] = *bytes {
            let length = usize::from(length);
            // Padding, or what is left to other protocols.
            if length < 4 || a == 0 {
                break;
            }
            let (field, rest) = bytes.split_at_checked(length).ok_or("a field is too long")?;
            match &[a, b] {
                b"ST" => break,
                b"CE" => next = Some(continuation(field).ok_or("a CE field is too short")?),
                signature => self.field(signature, field)?,
            }
            bytes = rest;
        }
        Ok(next)
    }

    fn field(&mut self, signature: &[u8; 2], field: &[u8]) -> Result<(), &'static str> {
        match signature {
            b"SP" if field.get(4..6) == Some(&[0xbe, 0xef]) => self.skip = field.get(6).copied(),
            b"PX" => self.posix = Some(posix(field).ok_or("a PX field is too short")?),
            b"TF" => self.modified = modified(&field[4..]).or(self.modified),
            b"NM" => self.take_name(&field[4..])?,
            b"SL" => self.target.take(field.get(5..).unwrap_or_default())?,
            b"PN" => self.device = Some(device(field).ok_or("a PN field is too short")?),
            b"CL" => self.child = Some(number32(field, 4).ok_or("a CL field is too short")?),
            b"RE" => self.relocated = true,
            b"ZF" => self.compressed = true,
            b"PL" | b"RR" => {}
            _ => return Ok(()),
        }
        self.any |= signature != b"SP";
        Ok(())
    }

    fn take_name(&mut self, field: &[u8]) -> Result<(), &'static str> {
        const CONTINUE: u8 = 1;
        const CURRENT_OR_PARENT: u8 = 1 << 1 | 1 << 2;
        let Some((flags, text)) = field.split_first() else { return Err("an NM field is empty") };
        if self.name_ended || flags & CURRENT_OR_PARENT != 0 {
            return Ok(());
        }
        let name = self.name.get_or_insert_default();
        name.extend_from_slice(text);
        self.name_ended = flags & CONTINUE == 0;
        if name.len() > NAME_MAX { Err("a name is longer than 255 bytes") } else { Ok(()) }
    }
}

impl Target {
    fn take(&mut self, mut components: &[u8]) -> Result<(), &'static str> {
        const CONTINUE: u8 = 1;
        const CURRENT: u8 = 1 << 1;
        const PARENT: u8 = 1 << 2;
        const ROOT: u8 = 1 << 3;
        while let [flags, length, rest @ ..] = components {
            let (text, rest) = rest
                .split_at_checked(usize::from(*length))
                .ok_or("a component of a link is too long")?;
            if std::mem::replace(&mut self.slash, flags & (CONTINUE | ROOT) == 0) {
                self.text.push(b'/');
            }
            self.text.extend_from_slice(match flags & !CONTINUE {
                CURRENT => b".",
                PARENT => b"..",
                ROOT => b"/",
                0 => text,
                _ => return Err("a component of a link has unknown flags"),
            });
            if self.text.len() > TARGET_MAX {
                return Err("the target of a link is longer than 4095 bytes");
            }
            components = rest;
        }
        Ok(())
    }
}

fn continuation(field: &[u8]) -> Option<Continuation> {
    let number = |at| number32(field, at);
    Some(Continuation { block: number(4)?, offset: number(12)?, length: number(20)? })
}

fn posix(field: &[u8]) -> Option<Posix> {
    let number = |at| number32(field, at);
    let serial = number(36).unwrap_or(0);
    Some(Posix { mode: number(4)?, links: number(12)?, uid: number(20)?, gid: number(28)?, serial })
}

/// Linux's reading, see [`crate::rockridge::fields::device`].
fn device(field: &[u8]) -> Option<(u32, u32)> {
    let (high, low) = (number32(field, 4)?, number32(field, 12)?);
    Some(if high == 0 && low > 255 { (low >> 8, low & 255) } else { (high, low) })
}

/// The time of modification among those of a TF field.
fn modified(field: &[u8]) -> Option<i64> {
    const CREATION: u8 = 1;
    const MODIFY: u8 = 1 << 1;
    const LONG: u8 = 1 << 7;
    let (flags, times) = field.split_first()?;
    if flags & MODIFY == 0 {
        return None;
    }
    let size = if flags & LONG != 0 { 17 } else { 7 };
    let at = if flags & CREATION != 0 { size } else { 0 };
    let time = times.get(at..at + size)?;
    if size == 17 { long_time(time) } else { time.try_into().ok().map(short_time) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rockridge::fields;

    #[test]
    fn targets_come_back() {
        let long = "directory/".repeat(409);
        let dots = "./".repeat(2047);
        for target in
            ["/", ".", "..", "a", "/a", "a/", "a//b", "//", "//a/", "../../x", &long, &dots]
        {
            let mut bytes = Vec::new();
            fields::symlink(&mut bytes, target.as_bytes());
            let mut read = Fields::default();
            assert_eq!(read.take(&bytes), Ok(None));
            assert_eq!(read.target.text, target.as_bytes(), "{target}");
        }
    }

    #[test]
    fn names_and_devices_come_back() {
        for length in [1, 249, 250, 251, 255] {
            let name = vec![b'n'; length];
            let mut bytes = Vec::new();
            fields::name(&mut bytes, &name);
            let mut read = Fields::default();
            assert_eq!(read.take(&bytes), Ok(None));
            assert_eq!(read.name, Some(name));
        }
        for (major, minor) in [(0, 0), (0, 255), (1, 3), (4095, 255), (259, 256), (4095, 0xf_ffff)]
        {
            let mut bytes = Vec::new();
            fields::device(&mut bytes, major, minor);
            let mut read = Fields::default();
            assert_eq!(read.take(&bytes), Ok(None));
            assert_eq!(read.device, Some((major, minor)));
        }
    }
}
