//! The members of a tar archive, as entries of an image. Their contents stay where they are.
//!
//! Unlike the tars of overlays, which [`xc_store::tree`] reads by the same code, these keep their
//! times. What ISO 9660 can't hold is refused by name; extended attributes, which no ISO holds, are
//! left out with a warning.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, bail};
use xc_iso::{DeviceKind, Image, Meta};
use xc_store::tree::{self, Archive, Blob, Entry, Kind, Member, TarError, TreePath};

use crate::ui;
use xc_report::visible;

/// Adds all members of an archive to the root of an image. Directories that it takes for granted
/// get the time `timestamp`.
pub(super) fn add(image: &mut Image, blob: &Arc<Blob>, timestamp: i64) -> Result<()> {
    let archive = Archive::read(blob, u64::MAX).map_err(|error| explained(error, blob))?;
    warn_of_attributes(&archive);
    if let Some(root) = &archive.root {
        image.root(meta(root));
    }
    // The file that a hard link names may come later in the order of paths.
    let mut links = Vec::new();
    for (path, member) in &archive.members {
        add_parents(image, path, timestamp)?;
        match &member.entry.kind {
            Kind::Hardlink(first) => links.push((path, first)),
            _ => add_member(image, path, member)?,
        }
    }
    for (path, first) in links {
        image.hardlink(path.as_bytes(), first.as_bytes())?;
    }
    Ok(())
}

fn add_member(image: &mut Image, path: &TreePath, member: &Member) -> Result<()> {
    let (path, meta) = (path.as_bytes(), meta(member));
    match &member.entry.kind {
        Kind::Directory => image.dir(path, meta)?,
        Kind::Symlink(target) if target.is_empty() => {
            bail!("`{}`: a symbolic link without a target", visible(path))
        }
        Kind::Symlink(target) => image.symlink(path, meta, target)?,
        Kind::Fifo => image.fifo(path, meta)?,
        Kind::File(content) => image.file(path, meta, tree::source(content))?,
        Kind::Device { block, major, minor } => {
            let kind = if *block { DeviceKind::Block } else { DeviceKind::Character };
            image.device(path, meta, kind, *major, *minor)?;
        }
        Kind::Hardlink(first) => image.hardlink(path, first.as_bytes())?,
    }
    Ok(())
}

fn meta(member: &Member) -> Meta {
    let Entry { mode, uid, gid, .. } = member.entry;
    Meta { mode, uid, gid, mtime: member.mtime }
}

/// Adds the directories that an archive takes for granted.
fn add_parents(image: &mut Image, path: &TreePath, timestamp: i64) -> Result<()> {
    let Some(parent) = path.parent().filter(|parent| !parent.is_root()) else { return Ok(()) };
    if image.contains(parent.as_bytes()) {
        return Ok(());
    }
    add_parents(image, &parent, timestamp)?;
    let meta = Meta { mode: 0o755, mtime: timestamp, ..Meta::default() };
    Ok(image.dir(parent.as_bytes(), meta)?)
}

/// What is wrong, and where the file is no tar at all, what would be right.
fn explained(error: TarError, blob: &Blob) -> anyhow::Error {
    let is_other = matches!(error, TarError::NotATar | TarError::Short { last: None });
    let mut start = [0; 6];
    let known = match blob.read_at(&mut start, 0).map(|got| &start[..got]) {
        Ok([0x1f, 0x8b, ..]) => Some("gzip"),
        Ok([0xfd, b'7', b'z', b'X', b'Z', 0]) => Some("xz"),
        Ok([0x28, 0xb5, 0x2f, 0xfd, ..]) => Some("zstd"),
        Ok([b'B', b'Z', b'h', ..]) => Some("bzip2"),
        _ => None,
    };
    let folder = blob.path().parent().unwrap_or(Path::new("")).display().to_string();
    let error = anyhow::Error::from(error);
    match known.filter(|_| is_other) {
        _ if !is_other => error,
        Some(program) => error.context(format!("compressed by {program}; decompress it first")),
        None if folder.is_empty() => error,
        None => error.context(format!(
            "neither a directory nor a tar; inputs are directories, such as `{folder}`"
        )),
    }
}

fn warn_of_attributes(archive: &Archive) {
    let has = |(_, member): &(&TreePath, &Member)| !member.entry.attributes.is_empty();
    let paths = archive.members.iter().filter(has).map(|(path, _)| path);
    let paths: Vec<&TreePath> = paths.chain(archive.lost.iter().map(|(path, _)| path)).collect();
    if let Some(first) = paths.first() {
        let (count, first) = (paths.len(), visible(first.as_bytes()));
        ui::warn(format_args!(
            "left out the extended attributes of {count} members, such as `{first}`: no ISO holds them"
        ));
    }
}
