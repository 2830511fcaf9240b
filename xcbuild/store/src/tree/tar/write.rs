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
    let records: Vec<_> = records
        .iter()
        .map(|(key, value)| Ok((std::str::from_utf8(key).map_err(io::Error::other)?, &value[..])))
        .collect::<io::Result<_>>()?;
    tar.append_pax_extensions(records)
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
