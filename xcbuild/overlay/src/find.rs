//! Overlays by the names that people give them.
//!
//! | given | found |
//! |---|---|
//! | `NAME` | the first directory `NAME` on `XCLUSTER_OVLPATH` that is an overlay, then our own |
//! | `.`, `..`, `a/b`, `/a/b` | that directory; the overlay's name is the directory's |
//! | `x.tar`, `a/x.tar.gz` … | that tar file; the overlay's name is the file's without `.tar…` |
//!
//! A directory is an overlay if it has an `ovl.toml` or an executable `tar`; with both, the
//! manifest counts.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use super::manifest::FILE_NAME;
use xc_report::suggest::did_you_mean;

/// The name of an overlay's script.
pub const SCRIPT_NAME: &str = "tar";
/// How tar files end; the compression is found out by looking into the file.
const TAR_ENDINGS: &[&str] =
    &[".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".txz", ".tar.zst"];

/// What an overlay is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A directory with an `ovl.toml`.
    Manifest(PathBuf),
    /// A directory with an executable `tar`.
    Script(PathBuf),
    /// A tar file.
    Tar(PathBuf),
}

impl Source {
    /// The directory or the file.
    pub fn path(&self) -> &Path {
        match self {
            Self::Manifest(path) | Self::Script(path) | Self::Tar(path) => path,
        }
    }

    fn of_directory(directory: &Path) -> Option<Self> {
        let script = directory.join(SCRIPT_NAME);
        let executable = || rustix::fs::access(&script, rustix::fs::Access::EXEC_OK).is_ok();
        if directory.join(FILE_NAME).is_file() {
            Some(Self::Manifest(directory.to_path_buf()))
        } else if script.is_file() && executable() {
            Some(Self::Script(directory.to_path_buf()))
        } else {
            None
        }
    }
}

/// An overlay that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlay {
    /// Its name, which becomes part of a file name in the ISO.
    pub name: String,
    /// What it is made of.
    pub source: Source,
}

/// Why a name is not an overlay.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// Nothing of that name is anywhere.
    #[error("there is no overlay `{name}`{hint}\n  looked in: {}", listed(directories))]
    Unknown {
        /// As it was given.
        name: String,
        /// The name that was probably meant, as a part of the message.
        hint: String,
        /// Where it could have been.
        directories: Vec<PathBuf>,
    },
    /// It is there, and is not an overlay.
    #[error(
        "`{}` is not an overlay: it has neither an `ovl.toml` nor an executable `tar`; `xcbuild mkovl` makes a new one",
        .0.display()
    )]
    Not(PathBuf),
    /// It can't be looked at.
    #[error("can't look for the overlay `{name}`")]
    Io {
        /// As it was given.
        name: String,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

fn listed(directories: &[PathBuf]) -> String {
    directories.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// Where overlays are looked for.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// Directories with overlays, the first hit wins; our own come last.
    pub directories: Vec<PathBuf>,
    /// What relative paths start from.
    pub current: PathBuf,
}

/// A path from the root on, without `.` and without slashes that say nothing.
pub fn from_root(current: &Path, path: &Path) -> PathBuf {
    current.join(path).components().collect()
}

impl Search {
    /// A search in those directories, which may be given from the current directory.
    pub fn new(directories: impl IntoIterator<Item = PathBuf>, current: &Path) -> Self {
        let directories =
            directories.into_iter().map(|directory| from_root(current, &directory)).collect();
        Self { directories, current: current.to_path_buf() }
    }

    /// The overlay of a name or path.
    ///
    /// # Errors
    /// [`FindError`] if there is none.
    pub fn find(&self, given: &str) -> Result<Overlay, FindError> {
        if given.contains('/') || given == "." || given == ".." {
            return self.at_path(given);
        }
        let mut empty = None;
        for directory in self.directories.iter().map(|p| p.join(given)) {
            match Source::of_directory(&directory) {
                Some(source) => return Ok(Overlay { name: given.to_owned(), source }),
                None if directory.is_dir() => empty = empty.or(Some(directory)),
                None => {}
            }
        }
        if tar_stem(given).is_some() && self.current.join(given).is_file() {
            return self.at_path(given);
        }
        Err(empty.map_or_else(|| self.unknown(given), FindError::Not))
    }

    fn at_path(&self, given: &str) -> Result<Overlay, FindError> {
        let failed = |source| FindError::Io { name: given.to_owned(), source };
        let path = match self.current.join(given).canonicalize() {
            Ok(path) => path,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(self.unknown(given)),
            Err(e) => return Err(failed(e)),
        };
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or("root");
        if path.is_file() {
            let Some(stem) = tar_stem(name) else { return Err(FindError::Not(path)) };
            return Ok(Overlay { name: stem.to_owned(), source: Source::Tar(path) });
        }
        match Source::of_directory(&path) {
            Some(source) => Ok(Overlay { name: name.to_owned(), source }),
            None => Err(FindError::Not(path)),
        }
    }

    fn unknown(&self, given: &str) -> FindError {
        let known = self.all();
        let hint = did_you_mean(given, known.iter().map(|o| o.name.as_str()));
        let directories = if given.contains('/') {
            vec![self.current.join(given)]
        } else {
            self.directories.clone()
        };
        FindError::Unknown { name: given.to_owned(), hint, directories }
    }

    /// All overlays that a name finds, by name. Places that can't be read have none.
    pub fn all(&self) -> Vec<Overlay> {
        let mut all = std::collections::BTreeMap::new();
        for place in &self.directories {
            let entries = std::fs::read_dir(place).into_iter().flatten().flatten();
            for path in entries.map(|e| e.path()) {
                let name = path.file_name().and_then(OsStr::to_str).map(str::to_owned);
                if let (Some(name), Some(source)) = (name, Source::of_directory(&path)) {
                    all.entry(name.clone()).or_insert(Overlay { name, source });
                }
            }
        }
        all.into_values().collect()
    }
}

fn tar_stem(name: &str) -> Option<&str> {
    TAR_ENDINGS.iter().find_map(|ending| name.strip_suffix(ending)).filter(|stem| !stem.is_empty())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use super::{FindError, Search, Source};

    fn overlay(place: &Path, name: &str, file: &str, mode: u32) {
        std::fs::create_dir_all(place.join(name)).unwrap();
        let path = place.join(name).join(file);
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    }

    /// Two directories: `a` with one, both; `b` with one, script, half, and a directory that is none.
    fn search() -> (tempfile::TempDir, Search) {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        overlay(&a, "one", "ovl.toml", 0o644);
        overlay(&a, "both", "ovl.toml", 0o644);
        overlay(&a, "both", "tar", 0o755);
        overlay(&b, "one", "ovl.toml", 0o644);
        overlay(&b, "script", "tar", 0o755);
        overlay(&b, "half", "tar", 0o644);
        std::fs::write(dir.path().join("x.tar.gz"), "").unwrap();
        let search = Search { directories: vec![a, b], current: dir.path().to_path_buf() };
        (dir, search)
    }

    #[test]
    fn names_paths_and_tars_are_found() {
        let (dir, search) = search();
        let at = |p: &str| dir.path().canonicalize().unwrap().join(p);
        for (given, name, source) in [
            ("one", "one", Source::Manifest(dir.path().join("a/one"))),
            ("both", "both", Source::Manifest(dir.path().join("a/both"))),
            ("script", "script", Source::Script(dir.path().join("b/script"))),
            ("./b/one", "one", Source::Manifest(at("b/one"))),
            ("b/script/../one/", "one", Source::Manifest(at("b/one"))),
            ("x.tar.gz", "x", Source::Tar(at("x.tar.gz"))),
        ] {
            let found = search.find(given).unwrap();
            assert_eq!((found.name.as_str(), found.source), (name, source), "{given}");
        }
        let here = Search { current: at("b/script"), ..search };
        assert_eq!(here.find(".").unwrap().name, "script");
        let names: Vec<_> = here.all().into_iter().map(|o| o.name).collect();
        assert_eq!(names, ["both", "one", "script"]);
    }

    #[test]
    fn unknown_names_get_a_hint_and_the_places() {
        let (dir, search) = search();
        let message = |given: &str| {
            let text = search.find(given).unwrap_err().to_string();
            text.replace(dir.path().to_str().unwrap(), "DIR")
        };
        insta::assert_snapshot!(message("scrpt"), @r"
    there is no overlay `scrpt`; did you mean `script`?
      looked in: DIR/a, DIR/b
    ");
        insta::assert_snapshot!(message("kubernetes"), @r"
    there is no overlay `kubernetes`
      looked in: DIR/a, DIR/b
    ");
        insta::assert_snapshot!(message("./nowhere"), @r"
    there is no overlay `./nowhere`
      looked in: DIR/./nowhere
    ");
        insta::assert_snapshot!(message("half"), @"`DIR/b/half` is not an overlay: it has neither an `ovl.toml` nor an executable `tar`; `xcbuild mkovl` makes a new one");
        assert!(matches!(search.find("/dev/null").unwrap_err(), FindError::Not(_)));
    }
}
