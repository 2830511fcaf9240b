//! The contract's helpers of `tar` scripts: `install_prog`, `cplib`, `libs`, `cploader`.
//!
//! Programs go to `DEST/bin`, libraries to their own paths under DEST, less those that the base
//! image has, as a list of paths says.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fs_err as fs;

use super::{Closure, Directories, closure};

/// Where helpers copy to, and what they need not copy.
#[derive(Debug, Clone)]
pub struct Destination<'a> {
    /// The root of the tree that is being made.
    pub directory: &'a Path,
    /// A file with the paths that the base image has, a line each. One that isn't there says that
    /// it has none.
    pub base_libraries: Option<&'a Path>,
}

impl Destination<'_> {
    fn base(&self) -> Result<BTreeSet<PathBuf>> {
        let Some(file) = self.base_libraries else { return Ok(BTreeSet::new()) };
        match fs::read_to_string(file) {
            Ok(text) => Ok(text.lines().map(|l| Path::new("/").join(l.trim())).collect()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(BTreeSet::new()),
            Err(e) => Err(e.into()),
        }
    }

    /// Copies programs to `bin`, and the libraries they need.
    ///
    /// # Errors
    /// When something can't be read or written.
    pub fn programs(&self, programs: &[PathBuf]) -> Result<Closure> {
        let bin = self.directory.join("bin");
        fs::create_dir_all(&bin)?;
        for program in programs {
            let name = program.file_name().context("a program without a name")?;
            copy(program, &bin.join(name))?;
        }
        self.libraries(programs)
    }

    /// Copies the libraries that files need, to their own paths.
    ///
    /// # Errors
    /// When something can't be read or written.
    pub fn libraries(&self, files: &[PathBuf]) -> Result<Closure> {
        let base = self.base()?;
        let needed = closure(files, &Directories::of_host())?;
        for library in &needed.libraries {
            // `/lib` and `/usr/lib` are one where the base is usr-merged.
            let merged = Path::new("/usr").join(library.strip_prefix("/")?);
            if !base.contains(library) && !base.contains(&merged) {
                self.place(library)?;
            }
        }
        Ok(needed)
    }

    /// Copies a file to its own path.
    ///
    /// # Errors
    /// When it can't be read or written.
    pub fn place(&self, file: &Path) -> Result<()> {
        Ok(copy(file, &self.directory.join(file.strip_prefix("/")?))?)
    }
}

/// Copies what a path leads to; modes stay.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(xc_sys::files::parent(to))?;
    fs::copy(from, to).map(drop)
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::Destination;

    #[test]
    fn programs_come_with_libraries_less_those_of_the_base() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().join("base");
        let ls = [PathBuf::from("/bin/ls")];
        let all = dir.path().join("all");
        let whole = Destination { directory: &all, base_libraries: None };
        let needed = whole.programs(&ls).unwrap();
        assert!(all.join("bin/ls").is_file());
        let under = |root: &Path, library: &Path| root.join(library.strip_prefix("/").unwrap());
        assert!(needed.libraries.iter().all(|l| under(&all, l).is_file()));

        let libc = needed.libraries.iter().find(|l| l.ends_with("libc.so.6")).unwrap();
        std::fs::write(&base, format!("{}\n", libc.display())).unwrap();
        let less = dir.path().join("less");
        let part = Destination { directory: &less, base_libraries: Some(&base) };
        part.programs(&ls).unwrap();
        for library in &needed.libraries {
            assert_eq!(under(&less, library).exists(), library != libc, "{}", library.display());
        }
    }
}
