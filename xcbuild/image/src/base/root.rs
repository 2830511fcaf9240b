//! The root tree: packages, skeleton, kernel modules, our programs, and the lists that its tools
//! make of them.

use anyhow::{Context, Result};
use fs_err as fs;

use super::contents::LEFT_OUT;
use super::foreign::Sandbox;
use super::kernel::{Kernel, MODULES};
use super::{Program, applets, skeleton};
use xc_store::store::Store;
use xc_store::tree::{self, Content, Entry, Kind, Tree, TreePath};

/// The program behind depmod, modprobe and their like.
const KMOD: &str = "usr/bin/kmod";
/// Makes the list of libraries; statically linked.
const LDCONFIG: &str = "usr/sbin/ldconfig";
/// What that reads and writes.
const LD_CONFIGURATION: &[&str] = &["etc/ld.so.conf", "etc/ld.so.conf.d"];
const LD_CACHE: &str = "etc/ld.so.cache";

/// Puts the root tree together; the kernel gets the lists of its modules, too.
///
/// # Errors
/// A package tree that lacks the tools; contents that can't be read; a full disk.
pub(super) fn assemble(
    packages: Tree,
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
    index_modules(&root, kernel, store)?;
    tree::merge(&mut root, kernel.modules.clone())?;
    let parts = [&[applets::BUSYBOX, applets::STATIC, LDCONFIG], LD_CONFIGURATION].concat();
    let sandbox = Sandbox::new(store.work_directory()?, &root, &parts)?;
    applets::add(&mut root, &sandbox)?;
    index_libraries(&mut root, &sandbox)?;
    Ok(root)
}

fn executable(content: Content) -> Entry {
    Entry::new(0o755, Kind::File(content))
}

/// depmod: `modules.dep` and the other lists of a kernel's modules.
fn index_modules(root: &Tree, kernel: &mut Kernel, store: &Store) -> Result<()> {
    if kernel.modules.is_empty() {
        return Ok(());
    }
    let mut parts = root.clone();
    tree::merge(&mut parts, kernel.modules.clone())?;
    let directory = format!("{MODULES}/{}", kernel.version);
    let sandbox = Sandbox::new(store.work_directory()?, &parts, &[KMOD, &directory])?;
    sandbox
        .program(KMOD, "depmod")
        .arg("--basedir")
        .arg(sandbox.path(""))
        .arg(&kernel.version)
        .output()
        .context("can't list the kernel's modules")?;
    for entry in fs::read_dir(sandbox.path(&directory))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("modules.") {
            let path = TreePath::new(format!("{directory}/{name}"))?;
            kernel.modules.insert(path, Entry::file(0o644, fs::read(entry.path())?));
        }
    }
    Ok(())
}

/// ldconfig: where the libraries are, so that programs needn't look in each directory.
fn index_libraries(root: &mut Tree, sandbox: &Sandbox) -> Result<()> {
    xc_sys::exec::Exec::new(sandbox.path(LDCONFIG))
        .args(["-X", "-r"])
        .arg(sandbox.path(""))
        .env_clear()
        .output()
        .context("can't list the libraries of the base image")?;
    let cache = fs::read(sandbox.path(LD_CACHE))?;
    root.insert(TreePath::new(LD_CACHE)?, Entry::file(0o644, cache));
    Ok(())
}

/// The paths of a tree, absolute, a line each.
pub(super) fn listing(root: &Tree) -> String {
    root.iter().map(|(path, _)| format!("/{path}\n")).collect()
}
