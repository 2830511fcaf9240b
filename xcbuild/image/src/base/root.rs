//! The root tree: packages, skeleton, kernel modules, our programs, and the lists that its tools
//! make of them.

use anyhow::Result;

use super::contents::LEFT_OUT;
use super::foreign::Sandbox;
use super::kernel::Kernel;
use super::{Program, applets, skeleton, tools};
use crate::index;
use xc_store::store::Store;
use xc_store::tree::{self, Content, Entry, Kind, Tree, TreePath};

/// Puts the root tree together; the kernel gets the lists of its modules, too.
///
/// # Errors
/// A package tree that lacks the tools; contents that can't be read; a full disk.
pub(super) fn assemble(
    packages: Tree,
    tools: Tree,
    kernel: &mut Kernel,
    busybox: &Content,
    programs: &[Program<'_>],
    store: &Store,
) -> Result<Tree> {
    let mut root = skeleton::directories()?;
    tree::merge(&mut root, packages)?;
    for path in LEFT_OUT {
        root.remove(&TreePath::new(path)?);
    }
    // After the packages: the skeleton's configuration is what nodes are to have.
    tree::merge(&mut root, skeleton::root()?)?;
    root.insert(TreePath::new(applets::STATIC)?, executable(busybox.clone()));
    for program in programs {
        root.insert(TreePath::new(program.path)?, executable(Content::bytes(program.bytes)));
    }
    tree::merge(&mut root, kernel.modules.clone())?;
    if !kernel.modules.is_empty() {
        let lists = index::modules(&root, &kernel.version, store)?;
        tree::merge(&mut kernel.modules, lists.clone())?;
        tree::merge(&mut root, lists)?;
    }
    let parts = [applets::BUSYBOX, applets::STATIC];
    let sandbox = Sandbox::new(store.work_directory()?, &root, &parts)?;
    applets::add(&mut root, &sandbox)?;
    tools::add(&mut root, tools)?;
    let lists = index::libraries(&root, store)?;
    tree::merge(&mut root, lists)?;
    Ok(root)
}

fn executable(content: Content) -> Entry {
    Entry::new(0o755, Kind::File(content))
}

/// The paths of a tree, absolute, a line each.
pub(super) fn listing(root: &Tree) -> String {
    root.iter().map(|(path, _)| format!("/{path}\n")).collect()
}
