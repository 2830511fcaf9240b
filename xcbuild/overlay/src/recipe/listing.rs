//! What is in a directory, by digest: the ingredients of a copied tree.

use std::io;

use super::Ingredient;
use xc_store::key::Digest;
use xc_store::listing::{FoundKind, Listed, Listing};
use xc_store::tree::Content;

/// The ingredients of a directory: one for each path, in order.
pub(super) fn ingredients(label: &str, listing: &Listing) -> Vec<Ingredient> {
    let one = |listed: Listed<'_>| {
        let name = format!("{label}/{}", String::from_utf8_lossy(listed.path));
        Ingredient::new(name, value(listing, &listed))
    };
    listing.iter().map(one).collect()
}

fn value(listing: &Listing, listed: &Listed<'_>) -> String {
    let kind = match listed.kind {
        FoundKind::Directory => "directory".into(),
        FoundKind::File => format!("file {}", listed.digest),
        FoundKind::Symlink => {
            // For people: the key has the digest of the text.
            let text = listing.link_text(listed).unwrap_or_default();
            format!("link {}", String::from_utf8_lossy(&text))
        }
        FoundKind::Block => "block device".into(),
        FoundKind::Character => "char device".into(),
        FoundKind::Fifo => "fifo".into(),
    };
    format!("{:04o} {kind}", listed.mode)
}

/// The digest of a content.
///
/// # Errors
/// When it can't be read.
pub(super) fn digest(content: &Content) -> io::Result<Digest> {
    Ok(Digest::of_reader(content.reader()?)?.0)
}
