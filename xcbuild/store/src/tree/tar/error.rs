//! Why a tar gives no tree.

use std::io;

use crate::tree::{PathError, TreePath};

/// Why a tar gives no tree.
#[derive(Debug, thiserror::Error)]
pub enum TarError {
    /// It can't be read, or is no tar.
    #[error("the tar can't be read{}", after(last))]
    Read {
        /// The last entry that was read before.
        last: Option<String>,
        /// What is wrong.
        #[source]
        source: io::Error,
    },
    /// It ends before its end mark.
    #[error("the tar is cut short{}", after(last))]
    Short {
        /// The last entry that was read.
        last: Option<String>,
    },
    /// An entry's path is not inside a tree.
    #[error("bad path in the tar")]
    Path(#[from] PathError),
    /// A name that is there as a directory and as something else, or again after a hard link to it.
    #[error("`{0}` is in the tar twice, and the later can't take the earlier's place")]
    Twice(TreePath),
    /// A path that goes through a symbolic link or a file of the same tar.
    #[error("`{0}` in the tar is below `{1}`, which is no directory")]
    Through(TreePath, TreePath),
    /// A hard link to what is not inside a tree.
    #[error("`{0}` in the tar is a hard link out of it")]
    Outside(TreePath, #[source] PathError),
    /// A hard link to a name that is not there before it, or is no file.
    #[error("`{0}` in the tar is a hard link to `{1}`, which is no file before it in the tar")]
    Dangling(TreePath, TreePath),
    /// A kind of entry that no tree can hold.
    #[error("`{0}` in the tar is of an unknown kind ({1:?})")]
    Kind(TreePath, char),
    /// Sparse files that are too big together.
    #[error(
        "`{0}` in the tar is sparse and makes {1} bytes of sparse files; at most 256 MiB are taken: make the tar without --sparse"
    )]
    Sparse(TreePath, u64),
    /// A sparse file in the form that only GNU tar knows.
    #[error("`{0}` in the tar is sparse in the form of pax; make the tar without --sparse")]
    PaxSparse(String),
    /// A header of a header that is too big: no name is so long.
    #[error("the tar has a name or attributes of {bytes} bytes{}", after(last))]
    Long {
        /// The last entry that was read before.
        last: Option<String>,
        /// Its bytes.
        bytes: u64,
    },
    /// More entries than any overlay has.
    #[error("the tar has more than {0} entries; that is no overlay")]
    Many(u64),
}

fn after(last: &Option<String>) -> String {
    last.as_ref().map(|l| format!(" after `{l}`")).unwrap_or_default()
}
