//! A tree from an ISO image: names and modes here, contents where they are, in the image.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use xc_iso::DeviceKind;
use xc_iso::read::{self, Piece, Reader};

use super::{Blob, Content, Entry, Kind, Tree, TreePath};

/// Reads an image. Names that are one file in it are so in the tree.
///
/// # Errors
/// No image; an image that is damaged; a socket, or a file in pieces, which ours never have.
pub fn from_iso(image: &Arc<Blob>) -> Result<Tree> {
    let named = || format!("`{}`", image.path().display());
    let reader = Reader::open(image.file().as_ref()).with_context(named)?;
    if let Some(problem) = reader.problems().first() {
        bail!("{} is damaged: {problem}", named());
    }
    let mut tree = Tree::new();
    let mut first: HashMap<(u32, Option<Piece>), TreePath> = HashMap::new();
    reader.walk(|path, entry| -> Result<()> {
        if path.is_empty() {
            return Ok(());
        }
        let path = TreePath::new(path)?;
        let mut kind = kind(image, &path, entry)?;
        if kind != Kind::Directory && entry.links > 1 && entry.serial != 0 {
            let key = (entry.serial, entry.pieces.first().copied());
            match first.get(&key) {
                Some(other)
                    if tree.get(other).is_some_and(|other| same_kind(&other.kind, &kind)) =>
                {
                    kind = Kind::Hardlink(other.clone());
                }
                _ => drop(first.insert(key, path.clone())),
            }
        }
        let meta = &entry.meta;
        let mode = meta.mode & 0o7777;
        let entry = Entry { uid: meta.uid, gid: meta.gid, ..Entry::new(mode, kind) };
        tree.insert(path, entry);
        Ok(())
    })?;
    Ok(tree)
}

/// Whether two kinds are the same but for where a content is.
fn same_kind(one: &Kind, other: &Kind) -> bool {
    matches!((one, other), (Kind::File(_), Kind::File(_))) || one == other
}

fn kind(image: &Arc<Blob>, path: &TreePath, entry: &read::Entry) -> Result<Kind> {
    Ok(match &entry.kind {
        read::Kind::Directory => Kind::Directory,
        read::Kind::File if entry.compressed => {
            bail!("`{path}` is compressed by zisofs, which is not supported")
        }
        read::Kind::File => Kind::File(match entry.pieces.as_slice() {
            [] => Content::bytes(*b""),
            [Piece { start, length }] => {
                Content::Range { blob: image.clone(), offset: *start, len: *length }
            }
            _ => bail!("`{path}` is in several pieces"),
        }),
        read::Kind::Symlink(target) => Kind::Symlink(target.clone()),
        read::Kind::Device(kind, major, minor) => {
            Kind::Device { block: *kind == DeviceKind::Block, major: *major, minor: *minor }
        }
        read::Kind::Fifo => Kind::Fifo,
        read::Kind::Socket => bail!("`{path}` is a socket"),
    })
}

#[cfg(test)]
mod tests {
    use super::from_iso;
    use crate::tree::{Blob, Entry, Kind, Tree, TreePath, add_to_iso, write_tar};

    #[test]
    fn what_was_written_is_read_back() {
        let path = |text: &str| TreePath::new(text).unwrap();
        let mut tree = Tree::new();
        tree.insert(path("a/file"), Entry { uid: 7, gid: 8, ..Entry::file(0o4750, "text") });
        tree.insert(
            path("a/same"),
            Entry { uid: 7, gid: 8, ..Entry::new(0o4750, Kind::Hardlink(path("a/file"))) },
        );
        tree.insert(path("a/empty"), Entry::file(0o600, ""));
        tree.insert(path("l"), Entry::symlink("a/file"));
        tree.insert(path("p"), Entry::new(0o640, Kind::Fifo));
        tree.insert(
            path("null"),
            Entry::new(0o666, Kind::Device { block: false, major: 1, minor: 3 }),
        );
        for (link, first) in [("empty-too", "a/empty"), ("l-too", "l"), ("zero", "null")] {
            let of = tree.get(&path(first)).unwrap().clone();
            tree.insert(path(link), Entry { kind: Kind::Hardlink(path(first)), ..of });
        }
        let mut image = xc_iso::Image::new(xc_iso::Options::default());
        add_to_iso(&tree, &mut image, &TreePath::root()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("x.iso");
        image.write_to_file(&std::fs::File::create(&at).unwrap()).unwrap();
        let again = from_iso(&Blob::open(&at).unwrap()).unwrap();
        let bytes = |tree: &Tree| {
            let mut bytes = Vec::new();
            write_tar(tree, &mut bytes).unwrap();
            bytes
        };
        assert!(bytes(&tree) == bytes(&again));
    }
}
