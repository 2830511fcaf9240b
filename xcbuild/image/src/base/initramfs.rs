//! The initramfs: a static busybox, the modules to find and stack the ISOs, and a script.
//!
//! ```text
//! init           templates/base/initramfs/init
//! bin/busybox    static; bin/sh is a link to it
//! modules        names of the files below, in the order to load them
//! modules.disk   names of those that only a node with a disk to write to loads
//! lib/modules/   the files, without their directories
//! ```
//!
//! It is not compressed: nodes share the file in the host's page cache, and unpacking costs an
//! emulated processor more than the copy.

use anyhow::{Context, Result, bail};

use super::contents::{BOOT_MODULES, DISK_MODULES};
use super::kernel::{Kernel, MODULES};
use super::modules::Modules;
use super::{cpio, skeleton};
use xc_store::tree::{Content, Entry, Kind, Tree, TreePath};

/// The whole archive.
///
/// # Errors
/// A module that the kernel doesn't have; contents that can't be read.
pub(super) fn archive(kernel: &Kernel, busybox: &Content) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    cpio::write(&tree(kernel, busybox)?, &mut bytes)?;
    Ok(bytes)
}

fn tree(kernel: &Kernel, busybox: &Content) -> Result<Tree> {
    let mut tree = skeleton::initramfs()?;
    let program = Entry::new(0o755, Kind::File(busybox.clone()));
    tree.insert(TreePath::new("bin/busybox")?, program);
    tree.insert(TreePath::new("bin/sh")?, Entry::symlink("busybox"));
    let always = modules(kernel, BOOT_MODULES)?;
    let mut disk = modules(kernel, DISK_MODULES)?;
    disk.retain(|path| !always.contains(path));
    for (name, paths) in [("modules", always), ("modules.disk", disk)] {
        let list = paths.iter().map(|path| file_name(path).to_owned() + "\n").collect::<String>();
        tree.insert(TreePath::new(name)?, Entry::file(0o644, list));
        for path in paths {
            let from = TreePath::new(format!("{MODULES}/{}/{path}", kernel.version))?;
            let entry = kernel.modules.get(&from).with_context(|| format!("no file `{from}`"))?;
            let to = TreePath::new(format!("lib/modules/{}", file_name(&path)))?;
            tree.insert(to, entry.clone());
        }
    }
    Ok(tree)
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The modules to load for those names; none for a kernel without any, which has to have all built
/// in.
fn modules(kernel: &Kernel, wanted: &[&str]) -> Result<Vec<String>> {
    let Some(dependencies) = list(kernel, "modules.dep")? else { return Ok(Vec::new()) };
    let builtin = list(kernel, "modules.builtin")?.unwrap_or_default();
    Ok(Modules::parse(&dependencies, &builtin).closure(wanted)?)
}

/// One of the kernel's lists of modules.
fn list(kernel: &Kernel, name: &str) -> Result<Option<String>> {
    let path = TreePath::new(format!("{MODULES}/{}/{name}", kernel.version))?;
    let Some(entry) = kernel.modules.get(&path) else { return Ok(None) };
    let Kind::File(content) = &entry.kind else { bail!("`{path}` is not a file") };
    Ok(Some(String::from_utf8(content.read()?)?))
}

#[cfg(test)]
mod tests {
    use super::tree;
    use crate::base::kernel::Kernel;
    use xc_store::tree::{Content, Entry, Kind, Tree, TreePath};

    fn kernel(files: &[(&str, &str)]) -> Kernel {
        let mut modules = Tree::new();
        for (path, text) in files {
            let path = TreePath::new(format!("usr/lib/modules/6/{path}")).unwrap();
            modules.insert(path, Entry::file(0o644, *text));
        }
        Kernel { image: Content::bytes("k"), version: "6".to_owned(), modules }
    }

    fn list(kernel: &Kernel, name: &str) -> String {
        let tree = tree(kernel, &Content::bytes("busybox")).unwrap();
        match &tree.get(&TreePath::new(name).unwrap()).unwrap().kind {
            Kind::File(content) => String::from_utf8(content.read().unwrap()).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn modules_are_listed_in_order_and_builtin_ones_are_not() {
        let kernel = kernel(&[
            (
                "modules.dep",
                "kernel/isofs.ko: kernel/cdrom.ko\nkernel/cdrom.ko:\nkernel/overlay.ko:\nkernel/ext4.ko: kernel/jbd2.ko kernel/cdrom.ko\nkernel/jbd2.ko:\n",
            ),
            (
                "modules.builtin",
                "a/virtio_pci.ko\na/virtio_blk.ko\na/virtio_rng.ko\na/virtio_console.ko\na/virtio_net.ko\n",
            ),
            ("kernel/isofs.ko", "1"),
            ("kernel/cdrom.ko", "2"),
            ("kernel/overlay.ko", "3"),
            ("kernel/ext4.ko", "4"),
            ("kernel/jbd2.ko", "5"),
        ]);
        assert_eq!(list(&kernel, "modules"), "cdrom.ko\nisofs.ko\noverlay.ko\n");
        assert_eq!(list(&kernel, "modules.disk"), "jbd2.ko\next4.ko\n");
    }

    #[test]
    fn a_kernel_without_modules_gets_none() {
        assert_eq!(list(&kernel(&[]), "modules"), "");
    }
}
