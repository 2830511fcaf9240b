//! The files of `templates/base/`, which are in the binary: `root/` for the root tree,
//! `initramfs/` for what runs before it.
//!
//! An embedded file has no mode. What starts with `#!` is a program (0755), the rest is not (0644).

use anyhow::Result;
use include_dir::{Dir, DirEntry, include_dir};

use xc_store::key::{Digest, Hasher};
use xc_store::tree::{self, Entry, Tree, TreePath};

static TEMPLATES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../templates/base");

/// Empty directories that a root has; mounts and programs expect them.
const DIRECTORIES: &[(&str, u32)] = &[
    ("dev", 0o755),
    ("mnt", 0o755),
    ("opt", 0o755),
    ("proc", 0o555),
    ("root", 0o700),
    ("run", 0o755),
    ("srv", 0o755),
    ("sys", 0o555),
    ("tmp", 0o1777),
    ("usr/bin", 0o755),
    ("usr/lib", 0o755),
    ("usr/lib64", 0o755),
    ("usr/local/bin", 0o755),
    ("usr/local/sbin", 0o755),
    ("usr/sbin", 0o755),
    ("var/cache", 0o755),
    ("var/lib", 0o755),
    ("var/log", 0o755),
    ("var/log/dumps", 0o1777),
    ("var/tmp", 0o1777),
];
/// Links that a root has: usr-merged, and run-time state in one place.
const LINKS: &[(&str, &str)] = &[
    ("bin", "usr/bin"),
    ("lib", "usr/lib"),
    ("lib64", "usr/lib64"),
    ("sbin", "usr/sbin"),
    ("dev/fd", "/proc/self/fd"),
    ("dev/stderr", "fd/2"),
    ("dev/stdin", "fd/0"),
    ("dev/stdout", "fd/1"),
    ("etc/mtab", "../proc/self/mounts"),
    ("usr/libexec/sftp-server", "../lib/openssh/sftp-server"),
    ("var/lock", "../run/lock"),
    ("var/run", "../run"),
];

/// The directories and links of every root, which packages are put upon.
///
/// # Errors
/// None that the lists can give.
pub(super) fn directories() -> Result<Tree> {
    let mut tree = Tree::new();
    for (path, mode) in DIRECTORIES {
        let mut entry = Entry::directory();
        entry.mode = *mode;
        tree.insert(TreePath::new(path)?, entry);
    }
    for (path, target) in LINKS {
        tree.insert(TreePath::new(path)?, Entry::symlink(*target));
    }
    Ok(tree)
}

/// The root tree's own files.
///
/// # Errors
/// None that the embedded files can give.
pub(super) fn root() -> Result<Tree> {
    let mut tree = Tree::new();
    embedded(&mut tree, "root")?;
    // Directories that files made are as the list has them: this tree comes over others.
    for (path, mode) in DIRECTORIES {
        if let Some(entry) = tree.get_mut(&TreePath::new(path)?) {
            entry.mode = *mode;
        }
    }
    Ok(tree)
}

/// The initramfs's own part.
///
/// # Errors
/// None that the embedded files can give.
pub(super) fn initramfs() -> Result<Tree> {
    let mut tree = Tree::new();
    for path in ["base", "bin", "cdrom", "dev", "l", "proc", "root", "rw", "sys"] {
        tree.insert(TreePath::new(path)?, Entry::directory());
    }
    embedded(&mut tree, "initramfs")?;
    Ok(tree)
}

/// What names the whole skeleton: every path, mode, link and content.
///
/// # Errors
/// None that the embedded files can give.
pub(super) fn digest() -> Result<Digest> {
    let mut hasher = Hasher::default();
    for tree in [directories()?, root()?, initramfs()?] {
        tree::write_tar(&tree, &mut hasher)?;
    }
    Ok(hasher.finish())
}

fn embedded(tree: &mut Tree, top: &str) -> Result<()> {
    let mut waiting: Vec<&Dir<'_>> = TEMPLATES.get_dir(top).into_iter().collect();
    while let Some(directory) = waiting.pop() {
        for entry in directory.entries() {
            match entry {
                DirEntry::Dir(d) => waiting.push(d),
                DirEntry::File(file) => {
                    let path = file.path().strip_prefix(top)?.to_string_lossy().into_owned();
                    let mode = if file.contents().starts_with(b"#!") { 0o755 } else { 0o644 };
                    tree.insert(TreePath::new(path)?, Entry::file(mode, file.contents()));
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{directories, initramfs, root};
    use xc_store::tree::{Entry, Kind, Tree, TreePath};
    use xc_sys::exec::Exec;

    fn mode(tree: &Tree, path: &str) -> Option<u32> {
        tree.get(&TreePath::new(path).unwrap()).map(|e| e.mode)
    }

    #[test]
    fn programs_are_executable_and_directories_are_there() {
        let (root, directories) = (root().unwrap(), directories().unwrap());
        for (tree, path, expected) in [
            (&root, "init", 0o755),
            (&root, "etc/init.d/10net.rc", 0o755),
            (&root, "etc/init.d/rcS", 0o755),
            (&root, "etc/passwd", 0o644),
            (&directories, "tmp", 0o1777),
            (&directories, "root", 0o700),
            (&root, "root", 0o700),
            (&root, "root/www/cgi-bin/info", 0o755),
        ] {
            assert_eq!(mode(tree, path), Some(expected), "{path}");
        }
        assert_eq!(mode(&initramfs().unwrap(), "init"), Some(0o755));
    }

    /// A node has no place to show a syntax error.
    #[test]
    fn scripts_parse() {
        for tree in [root().unwrap(), initramfs().unwrap()] {
            for (path, entry) in tree.iter() {
                let Entry { mode: 0o755, kind: Kind::File(content), .. } = entry else { continue };
                let checked =
                    Exec::new("sh").arg("-n").stdin_bytes(content.read().unwrap()).output();
                assert!(checked.is_ok(), "{path}: {checked:?}");
            }
        }
    }
}
