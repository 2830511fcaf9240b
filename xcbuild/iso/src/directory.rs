//! Directory records (ECMA-119 §9.1): the bytes of one directory of a view.
//!
//! ```text
//!  0     1     2        10       18      25     26          28        32     33
//!  │ len │ ext │ sector │ length │ time  │ flag │ interleave │ volume │ idlen │ identifier │ pad │ system use │
//! ```
//!
//! A record never crosses a sector; "." comes first, then "..", then the entries by identifier. A
//! file of more than 4 GiB has several records, all but the last with the flag that says so
//! (§6.5.1), each for an extent of the most whole sectors that 32 bits can count.
//!
//! The same code takes the size, before anything has its place, and writes the bytes. What differs
//! are the numbers alone, never their widths.

use crate::error::Error;
use crate::fields::{both16, both32, short_time};
use crate::rockridge::{area::Area, fields};
use crate::sector::{SECTOR, Sector, padding, sectors};
use crate::tree::{Body, NodeId, Tree};
use crate::view::{Directory, Entry, Place, Role, View};

/// The longest extent: the most whole sectors whose bytes a 32-bit number counts.
pub const EXTENT_MAX: u64 = u32::MAX as u64 / SECTOR as u64 * SECTOR as u64;

/// The longest record: its length is one byte, and even.
const RECORD_MAX: usize = 254;
/// A record up to its identifier.
const RECORD_HEAD: usize = 33;
const FLAG_DIRECTORY: u8 = 1 << 1;
const FLAG_MORE_EXTENTS: u8 = 1 << 7;

/// The alphabet of a view's identifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alphabet {
    /// One byte for a character.
    Ascii,
    /// Two bytes for a character, the high one first.
    Ucs2,
}

impl Alphabet {
    /// The version that follows the identifier of a file.
    fn version(self) -> &'static [u8] {
        match self {
            Self::Ascii => b";1",
            Self::Ucs2 => b"\0;\x001",
        }
    }
}

/// What the records of a view are made of.
#[derive(Clone, Copy)]
pub(crate) struct Writer<'a> {
    pub tree: &'a Tree,
    pub view: &'a View<'a>,
    pub alphabet: Alphabet,
    /// Whether records carry Rock Ridge fields.
    pub rock_ridge: bool,
    /// Where the contents of files start, by inode.
    pub contents: &'a [Sector],
    /// Inode numbers, by inode.
    pub serials: &'a [u32],
}

/// The bytes of one directory. It is reused from one to the next.
#[derive(Default)]
pub(crate) struct Bytes {
    pub records: Vec<u8>,
    pub area: Area,
    fields: Vec<u8>,
    record: Vec<u8>,
}

/// What is said in front of the identifier.
struct Head {
    start: Sector,
    length: u32,
    time: [u8; 7],
    flags: u8,
}

impl Writer<'_> {
    /// Writes a directory into `out`.
    pub(crate) fn directory(
        &self,
        directory: &Directory<'_>,
        out: &mut Bytes,
    ) -> Result<(), Error> {
        out.records.clear();
        out.area.bytes.clear();
        out.area.start = directory.place.continuation;
        self.own_record(directory, out)?;
        self.parent_record(directory, out)?;
        for entry in &directory.entries {
            self.entry(entry, out)?;
        }
        let rest = padding(out.records.len());
        out.records.resize(out.records.len() + rest, 0);
        Ok(())
    }

    /// The record of the root directory in a volume descriptor (§8.4.18).
    pub(crate) fn root_record(&self) -> Result<Vec<u8>, Error> {
        let mut out = Bytes::default();
        let head = self.directory_head(Tree::ROOT, self.view.place(Tree::ROOT))?;
        self.push_record(&head, &[0], &mut out);
        Ok(out.records)
    }

    /// ".": the directory itself.
    fn own_record(&self, directory: &Directory<'_>, out: &mut Bytes) -> Result<(), Error> {
        let root = directory.node == Tree::ROOT;
        let head = self.directory_head(directory.node, directory.place)?;
        if self.rock_ridge {
            out.fields.clear();
            if root {
                fields::sharing_protocol(&mut out.fields);
            }
            self.attributes(directory.node, &head.time, &mut out.fields);
            if root {
                fields::extension(&mut out.fields);
            }
        }
        self.push_record(&head, &[0], out);
        Ok(())
    }

    /// "..": the directory above. A relocated directory names the one where it belongs.
    fn parent_record(&self, directory: &Directory<'_>, out: &mut Bytes) -> Result<(), Error> {
        let above = &self.view.directories[directory.parent];
        let head = self.directory_head(above.node, above.place)?;
        if self.rock_ridge {
            out.fields.clear();
            let belongs = directory.origin.map_or(above.node, |origin| origin.directory);
            self.attributes(belongs, &self.time(belongs)?, &mut out.fields);
            if directory.origin.is_some() {
                fields::parent_link(&mut out.fields, self.view.place(belongs).start);
            }
        }
        self.push_record(&head, &[1], out);
        Ok(())
    }

    fn entry(&self, entry: &Entry<'_>, out: &mut Bytes) -> Result<(), Error> {
        let time = self.time(entry.node)?;
        if self.rock_ridge {
            out.fields.clear();
            self.entry_fields(entry, &time, &mut out.fields);
        }
        if entry.is_directory(self.tree) {
            let head = self.directory_head(entry.node, self.view.place(entry.node))?;
            self.push_record(&head, &entry.identifier, out);
            return Ok(());
        }
        let identifier = [&entry.identifier, self.alphabet.version()].concat();
        let mut left = self.tree.inode(entry.node).len();
        let mut start = self.contents[entry.node.index()];
        loop {
            let length = left.min(EXTENT_MAX);
            left -= length;
            let flags = if left > 0 { FLAG_MORE_EXTENTS } else { 0 };
            let head = Head { start, length: length as u32, time, flags };
            self.push_record(&head, &identifier, out);
            if left == 0 {
                return Ok(());
            }
            start = Sector(start.0.wrapping_add(sectors(length) as u32));
        }
    }

    fn entry_fields(&self, entry: &Entry<'_>, time: &[u8; 7], out: &mut Vec<u8>) {
        match entry.role {
            Role::Plain => {}
            Role::Relocated => fields::relocated(out),
            Role::Placeholder => fields::child_link(out, self.view.place(entry.node).start),
        }
        self.attributes(entry.node, time, out);
        fields::name(out, entry.name);
        match &self.tree.inode(entry.node).body {
            Body::Symlink(target) => fields::symlink(out, target),
            Body::Device { major, minor, .. } => fields::device(out, *major, *minor),
            _ => {}
        }
    }

    fn attributes(&self, node: NodeId, time: &[u8; 7], out: &mut Vec<u8>) {
        fields::posix(out, self.tree.inode(node), self.serials[node.index()]);
        fields::times(out, time);
    }

    fn time(&self, node: NodeId) -> Result<[u8; 7], Error> {
        let seconds = self.tree.inode(node).meta.mtime;
        short_time(seconds).ok_or_else(|| Error::Time { path: self.tree.path_of(node), seconds })
    }

    fn directory_head(&self, node: NodeId, place: Place) -> Result<Head, Error> {
        let time = self.time(node)?;
        Ok(Head { start: place.start, length: place.length, time, flags: FLAG_DIRECTORY })
    }

    /// Appends a record with the fields in `out`, on a new sector if it would cross one.
    fn push_record(&self, head: &Head, identifier: &[u8], out: &mut Bytes) {
        let record = &mut out.record;
        record.clear();
        record.extend_from_slice(&[0, 0]);
        record.extend_from_slice(&both32(head.start.0));
        record.extend_from_slice(&both32(head.length));
        record.extend_from_slice(&head.time);
        record.extend_from_slice(&[head.flags, 0, 0]);
        record.extend_from_slice(&both16(1));
        record.push(identifier.len() as u8);
        debug_assert_eq!(record.len(), RECORD_HEAD);
        record.extend_from_slice(identifier);
        pad_even(record);
        if self.rock_ridge {
            let room = RECORD_MAX - record.len();
            out.area.deal(record, room, &out.fields);
            pad_even(record);
        }
        record[0] = record.len() as u8;
        let left = padding(out.records.len());
        if left < record.len() && left > 0 {
            out.records.resize(out.records.len() + left, 0);
        }
        out.records.extend_from_slice(record);
    }
}

fn pad_even(record: &mut Vec<u8>) {
    if !record.len().is_multiple_of(2) {
        record.push(0);
    }
}
