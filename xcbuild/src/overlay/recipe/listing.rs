//! What is in a directory, by digest: the ingredients of a copied tree.

use std::io;

use anyhow::Result;
use rayon::prelude::*;

use super::Ingredient;
use crate::image::key::Digest;
use crate::tree::{Content, Entry, Kind, Tree, TreePath};

/// The ingredients of a tree: one for each path, in order.
///
/// # Errors
/// When a file can't be read.
pub fn ingredients(label: &str, tree: &Tree) -> Result<Vec<Ingredient>> {
    let entries: Vec<_> = tree.iter().collect();
    let one = |(path, entry): &(&TreePath, &Entry)| -> Result<Ingredient> {
        Ok(Ingredient::new(format!("{label}/{path}"), value(entry)?))
    };
    entries.par_iter().map(one).collect()
}

fn value(entry: &Entry) -> Result<String> {
    let kind = match &entry.kind {
        Kind::Directory => "directory".into(),
        Kind::File(content) => format!("file {}", digest(content)?),
        Kind::Symlink(target) => format!("link {}", String::from_utf8_lossy(target)),
        Kind::Hardlink(target) => format!("hard link {target}"),
        Kind::Device { block, major, minor } => {
            format!("{} device {major},{minor}", if *block { "block" } else { "char" })
        }
        Kind::Fifo => "fifo".into(),
    };
    Ok(format!("{:04o} {}:{} {kind}", entry.mode, entry.uid, entry.gid))
}

/// The digest of a content.
///
/// # Errors
/// When it can't be read.
pub fn digest(content: &Content) -> io::Result<Digest> {
    Ok(Digest::of_reader(content.reader()?)?.0)
}
