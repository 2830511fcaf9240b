//! Trees into tars.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use tar::{Builder, EntryType, Header};

use super::TIMESTAMP;
use crate::tree::{Entry, attributes};
use crate::tree::{Kind, Tree, TreePath};

/// The name of headers with records, as tools that don't know them see it.
const RECORDS_NAME: &str = "PaxHeaders/attributes";

/// Writes a tree as a tar.
///
/// # Errors
/// When a content can't be read, or the tar can't be written.
pub fn write_tar(tree: &Tree, to: impl Write) -> io::Result<()> {
    let first = first_names(tree);
    let mut tar = Builder::new(to);
    for (path, entry) in tree.iter() {
        append(&mut tar, path, entry, &written_kind(tree, &first, path, entry)?)?;
    }
    tar.into_inner()?.flush()
}

/// For everything with hard links, which of its names comes first.
fn first_names(tree: &Tree) -> BTreeMap<&TreePath, &TreePath> {
    let mut first = BTreeMap::new();
    for (path, entry) in tree.iter() {
        if let Kind::Hardlink(target) = &entry.kind {
            first.entry(target).or_insert(path.min(target));
        }
    }
    first
}

/// In a tar a hard link must come after what it links to: the name that sorts first gets that.
fn written_kind(
    tree: &Tree,
    first: &BTreeMap<&TreePath, &TreePath>,
    path: &TreePath,
    entry: &Entry,
) -> io::Result<Kind> {
    let file = match &entry.kind {
        Kind::Hardlink(target) => target,
        _ => path,
    };
    match first.get(file) {
        Some(name) if *name != path => Ok(Kind::Hardlink((*name).clone())),
        Some(_) => match tree.get(file).map(|e| &e.kind) {
            None | Some(Kind::Directory | Kind::Hardlink(_)) => {
                let bad = format!("`{path}` is a hard link to `{file}`, which is not a file");
                Err(io::Error::other(bad))
            }
            Some(kind) => Ok(kind.clone()),
        },
        None => Ok(entry.kind.clone()),
    }
}

fn append<W: Write>(
    tar: &mut Builder<W>,
    path: &TreePath,
    entry: &Entry,
    kind: &Kind,
) -> io::Result<()> {
    if !matches!(kind, Kind::Hardlink(_)) {
        append_attributes(tar, entry)?;
    }
    let mut header = Header::new_gnu();
    header.set_mode(entry.mode);
    header.set_uid(entry.uid.into());
    header.set_gid(entry.gid.into());
    header.set_mtime(TIMESTAMP);
    header.set_size(0);
    let mut special = |entry_type| header.set_entry_type(entry_type);
    match kind {
        Kind::Directory => special(EntryType::Directory),
        Kind::Fifo => special(EntryType::Fifo),
        Kind::Device { block, major, minor } => {
            special(if *block { EntryType::Block } else { EntryType::Char });
            header.set_device_major(*major)?;
            header.set_device_minor(*minor)?;
        }
        Kind::Symlink(target) => return append_link(tar, header, EntryType::Symlink, path, target),
        Kind::Hardlink(target) => {
            return append_link(tar, header, EntryType::Link, path, target.as_bytes());
        }
        Kind::File(content) => {
            header.set_entry_type(EntryType::Regular);
            header.set_size(content.len());
            return tar.append_data(&mut header, os_path(path.as_bytes()), content.reader()?);
        }
    }
    tar.append_data(&mut header, os_path(path.as_bytes()), io::empty())
}

/// Extended attributes go before their entry, in a header of pax.
fn append_attributes<W: Write>(tar: &mut Builder<W>, entry: &Entry) -> io::Result<()> {
    let records = attributes::to_records(&entry.attributes);
    if records.is_empty() {
        return Ok(());
    }
    let bytes: Vec<u8> = records.iter().flat_map(|(key, value)| record(key, value)).collect();
    let mut header = Header::new_ustar();
    // busybox takes a header without a name for the end.
    header.set_path(RECORDS_NAME)?;
    header.set_entry_type(EntryType::XHeader);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(TIMESTAMP);
    header.set_size(bytes.len() as u64);
    header.set_cksum();
    tar.append(&header, bytes.as_slice())
}

/// A record of pax: its own length in decimal, which counts as well, then `KEY=VALUE`.
fn record(key: &[u8], value: &[u8]) -> Vec<u8> {
    let rest = [b" ", key, b"=", value, b"\n"].concat();
    let mut length = rest.len();
    while length != rest.len() + length.to_string().len() {
        length = rest.len() + length.to_string().len();
    }
    [length.to_string().as_bytes(), &rest].concat()
}

fn append_link<W: Write>(
    tar: &mut Builder<W>,
    mut header: Header,
    entry_type: EntryType,
    path: &TreePath,
    target: &[u8],
) -> io::Result<()> {
    header.set_entry_type(entry_type);
    let path = os_path(path.as_bytes());
    // The literal form leaves `./x` and `a//b` as they are; it has no way for long targets.
    if header.set_link_name_literal(target).is_ok() {
        return tar.append_data(&mut header, path, io::empty());
    }
    tar.append_link(&mut header, path, os_path(target))
}

fn os_path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}
