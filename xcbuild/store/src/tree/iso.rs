//! Trees into ISO images: names and contents go over as they are, with one time for all.

use std::sync::Arc;

use xc_iso::{DeviceKind, Error, Image, Meta, Source};

use super::{Content, DIRECTORY_MODE, Entry, Kind, TIMESTAMP, Tree, TreePath};

/// Adds a tree to an image, below a directory of it (made here with its parents; the root is the
/// empty path).
///
/// # Errors
/// What an ISO image can't hold, by its path.
pub fn add_to_iso(tree: &Tree, image: &mut Image, prefix: &TreePath) -> Result<(), Error> {
    add_parents(image, prefix)?;
    let place = |path: &TreePath| match prefix.is_root() {
        true => path.as_bytes().to_vec(),
        false => [prefix.as_bytes(), path.as_bytes()].join(&b'/'),
    };
    let mut links = Vec::new();
    for (path, entry) in tree.iter() {
        match &entry.kind {
            // The name that it links to may come later in the order of names.
            Kind::Hardlink(first) => links.push((place(path), place(first))),
            _ => add(image, &place(path), entry)?,
        }
    }
    links.into_iter().try_for_each(|(path, first)| image.hardlink(path, first))
}

fn add_parents(image: &mut Image, prefix: &TreePath) -> Result<(), Error> {
    let parts: Vec<&[u8]> = prefix.parts().collect();
    for depth in 1..=parts.len() {
        let path = parts[..depth].join(&b'/');
        if !image.contains(&path) {
            image.dir(path, meta(DIRECTORY_MODE, 0, 0))?;
        }
    }
    Ok(())
}

fn add(image: &mut Image, path: &[u8], entry: &Entry) -> Result<(), Error> {
    let meta = meta(entry.mode, entry.uid, entry.gid);
    match &entry.kind {
        Kind::Directory => image.dir(path, meta),
        Kind::File(content) => image.file(path, meta, source(content)),
        Kind::Symlink(target) => image.symlink(path, meta, target),
        Kind::Device { block, major, minor } => {
            let kind = if *block { DeviceKind::Block } else { DeviceKind::Character };
            image.device(path, meta, kind, *major, *minor)
        }
        Kind::Fifo => image.fifo(path, meta),
        Kind::Hardlink(first) => image.hardlink(path, first.as_bytes()),
    }
}

fn meta(mode: u32, uid: u32, gid: u32) -> Meta {
    Meta { mode, uid, gid, mtime: TIMESTAMP.cast_signed() }
}

/// Where an image reads a content from.
pub fn source(content: &Content) -> Source {
    match content {
        Content::Bytes(bytes) => Source::Bytes(bytes.to_vec()),
        Content::Range { blob, offset, len } => {
            Source::Range { file: blob.file().clone(), offset: *offset, len: *len }
        }
        Content::Sparse { blob, pieces } => Source::Sparse {
            file: blob.file().clone(),
            extents: Arc::clone(&pieces.list),
            len: pieces.len,
        },
        Content::Path { path, len } => Source::Sized { path: path.clone(), len: *len },
    }
}

#[cfg(test)]
mod tests {
    use super::add_to_iso;
    use crate::tree::{Entry, Kind, Tree, TreePath};

    #[test]
    fn links_may_sort_before_what_they_link_to() {
        let path = |text: &str| TreePath::new(text).unwrap();
        let mut tree = Tree::new();
        tree.insert(path("usr/bin/perl5"), Entry::file(0o755, "#!"));
        tree.insert(path("usr/bin/perl"), Entry::new(0o755, Kind::Hardlink(path("usr/bin/perl5"))));
        tree.insert(path("etc/link"), Entry::symlink("../usr"));
        for prefix in ["", "00name/deep"] {
            let mut image = xc_iso::Image::new(xc_iso::Options::default());
            let prefix = if prefix.is_empty() { TreePath::root() } else { path(prefix) };
            add_to_iso(&tree, &mut image, &prefix).unwrap();
            let below = |p: &str| prefix.join(&path(p)).unwrap();
            for name in ["usr/bin/perl", "usr/bin/perl5", "etc/link"] {
                assert!(image.contains(below(name).as_bytes()), "{name}");
            }
            let mut bytes = Vec::new();
            assert_eq!(image.write(&mut bytes).unwrap().files, 1);
        }
    }
}
