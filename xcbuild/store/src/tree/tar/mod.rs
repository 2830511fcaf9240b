//! Trees from tars and into tars.
//!
//! Reading trusts nothing: what a tar can't say of a tree (a path out of it, a file twice, a way
//! through a link, an end before the end) is an error that names the entry. Nothing is written to the
//! host's file system on the way: contents stay in the tar's file and are read from there later. A
//! symbolic link is a text for the node, and may say anything.
//!
//! Writing is normal: entries in the tree's order, root's or numeric owners, one timestamp. Equal
//! trees give equal bytes.

mod error;
mod read;
mod write;

pub use error::TarError;
pub use read::from_tar;
pub use write::write_tar;

/// The time of every file that we write, seconds since 1970: 1 January 1980, the earliest that all
/// archive formats and file systems can express.
pub const TIMESTAMP: u64 = 315_532_800;

#[cfg(test)]
mod random;
#[cfg(test)]
mod tests;
