//! A tree from a directory on disk.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use anyhow::{Context, Result, bail};
use fs_err as fs;
use rustix::fs::{lgetxattr, llistxattr};
use rustix::io::Errno;
use walkdir::WalkDir;

use super::{Attributes, Content, Entry, Kind, Tree, TreePath, attributes};

/// The most bytes of all names of a file's attributes (`XATTR_LIST_MAX`), and of a value
/// (`XATTR_SIZE_MAX`).
const NAMES_MAX: usize = 65_536;
const VALUE_MAX: usize = 65_536;

/// What becomes of permission bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Modes {
    /// As `git` keeps them: 0755 for directories and what its owner may execute, else 0644. A
    /// checkout's umask then makes no difference.
    Checkout,
    /// As they are on disk, and extended attributes with them.
    Kept,
}

/// Reads a directory's names, kinds, links and modes; everything in it becomes root's. The contents
/// of files stay on disk until they are needed.
///
/// # Errors
/// When something can't be read, or is a socket, which no tar can hold.
pub fn from_directory(directory: &Path, modes: Modes) -> Result<Tree> {
    let mut tree = Tree::new();
    for found in WalkDir::new(directory).min_depth(1).sort_by_file_name() {
        let found = found
            .map_err(io::Error::from)
            .with_context(|| format!("can't read the directory `{}`", directory.display()))?;
        let inside = found.path().strip_prefix(directory)?;
        let path = TreePath::new(inside.as_os_str().as_bytes())?;
        tree.insert(path, entry(found.path(), modes)?);
    }
    Ok(tree)
}

fn entry(path: &Path, modes: Modes) -> Result<Entry> {
    let metadata = fs::symlink_metadata(path)?;
    let kind = metadata.file_type();
    let mode = metadata.mode() & 0o7777;
    let mode = match modes {
        Modes::Kept => mode,
        Modes::Checkout if kind.is_dir() || mode & 0o100 != 0 => 0o755,
        Modes::Checkout => 0o644,
    };
    let kind = if kind.is_dir() {
        Kind::Directory
    } else if kind.is_symlink() {
        return Ok(Entry::symlink(fs::read_link(path)?.as_os_str().as_bytes()));
    } else if kind.is_file() {
        Kind::File(Content::Path { path: path.to_path_buf(), len: metadata.len() })
    } else if kind.is_fifo() {
        Kind::Fifo
    } else if kind.is_block_device() || kind.is_char_device() {
        let (major, minor) =
            (rustix::fs::major(metadata.rdev()), rustix::fs::minor(metadata.rdev()));
        Kind::Device { block: kind.is_block_device(), major, minor }
    } else {
        bail!(
            "`{}` is a socket, which no tar can hold, and layers are tars; remove it",
            path.display()
        );
    };
    let mut entry = Entry::new(mode, kind);
    if modes == Modes::Kept {
        entry.attributes = attributes_of(path)?;
    }
    Ok(entry)
}

/// The paths below a directory that have file capabilities or access lists, which a checkout does
/// not keep.
///
/// # Errors
/// When something can't be read.
pub fn attributed(directory: &Path) -> Result<Vec<TreePath>> {
    let mut paths = Vec::new();
    for found in WalkDir::new(directory).min_depth(1).sort_by_file_name() {
        let found = found.map_err(io::Error::from)?;
        if found.file_type().is_symlink() {
            continue;
        }
        let attributes = attributes_of(found.path())?;
        if attributes.keys().any(|name| !name.starts_with(b"user.")) {
            let inside = found.path().strip_prefix(directory)?;
            paths.push(TreePath::new(inside.as_os_str().as_bytes())?);
        }
    }
    Ok(paths)
}

/// The extended attributes that trees keep. A file system without any has none.
fn attributes_of(path: &Path) -> Result<Attributes> {
    let failed = |e: Errno| {
        let e = io::Error::from(e);
        io::Error::new(e.kind(), format!("the attributes of `{}`: {e}", path.display()))
    };
    let mut names = vec![0; NAMES_MAX];
    let length = match llistxattr(path, &mut names) {
        Err(Errno::OPNOTSUPP) => 0,
        length => length.map_err(failed)?,
    };
    let mut attributes = Attributes::new();
    let names = names[..length].split(|byte| *byte == 0);
    for name in names.filter(|name| attributes::is_kept(name)) {
        let mut value = vec![0; VALUE_MAX];
        let length = lgetxattr(path, name, &mut value).map_err(failed)?;
        value.truncate(length);
        attributes.insert(name.to_vec(), value);
    }
    Ok(attributes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::{Modes, from_directory};
    use crate::tree::{Kind, TreePath};

    #[test]
    fn kinds_links_and_modes_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let at = |p: &str| dir.path().join(p);
        std::fs::create_dir(at("d")).unwrap();
        std::fs::write(at("d/run"), "x").unwrap();
        std::fs::set_permissions(at("d/run"), PermissionsExt::from_mode(0o4700)).unwrap();
        symlink("../nowhere", at("d/link")).unwrap();
        for (modes, mode) in [(Modes::Checkout, 0o755), (Modes::Kept, 0o4700)] {
            let tree = from_directory(dir.path(), modes).unwrap();
            let get = |p: &str| tree.get(&TreePath::new(p).unwrap()).unwrap();
            assert!(get("d").is_directory());
            assert_eq!(get("d/run").mode, mode);
            assert_eq!(get("d/link").kind, Kind::Symlink(b"../nowhere".to_vec()));
        }
    }

    #[test]
    fn attributes_are_kept_unless_it_is_a_checkout() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        let (name, flags) = ("user.note", rustix::fs::XattrFlags::empty());
        rustix::fs::setxattr(&file, name, b"a\0b", flags).unwrap();
        rustix::fs::setxattr(&file, "user.empty", b"", flags).unwrap();
        let attributes = |modes| {
            let tree = from_directory(dir.path(), modes).unwrap();
            tree.get(&TreePath::new("file").unwrap()).unwrap().attributes.clone()
        };
        let kept = attributes(Modes::Kept);
        assert_eq!(kept[&b"user.note"[..]], b"a\0b");
        assert_eq!((kept.len(), attributes(Modes::Checkout).len()), (2, 0));
        assert_eq!(super::attributed(dir.path()).unwrap(), []);
    }

    #[test]
    fn sockets_are_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let _listener = std::os::unix::net::UnixListener::bind(dir.path().join("s")).unwrap();
        let e = from_directory(dir.path(), Modes::Kept).unwrap_err().to_string();
        assert!(e.contains("/s` is a socket"), "{e}");
    }
}
