//! The fields, each a signature of two letters, its length, its version, and what it says.

use crate::fields::both32;
use crate::sector::Sector;
use crate::tree::{Body, DeviceKind, Inode};

/// The most bytes that a field can have: its length is one byte.
const FIELD_MAX: usize = 255;
const VERSION: u8 = 1;

/// Appends a field.
fn push(out: &mut Vec<u8>, signature: &[u8; 2], parts: &[&[u8]]) {
    let length = 4 + parts.iter().map(|part| part.len()).sum::<usize>();
    debug_assert!(length <= FIELD_MAX);
    out.extend_from_slice(signature);
    out.extend_from_slice(&[length as u8, VERSION]);
    for part in parts {
        out.extend_from_slice(part);
    }
}

/// SP: the Sharing Protocol is in use, with no bytes to skip in each record (SUSP §5.3).
pub(crate) fn sharing_protocol(out: &mut Vec<u8>) {
    push(out, b"SP", &[&[0xbe, 0xef, 0]]);
}

/// ER: Rock Ridge is in use (SUSP §5.5, RRIP §4.3). ST (SUSP §5.4) could follow and does not: it
/// may be left out, and libarchive takes it for the end of Rock Ridge in the whole image.
pub(crate) fn extension(out: &mut Vec<u8>) {
    const ID: &[u8] = b"IEEE_P1282";
    const ABOUT: &[u8] =
        b"THE IEEE P1282 PROTOCOL PROVIDES SUPPORT FOR POSIX FILE SYSTEM SEMANTICS";
    const SOURCE: &[u8] =
        b"PLEASE CONTACT THE IEEE STANDARDS DEPARTMENT, PISCATAWAY, NJ, USA FOR THE P1282 SPECIFICATION";
    let lengths = [ID.len() as u8, ABOUT.len() as u8, SOURCE.len() as u8, 1];
    push(out, b"ER", &[&lengths, ID, ABOUT, SOURCE]);
}

/// CE: `length` more bytes of fields lie elsewhere (SUSP §5.1).
pub(crate) fn continuation(sector: Sector, offset: u32, length: u32) -> [u8; 28] {
    let mut field = [0; 28];
    field[..4].copy_from_slice(&[b'C', b'E', 28, VERSION]);
    for (at, value) in [(4, sector.0), (12, offset), (20, length)] {
        field[at..at + 8].copy_from_slice(&both32(value));
    }
    field
}

/// PX: mode, links, owner, group, inode number (RRIP §4.1.1).
pub(crate) fn posix(out: &mut Vec<u8>, inode: &Inode, serial: u32) {
    let values = [
        file_type(&inode.body) | inode.meta.mode,
        inode.links,
        inode.meta.uid,
        inode.meta.gid,
        serial,
    ];
    let bytes = values.map(both32);
    push(out, b"PX", &[bytes.as_flattened()]);
}

/// TF: times of modification, access and status change (RRIP §4.1.6).
pub(crate) fn times(out: &mut Vec<u8>, time: &[u8; 7]) {
    const MODIFY_ACCESS_ATTRIBUTES: u8 = 1 << 1 | 1 << 2 | 1 << 3;
    push(out, b"TF", &[&[MODIFY_ACCESS_ATTRIBUTES], time, time, time]);
}

/// NM: the name; all parts but the last say that it goes on (RRIP §4.1.4).
pub(crate) fn name(out: &mut Vec<u8>, name: &[u8]) {
    const CONTINUE: u8 = 1;
    let mut parts = name.chunks(FIELD_MAX - 5).peekable();
    while let Some(part) = parts.next() {
        let flags = if parts.peek().is_some() { CONTINUE } else { 0 };
        push(out, b"NM", &[&[flags], part]);
    }
}

/// SL: the target of a symbolic link, component by component (RRIP §4.1.3). An empty component is
/// what a double or a last `/` leaves, so that every target comes back as it was.
///
/// Where a target needs several fields they are parted within a component, if only before its
/// first byte: libarchive loses the `/` between two that are parted at a component's end.
pub(crate) fn symlink(out: &mut Vec<u8>, target: &[u8]) {
    const CONTINUE: u8 = 1;
    const ROOM: usize = FIELD_MAX - 5;
    let mut field: Vec<u8> = Vec::with_capacity(ROOM);
    let mut components = components(target).peekable();
    while let Some(component) = components.next() {
        // Room for the head of one more component is kept, to part it from what is to come.
        let kept = if components.peek().is_some() { 2 } else { 0 };
        let fits = |used: usize, length: usize| used + 2 + length + kept <= ROOM;
        if fits(field.len(), component.stored().len()) {
            field.extend_from_slice(&[component.flags(), component.stored().len() as u8]);
            field.extend_from_slice(component.stored());
            continue;
        }
        let mut text = component.text;
        while !fits(field.len(), text.len()) {
            let (part, rest) = text.split_at(text.len().min(ROOM - field.len() - 2));
            field.extend_from_slice(&[CONTINUE, part.len() as u8]);
            field.extend_from_slice(part);
            push(out, b"SL", &[&[CONTINUE], &field]);
            field.clear();
            text = rest;
        }
        field.extend_from_slice(&[0, text.len() as u8]);
        field.extend_from_slice(text);
    }
    push(out, b"SL", &[&[0], &field]);
}

/// A component of a target.
struct Component<'t> {
    text: &'t [u8],
    root: bool,
}

impl<'t> Component<'t> {
    /// The flag that stands for the component; 0 if its text does.
    fn flags(&self) -> u8 {
        match self.text {
            _ if self.root => 1 << 3,
            b"." => 1 << 1,
            b".." => 1 << 2,
            _ => 0,
        }
    }

    /// The text that is written: none if a flag says it all.
    fn stored(&self) -> &'t [u8] {
        if self.flags() == 0 { self.text } else { b"" }
    }
}

/// Splits a target into components.
fn components(target: &[u8]) -> impl Iterator<Item = Component<'_>> {
    let absolute = target.first() == Some(&b'/');
    let rest = if absolute { &target[1..] } else { target };
    // Of a lone "/" nothing is left but the root.
    let count = if rest.is_empty() { 0 } else { usize::MAX };
    let root = absolute.then_some(Component { text: b"", root: true });
    let component = |text| Component { text, root: false };
    root.into_iter().chain(rest.split(|&b| b == b'/').map(component).take(count))
}

/// PN: the numbers of a device (RRIP §4.1.2). The standard wants a `dev_t` in two halves. Linux
/// takes a low half of more than a byte under an empty high one for the old 16-bit `dev_t`, and
/// otherwise the halves for major and minor. So what fits the former is written so, which all
/// readers agree on, and the rest for Linux.
pub(crate) fn device(out: &mut Vec<u8>, major: u32, minor: u32) {
    let (high, low) = if minor < 256 { (0, major << 8 | minor) } else { (major, minor) };
    push(out, b"PN", &[&both32(high), &both32(low)]);
}

/// CL: the directory that belongs here is there (RRIP §4.1.5.1).
pub(crate) fn child_link(out: &mut Vec<u8>, there: Sector) {
    push(out, b"CL", &[&both32(there.0)]);
}

/// PL: the directory above this one, before it was relocated (RRIP §4.1.5.2).
pub(crate) fn parent_link(out: &mut Vec<u8>, there: Sector) {
    push(out, b"PL", &[&both32(there.0)]);
}

/// RE: not for Rock Ridge readers (RRIP §4.1.5.3).
pub(crate) fn relocated(out: &mut Vec<u8>) {
    push(out, b"RE", &[]);
}

/// The type bits of a mode, as POSIX has them.
fn file_type(body: &Body) -> u32 {
    match body {
        Body::Fifo => 0o010_000,
        Body::Device { kind: DeviceKind::Character, .. } => 0o020_000,
        Body::Directory(_) => 0o040_000,
        Body::Device { kind: DeviceKind::Block, .. } => 0o060_000,
        Body::File { .. } => 0o100_000,
        Body::Symlink(_) => 0o120_000,
        Body::Socket => 0o140_000,
    }
}
