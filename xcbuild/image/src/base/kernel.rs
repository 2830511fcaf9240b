//! The kernel of the nodes: Debian's, or one that the user has built (`--kbin`, `--kver`).

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use xc_store::key::{Digest, KeyBuilder};
use xc_store::tree::{self, Content, Kind, Modes, Tree, TreePath};

pub(super) use crate::index::MODULES;

/// Which kernel nodes run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum KernelSource {
    /// Debian's cloud kernel, as the lock file pins it.
    #[default]
    Debian,
    /// The user's own.
    Own {
        /// The bootable image (`bzImage`).
        image: PathBuf,
        /// What `uname -r` says.
        version: String,
        /// The installed modules: a directory like `/lib/modules/VERSION`. None for a kernel that
        /// has all it needs built in.
        modules: Option<PathBuf>,
    },
}

/// A kernel with its modules.
#[derive(Debug)]
pub(super) struct Kernel {
    /// The bootable image.
    pub(super) image: Content,
    /// What `uname -r` says.
    pub(super) version: String,
    /// `usr/lib/modules/VERSION/…`, without the lists that depmod makes.
    pub(super) modules: Tree,
}

/// The kernel of the tree of Debian's kernel package.
///
/// # Errors
/// When there isn't exactly one in it.
pub(super) fn from_package(package: &Tree) -> Result<Kernel> {
    let boot = TreePath::new("boot")?;
    let found = package.below(&boot).filter_map(|(path, entry)| {
        let name = String::from_utf8_lossy(path.name()).into_owned();
        let version = name.strip_prefix("vmlinuz-")?.to_owned();
        match &entry.kind {
            Kind::File(content) => Some((version, content.clone())),
            _ => None,
        }
    });
    let found: Vec<(String, Content)> = found.collect();
    let [(version, image)] = found.as_slice() else {
        bail!("the kernel packages have {} kernels in /boot, not one", found.len());
    };
    let modules = TreePath::new(format!("{MODULES}/{version}"))?;
    let mut tree = Tree::new();
    for (path, entry) in package.below(&modules) {
        tree.insert(path.clone(), entry.clone());
    }
    Ok(Kernel { image: image.clone(), version: version.clone(), modules: tree })
}

/// The user's own kernel.
///
/// # Errors
/// When its files can't be read.
pub(super) fn own(image: &PathBuf, version: &str, modules: Option<&PathBuf>) -> Result<Kernel> {
    let len = fs_err::metadata(image).context("the kernel given by --kbin")?.len();
    let mut tree = Tree::new();
    if let Some(directory) = modules {
        let top = TreePath::new(format!("{MODULES}/{version}"))?;
        for (path, mut entry) in tree::from_directory(directory, Modes::Checkout)? {
            // `build` and `source` lead to where the kernel was built, on this host.
            let leads_out = matches!(&entry.kind, Kind::Symlink(t) if t.starts_with(b"/"));
            if let Kind::Hardlink(first) = &mut entry.kind {
                *first = top.join(first)?;
            }
            if !leads_out {
                tree.insert(top.join(&path)?, entry);
            }
        }
    }
    let image = Content::Path { path: image.clone(), len };
    Ok(Kernel { image, version: version.to_owned(), modules: tree })
}

/// What of a user's own kernel goes into the base image's key: the bytes of all its files.
///
/// # Errors
/// When its files can't be read.
pub(super) fn own_digest(kernel: &Kernel) -> Result<Digest> {
    let mut key = KeyBuilder::new("own-kernel").text("version", &kernel.version);
    key = key.digest("image", &Digest::of_reader(kernel.image.reader()?)?.0);
    for (path, entry) in kernel.modules.iter() {
        if let Kind::File(content) = &entry.kind {
            key = key.bytes("path", path.as_bytes());
            key = key.digest("content", &Digest::of_reader(content.reader()?)?.0);
        }
    }
    Ok(*key.finish().digest())
}

#[cfg(test)]
mod tests {
    use super::{from_package, own, own_digest};
    use xc_store::tree::{Entry, Tree, TreePath};

    #[test]
    fn the_package_s_kernel_is_found_with_its_modules() {
        let mut tree = Tree::new();
        let mut put =
            |path: &str| tree.insert(TreePath::new(path).unwrap(), Entry::file(0o644, "x"));
        put("boot/vmlinuz-6.1.0-9");
        put("boot/config-6.1.0-9");
        put("usr/lib/modules/6.1.0-9/kernel/a.ko");
        put("usr/lib/modules/other/kernel/b.ko");
        let kernel = from_package(&tree).unwrap();
        assert_eq!(kernel.version, "6.1.0-9");
        assert_eq!(kernel.modules.iter().filter(|(_, e)| !e.is_directory()).count(), 1);
        tree.insert(TreePath::new("boot/vmlinuz-7").unwrap(), Entry::file(0o644, "x"));
        let error = from_package(&tree).unwrap_err().to_string();
        insta::assert_snapshot!(error, @"the kernel packages have 2 kernels in /boot, not one");
    }

    #[test]
    fn a_change_in_a_module_changes_the_digest() {
        let place = tempfile::tempdir().unwrap();
        let image = place.path().join("bzImage");
        let modules = place.path().join("modules");
        std::fs::create_dir(&modules).unwrap();
        std::fs::write(&image, "kernel").unwrap();
        std::fs::write(modules.join("a.ko"), "1").unwrap();
        let digest = || own_digest(&own(&image, "6.9", Some(&modules)).unwrap()).unwrap();
        let first = digest();
        assert_eq!(first, digest());
        std::fs::write(modules.join("a.ko"), "2").unwrap();
        assert_ne!(first, digest());
    }
}
