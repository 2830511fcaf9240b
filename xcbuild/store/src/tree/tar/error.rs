//! Why a tar gives no tree.

use std::io;

use crate::tree::{PathError, TreePath};

/// Why a tar gives no tree.
#[derive(Debug, thiserror::Error)]
pub enum TarError {
    /// It can't be read.
    #[error("the tar can't be read{}", after(last))]
    Read {
        /// The last entry that was read before.
        last: Option<String>,
        /// What is wrong.
        #[source]
        source: io::Error,
    },
    /// What stands where an entry should is none.
    #[error("the tar can't be read{}: {reason}", after(last))]
    Malformed {
        /// The last entry that was read before.
        last: Option<String>,
        /// What is wrong.
        reason: &'static str,
    },
    /// It starts as no tar does.
    #[error("it is not a tar")]
    NotATar,
    /// It ends before its end mark.
    #[error("the tar is cut short{}", after(last))]
    Short {
        /// The last entry that was read.
        last: Option<String>,
    },
    /// An entry's path is not inside a tree.
    #[error("bad path in the tar")]
    Path(#[from] PathError),
    /// A field of a header that is no number, or one that is too large.
    #[error("`{0}` in the tar has no valid number as its {1}")]
    Number(String, &'static str),
    /// Something other than a directory where a directory that is not empty is.
    #[error("`{0}` is in the tar as a directory with entries, which something else can't replace")]
    NotEmpty(TreePath),
    /// A path that goes through a symbolic link or a file of the same tar.
    #[error("`{0}` in the tar is below `{1}`, which is not a directory")]
    Through(TreePath, TreePath),
    /// A hard link to what is not inside a tree.
    #[error("`{0}` in the tar is a hard link out of it")]
    Outside(TreePath, #[source] PathError),
    /// A hard link to a name that is not there before it, or to a directory.
    #[error("`{0}` in the tar is a hard link to `{1}`, {2}")]
    Dangling(TreePath, TreePath, &'static str),
    /// A kind of entry that no tree can hold.
    #[error("`{0}` in the tar is of an unknown kind ({1:?})")]
    Kind(TreePath, char),
    /// A sparse file whose map makes no sense.
    #[error("`{0}` in the tar is a sparse file whose map is wrong")]
    SparseMap(String),
    /// Sparse files that are too big together.
    #[error(
        "`{0}` in the tar is sparse and makes {1} bytes of sparse files; at most {2} are allowed"
    )]
    Sparse(TreePath, u64, u64),
    /// A header of a header that is too big: no name is so long.
    #[error("the tar has a name or attributes of {bytes} bytes{}", after(last))]
    Long {
        /// The last entry that was read before.
        last: Option<String>,
        /// Its bytes.
        bytes: u64,
    },
    /// More entries than any overlay has.
    #[error("the tar has more than {0} entries")]
    Many(u64),
}

fn after(last: &Option<String>) -> String {
    last.as_ref().map(|l| format!(" after `{l}`")).unwrap_or_default()
}
