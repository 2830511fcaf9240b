//! Trees from tars and into tars.
//!
//! Reading trusts nothing: what a tar can't say of a tree (a path out of it, a way through a link,
//! an end before the end) is an error that names the entry. Nothing is written to the host's file
//! system on the way: contents stay in the tar's file and are read from there later. A symbolic
//! link is a text for the node, and may say anything.
//!
//! Writing is normal: entries in the tree's order, root's or numeric owners, one timestamp. Equal
//! trees give equal bytes.

mod archive;
mod error;
mod header;
mod members;
mod pax;
mod sparse;
mod write;

use std::sync::Arc;

pub use archive::{Archive, Member};
pub use error::TarError;
pub use write::write_tar;

use super::{Blob, Tree};

/// The time of every file that we write, seconds since 1970: 1 January 1980, the earliest that all
/// archive formats and file systems can express.
pub const TIMESTAMP: u64 = 315_532_800;
/// What all sparse files of a tar together may become in a tree, in bytes: a layer has their holes
/// as zeros.
pub const SPARSE_MAX: u64 = 1_000_000_000;

/// Reads an uncompressed tar as a tree.
///
/// # Errors
/// [`TarError`], which names the entry.
pub fn from_tar(blob: &Arc<Blob>) -> Result<Tree, TarError> {
    Ok(Archive::read(blob, SPARSE_MAX)?.into_tree())
}

#[cfg(test)]
mod judges;
#[cfg(test)]
mod random;
#[cfg(test)]
mod tests;
