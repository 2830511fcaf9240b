//! The overlays and templates that are embedded in the binary.
//!
//! They are written out once, to a directory of the store by their digest, since scripts, links
//! and `ovld` need paths. The name has the content's digest, so that another xcbuild has another
//! directory; it appears by one rename, so that it is there whole or not at all.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fs_err as fs;

use xc_store::key::Digest;
use xc_store::store::{Directory, StoreLayout};

/// A part of the repository that is embedded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Embedded {
    /// `ovl/`: a directory per overlay.
    Overlays,
    /// `templates/`: a directory per template.
    Templates,
}

impl Embedded {
    fn tar(self) -> &'static [u8] {
        match self {
            Self::Overlays => include_bytes!(concat!(env!("OUT_DIR"), "/ovl.tar")),
            Self::Templates => include_bytes!(concat!(env!("OUT_DIR"), "/templates.tar")),
        }
    }

    /// The directory with the content, in that store; written if it isn't there yet.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn directory(self, store: &StoreLayout) -> Result<PathBuf> {
        let tar = self.tar();
        let name = &Digest::of(tar).to_string()[..16];
        let path = store.directory(Directory::Embedded).join(name);
        if !path.is_dir() {
            write_out(tar, &path)
                .with_context(|| format!("can't write our own files to `{}`", path.display()))?;
        }
        Ok(path)
    }
}

fn write_out(tar: &[u8], path: &Path) -> Result<()> {
    let parent = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent)?;
    let half = tempfile::Builder::new().prefix(".tmp-").tempdir_in(parent)?;
    let mut archive = tar::Archive::new(tar);
    archive.set_preserve_permissions(true);
    let content = half.path().join("content");
    archive.unpack(&content)?;
    match fs::rename(&content, path) {
        // Another xcbuild was quicker, with the same content.
        Err(e) if e.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
        other => Ok(other?),
    }
}

#[cfg(test)]
mod tests {
    use super::{Directory, Embedded, StoreLayout};

    #[test]
    fn written_once_with_modes() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let store = StoreLayout::new(dir.path());
        let overlays = Embedded::Overlays.directory(&store).unwrap();
        let mode = |p: &str| std::fs::metadata(overlays.join(p)).unwrap().permissions().mode();
        assert_eq!(mode("iptools/ovl.toml") & 0o777, 0o644);
        assert_eq!(mode("iptools/default/bin/iptools_test") & 0o777, 0o755);
        assert_eq!(Embedded::Overlays.directory(&store).unwrap(), overlays);
        let names = std::fs::read_dir(store.directory(Directory::Embedded)).unwrap().count();
        assert_eq!(names, 1);
    }
}
