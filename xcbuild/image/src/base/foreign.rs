//! Running programs of a tree, on the host, without installing them.
//!
//! A tree's program is started by the tree's own dynamic loader with the tree's libraries, so that
//! neither the program nor its libraries have to be on the host (only its kernel and processor have
//! to fit). What the program reads and writes is put into a work directory first, and that is all
//! that are passed to it; no root is needed.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use fs_err as fs;

use xc_store::tree::{Entry, Kind, Tree, TreePath};
use xc_sys::exec::Exec;

/// The dynamic loader of Debian's amd64, in a usr-merged tree.
const LOADER: &str = "usr/lib64/ld-linux-x86-64.so.2";
/// Where its libraries are.
pub(crate) const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";

/// A part of a tree, on disk.
#[derive(Debug)]
pub(crate) struct Sandbox {
    directory: tempfile::TempDir,
}

impl Sandbox {
    /// Writes the parts of a tree that are named (files, or directories with all below them).
    ///
    /// # Errors
    /// A part that isn't there; what the disk says.
    pub(crate) fn new(directory: tempfile::TempDir, tree: &Tree, parts: &[&str]) -> Result<Self> {
        let sandbox = Self { directory };
        for top in ["bin", "lib", "lib64", "sbin"] {
            symlink(format!("usr/{top}"), sandbox.path(top))?;
        }
        for part in parts.iter().chain(&[LOADER, LIBRARIES]) {
            let path = TreePath::new(part)?;
            let entry =
                tree.get(&path).with_context(|| format!("the base tree has no `{part}`"))?;
            sandbox.put(&path, entry)?;
            for (path, entry) in tree.below(&path) {
                sandbox.put(path, entry)?;
            }
        }
        Ok(sandbox)
    }

    /// Where a path of the tree is on disk.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    /// The program of the tree, to be run under that name.
    pub(crate) fn program(&self, path: &str, name: &str) -> Exec {
        Exec::new(self.path(LOADER))
            .arg("--argv0")
            .arg(name)
            .arg("--library-path")
            .arg(self.path(LIBRARIES))
            .arg(self.path(path))
            .env_clear()
            .env("LC_ALL", "C")
    }

    fn put(&self, path: &TreePath, entry: &Entry) -> Result<()> {
        let to = self.path(&path.to_string());
        let failed = || format!("can't write `{path}` of the base tree");
        fs::create_dir_all(to.parent().unwrap_or(Path::new("/")))?;
        match &entry.kind {
            Kind::Directory => fs::create_dir_all(&to)?,
            Kind::File(content) => {
                let mut file = fs::File::create(&to)?;
                std::io::copy(&mut content.reader()?, &mut file).with_context(failed)?;
                fs::set_permissions(&to, std::fs::Permissions::from_mode(entry.mode & 0o777))?;
            }
            Kind::Symlink(target) => {
                let target = String::from_utf8_lossy(target).into_owned();
                // Absolute links would lead to the host.
                let Some(inside) = target.strip_prefix('/') else {
                    return Ok(symlink(target, to)?);
                };
                symlink(self.path(inside), to)?;
            }
            Kind::Hardlink(first) => fs::hard_link(self.path(&first.to_string()), &to)?,
            Kind::Device { .. } | Kind::Fifo => bail!("{}: no device can be made", failed()),
        }
        Ok(())
    }
}
