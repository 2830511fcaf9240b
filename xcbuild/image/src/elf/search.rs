//! The directories in which the loader looks when an object doesn't say where.

use std::path::{Path, PathBuf};

use fs_err as fs;

/// Where the loader looks by default.
const BUILT_IN: &[&str] = &["/lib64", "/usr/lib64", "/lib", "/usr/lib"];
/// Files that include each other deeper than that are a circle.
const DEPTH_MAX: usize = 8;

/// Directories in the order in which they are searched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directories(Vec<PathBuf>);

impl Directories {
    /// Those of this machine, by its `/etc/ld.so.conf`.
    pub fn of_host() -> Self {
        let mut directories = Vec::new();
        configured(Path::new("/etc/ld.so.conf"), &mut directories, 0);
        directories.extend(BUILT_IN.iter().map(PathBuf::from));
        Self(directories)
    }

    /// These directories.
    pub fn new(directories: Vec<PathBuf>) -> Self {
        Self(directories)
    }

    /// The directories.
    pub fn iter(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().map(PathBuf::as_path)
    }
}

/// Adds what a configuration file names. One that can't be read names nothing, as for `ldconfig`.
fn configured(file: &Path, directories: &mut Vec<PathBuf>, depth: usize) {
    let Ok(text) = fs::read_to_string(file) else { return };
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        match line.strip_prefix("include ").map(str::trim) {
            Some(pattern) if depth < DEPTH_MAX => {
                for file in matching(file, pattern) {
                    configured(&file, directories, depth + 1);
                }
            }
            Some(_) => {}
            None if line.starts_with('/') => directories.push(line.into()),
            None => {}
        }
    }
}

/// The files that `DIRECTORY/*ENDING` stands for, in order; other patterns are plain names.
fn matching(from: &Path, pattern: &str) -> Vec<PathBuf> {
    let pattern = from.parent().unwrap_or(Path::new("/")).join(pattern);
    let name = pattern.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    let Some((start, end)) = name.split_once('*') else { return vec![pattern] };
    let directory = pattern.parent().unwrap_or(Path::new("/"));
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let fits = |path: &PathBuf| {
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
    };
    let mut files: Vec<PathBuf> = entries.map(|e| e.path()).filter(fits).collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::configured;

    #[test]
    fn includes_are_followed_in_order_and_circles_end() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            std::fs::write(dir.path().join(name), text).unwrap();
        };
        write("ld.so.conf", "include conf.d/*.conf # comment\n/last\nrelative\n");
        std::fs::create_dir(dir.path().join("conf.d")).unwrap();
        write("conf.d/b.conf", "/b\ninclude ../ld.so.conf\n");
        write("conf.d/a.conf", "# none\n/a\n");
        write("conf.d/a.other", "/other\n");
        let mut found = Vec::new();
        configured(&dir.path().join("ld.so.conf"), &mut found, 0);
        assert_eq!(found[..2], [PathBuf::from("/a"), PathBuf::from("/b")]);
        assert_eq!(found.last(), Some(&PathBuf::from("/last")));
        assert!(!found.contains(&PathBuf::from("/other")));
    }
}
