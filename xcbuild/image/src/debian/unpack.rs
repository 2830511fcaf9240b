//! From package files to one tree.
//!
//! A package's `data.tar` is unpacked once into the store, by a key of the package's digest; trees
//! refer to ranges of it. Packages are unpacked in parallel.
//!
//! Left out of every tree are documentation and translations, which no node reads
//! ([`LEFT_OUT`]); the copyright files stay, as the licences want it. Then the tree is usr-merged,
//! as the base image is, and alternatives are made.

use std::sync::Arc;

use anyhow::{Context, Result};
use fs_err as fs;

use super::lock::{Package, PackageSet};
use super::{Packages, alternatives, deb};
use xc_report::timeline::span;
use xc_store::key::{Key, KeyBuilder};
use xc_store::store::{Action, BlobRef};
use xc_store::tree::{self, Blob, Tree, TreePath};
use xc_sys::jobs;

/// Directories that no node needs.
const LEFT_OUT: &[&str] = &[
    "usr/share/bash-completion",
    "usr/share/bug",
    "usr/share/doc",
    "usr/share/doc-base",
    "usr/share/fish",
    "usr/share/gtk-doc",
    "usr/share/help",
    "usr/share/info",
    "usr/share/initramfs-tools",
    "usr/share/lintian",
    "usr/share/locale",
    "usr/share/man",
    "usr/share/menu",
    "usr/share/pixmaps",
    "usr/share/zsh",
];
/// The blob of the action.
const DATA: &str = "data";
/// What stays of `usr/share/doc/PACKAGE`.
const COPYRIGHT: &[u8] = b"copyright";

/// The tree of all packages of a set, fetched before if need be; a file that two of them have is
/// taken from the one whose name sorts last.
///
/// # Errors
/// Those of [`Packages::fetch`]; a package that is damaged.
pub fn merged_tree(packages: &Packages<'_>, set: &PackageSet) -> Result<Tree> {
    packages.fetch(set)?;
    // Each takes the lock of its key, which rayon's threads must not: see `jobs`.
    let trees = jobs::try_map(&set.packages, |package| package_tree(packages, package))?;
    let mut whole = Tree::new();
    for tree in trees {
        tree::merge(&mut whole, tree)?;
    }
    alternatives::apply(&mut whole)?;
    Ok(whole)
}

/// The usr-merged tree of one package, whose file is in the store.
///
/// # Errors
/// A package that is damaged or not in the store.
pub fn package_tree(packages: &Packages<'_>, package: &Package) -> Result<Tree> {
    let _span = span("package", &package.name);
    let tree = data(packages, package).with_context(|| format!("in `{}`", package.file))?;
    Ok(tree::usr_merge(without_documentation(tree)?)?.tree)
}

/// The package's files as they are in it.
fn data(packages: &Packages<'_>, package: &Package) -> Result<Tree> {
    let store = packages.store();
    let build = || {
        let blob = unpack(packages, package)?;
        Ok(Action::of_blob(DATA, blob).with_fact("package", package.id()))
    };
    let (action, _) = store.get_or_build_here(&data_key(package), &[DATA], build)?;
    let path =
        store.blob(&action.blob(DATA)?.digest)?.context("a blob went missing from the store")?;
    let blob: Arc<Blob> = Blob::open(&path)?;
    Ok(tree::from_tar(&blob)?)
}

/// The key of a package's unpacked files.
pub(super) fn data_key(package: &Package) -> Key {
    KeyBuilder::new("debian-data").digest("deb", &package.sha256).finish()
}

fn unpack(packages: &Packages<'_>, package: &Package) -> Result<BlobRef> {
    let mut writer = packages.store().writer()?;
    deb::copy_data(fs::File::open(packages.file(package)?)?, &mut writer)?;
    writer.commit()
}

fn without_documentation(tree: Tree) -> Result<Tree> {
    let left_out: Vec<TreePath> = LEFT_OUT.iter().map(TreePath::new).collect::<Result<_, _>>()?;
    let mut kept = Tree::new();
    for (path, entry) in tree {
        let dropped = left_out.iter().any(|d| path == *d || path.is_below(d));
        let copyright = path.name() == COPYRIGHT && !entry.is_directory();
        if !dropped || copyright {
            kept.insert(path, entry);
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::without_documentation;
    use xc_store::tree::{Entry, Tree, TreePath};

    #[test]
    fn only_licences_stay_of_the_documentation() {
        let mut tree = Tree::new();
        for name in [
            "usr/share/doc/jq/copyright",
            "usr/share/doc/jq/README",
            "usr/share/man/man1/jq.1.gz",
            "usr/bin/jq",
        ] {
            tree.insert(TreePath::new(name).unwrap(), Entry::file(0o644, "x"));
        }
        let kept = without_documentation(tree).unwrap();
        let files = kept.iter().filter(|(_, e)| !e.is_directory());
        let names: Vec<String> = files.map(|(p, _)| p.to_string()).collect();
        assert_eq!(names, ["usr/bin/jq", "usr/share/doc/jq/copyright"]);
    }
}
