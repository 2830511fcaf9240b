//! Files: publishing in one step.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use fs_err as fs;

/// Writes a file so that readers see the old content or the new one, never a part: a temporary
/// file next to it, synced, then renamed over it. Missing directories are made.
///
/// # Errors
/// Whatever the file system says, with the path.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_with_mode(path, bytes, 0o644)
}

/// As [`write_atomic`], but the file can be executed.
///
/// # Errors
/// As for [`write_atomic`].
pub fn write_program(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_with_mode(path, bytes, 0o755)
}

fn write_with_mode(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let directory = parent(path);
    fs::create_dir_all(directory)?;
    let mut temporary = tempfile::Builder::new()
        .prefix(".tmp-")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))
        .tempfile_in(directory)
        .map_err(|e| with_path(&e, "can't make a temporary file in", directory))?;
    temporary.write_all(bytes).map_err(|e| with_path(&e, "can't write", path))?;
    publish(temporary, path)
}

/// Gives a finished temporary file its name: sync, rename, sync of the directory.
///
/// # Errors
/// Whatever the file system says, with the path.
pub fn publish(temporary: tempfile::NamedTempFile, path: &Path) -> io::Result<()> {
    temporary.as_file().sync_all().map_err(|e| with_path(&e, "can't sync", path))?;
    temporary.persist(path).map_err(|e| with_path(&e.error, "can't write", path))?;
    fs::File::open(parent(path))?.sync_all()
}

/// What was being done when writing failed: for hints, which have to name the right disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writing(pub PathBuf);

impl std::fmt::Display for Writing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "can't write `{}`", self.0.display())
    }
}

/// The directory that a path is in; `.` for a bare name.
pub fn parent(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn with_path(e: &io::Error, what: &str, path: &Path) -> io::Error {
    io::Error::new(e.kind(), format!("{what} `{}`: {e}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::{write_atomic, write_program};

    #[test]
    fn written_files_replace_and_leave_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        write_atomic(&path, b"one").unwrap();
        write_atomic(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(dir.path().join("a")).unwrap().count(), 1);
        let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(), 0o644);
        write_program(&path, b"three").unwrap();
        assert_eq!(mode(), 0o755);
    }

    #[test]
    fn errors_name_the_path() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("d")).unwrap();
        let e = write_atomic(&dir.path().join("d"), b"").unwrap_err();
        assert!(e.to_string().contains("/d`"), "{e}");
    }
}
