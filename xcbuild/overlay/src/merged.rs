//! What becomes of an overlay's files where `/bin`, `/lib` and `/sbin` are links into `/usr`.

use anyhow::Result;

use xc_report::Reporter;
use xc_store::tree::{Tree, TreePath, UsrMergeError, UsrMerged, usr_merge};

/// Checks that a tree of an overlay can be in a node, and leaves out links that would lead to
/// themselves there. The paths stay as they are: other machines may have real directories.
///
/// # Errors
/// [`UsrMergeError`], for the user.
pub(crate) fn checked(mut tree: Tree, part: &str, overlay: &str, to: &Reporter) -> Result<Tree> {
    let merged = usr_merge(tree.clone())?;
    warn_of_replaced(&merged, part, overlay, to);
    for path in merged.dropped.iter().filter(|path| !is_of_the_base(path)) {
        tree.release(path);
    }
    Ok(tree)
}

/// Says what is lost where two files of an overlay are one path in a node.
pub(crate) fn warn_of_replaced(merged: &UsrMerged, part: &str, overlay: &str, to: &Reporter) {
    if let Some((old, new)) = merged.replaced.first() {
        let more = match merged.replaced.len() - 1 {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        to.warn(format_args!(
            "{part} of `{overlay}` has `/{old}`{more}, which is not as `/{new}` but the same path in a node: the latter is taken"
        ));
    }
}

/// What is wrong with a tree in that respect, by path.
pub(crate) fn findings(tree: Tree) -> Vec<(TreePath, String)> {
    match usr_merge(tree) {
        Ok(merged) => {
            let one = |(old, new): (TreePath, TreePath)| {
                let message =
                    format!("is the same path in a node as {new}, which differs and is taken");
                (old, message)
            };
            merged.replaced.into_iter().map(one).collect()
        }
        Err(e @ (UsrMergeError::Taken(..) | UsrMergeError::Mixed(..))) => {
            let path = match &e {
                UsrMergeError::Taken(path, ..) | UsrMergeError::Mixed(path, _) => path.clone(),
                UsrMergeError::Path(_) => TreePath::root(),
            };
            vec![(path, format!("can't be in a node: {e}"))]
        }
        Err(UsrMergeError::Path(_)) => Vec::new(),
    }
}

/// `bin -> usr/bin` and its like, as the base image has them.
fn is_of_the_base(path: &TreePath) -> bool {
    path.parts().count() == 1 || path.parts().next() == Some(b"var")
}
