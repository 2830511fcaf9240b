//! What an image is made of: directories, and tar archives, whose members are read in place.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use fs_err as fs;
use tar::EntryType;
use xc_iso::{DeviceKind, Image, Meta, Source};

/// Adds a directory or an archive to the root of an image.
pub(super) fn add(image: &mut Image, input: &Path) -> Result<()> {
    let named = || format!("`{}`", input.display());
    if fs::metadata(input)?.is_dir() {
        return image.tree("", input).with_context(named);
    }
    add_archive(image, input).with_context(named)
}

fn add_archive(image: &mut Image, path: &Path) -> Result<()> {
    let file = Arc::new(fs::File::open(path)?.into_parts().0);
    let mut archive = tar::Archive::new(&*file);
    for member in archive.entries_with_seek()? {
        let member =
            member.context("not a tar archive; compressed ones are to be unpacked first")?;
        add_member(image, &member, &file)?;
    }
    Ok(())
}

fn add_member(
    image: &mut Image,
    member: &tar::Entry<'_, &std::fs::File>,
    file: &Arc<std::fs::File>,
) -> Result<()> {
    let header = member.header();
    let path = inside(&member.path_bytes())?;
    let number = |n: u64| u32::try_from(n).context("an owner's number over 32 bits");
    let meta = Meta {
        mode: header.mode()?,
        uid: number(header.uid()?)?,
        gid: number(header.gid()?)?,
        mtime: i64::try_from(header.mtime()?)?,
    };
    if path.is_empty() {
        image.root(meta);
        return Ok(());
    }
    add_parents(image, &path)?;
    let target = || member.link_name_bytes().context("a link without a target");
    let device = |kind| -> Result<_> {
        let numbers = (header.device_major()?, header.device_minor()?);
        let (Some(major), Some(minor)) = numbers else { bail!("a device without numbers") };
        Ok((kind, major, minor))
    };
    let (kind, major, minor) = match header.entry_type() {
        EntryType::Directory => return Ok(image.dir(path, meta)?),
        EntryType::Symlink => return Ok(image.symlink(path, meta, target()?)?),
        EntryType::Link => return Ok(image.hardlink(path, inside(&target()?)?)?),
        EntryType::Fifo => return Ok(image.fifo(path, meta)?),
        EntryType::Block => device(DeviceKind::Block)?,
        EntryType::Char => device(DeviceKind::Character)?,
        EntryType::Regular | EntryType::Continuous => {
            let (offset, len) = (member.raw_file_position(), member.size());
            let source = Source::Range { file: Arc::clone(file), offset, len };
            return Ok(image.file(path, meta, source)?);
        }
        EntryType::XGlobalHeader => return Ok(()),
        other => {
            bail!("{}: members of type {other:?} can't be held", String::from_utf8_lossy(&path))
        }
    };
    Ok(image.device(path, meta, kind, major, minor)?)
}

/// A member's path without `.` and slashes at its ends.
fn inside(path: &[u8]) -> Result<Vec<u8>> {
    let mut names = path.split(|&b| b == b'/').filter(|name| !matches!(*name, b"" | b"."));
    if names.clone().any(|name| name == b"..") {
        bail!("{}: a path with '..' leads outside", String::from_utf8_lossy(path));
    }
    let first = names.next().unwrap_or_default().to_vec();
    Ok(names.fold(first, |path, name| [&path, &b"/"[..], name].concat()))
}

/// Adds the directories that an archive takes for granted.
fn add_parents(image: &mut Image, path: &[u8]) -> Result<()> {
    let slashes = path.iter().enumerate().filter(|&(_, &byte)| byte == b'/');
    for (at, _) in slashes {
        if !image.contains(&path[..at]) {
            image.dir(&path[..at], Meta { mode: 0o755, ..Meta::default() })?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::inside;

    #[test]
    fn paths_are_put_inside() {
        let rows =
            [("./", ""), ("/", ""), ("./a/b", "a/b"), ("/a//b/", "a/b"), ("a", "a"), (".x", ".x")];
        for (given, expected) in rows {
            assert_eq!(inside(given.as_bytes()).unwrap(), expected.as_bytes(), "{given}");
        }
        assert!(inside(b"a/../b").is_err());
    }
}
