//! Where a cluster's files are, and who may touch them. The picture is in the crate's page; for the
//! locks see [`super::lock`].

use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use fs_err as fs;

use crate::ClusterName;
use xc_report::Reporter;
use xc_sys::lock::Lock;
use xc_topology::address::NodeId;
use xc_vm::command::Paths;

/// The run directory of one cluster; it need not exist.
#[derive(Debug, Clone)]
pub struct RunDir {
    root: PathBuf,
    name: ClusterName,
    reporter: Reporter,
}

impl PartialEq for RunDir {
    fn eq(&self, other: &Self) -> bool {
        (&self.root, &self.name) == (&other.root, &other.name)
    }
}

impl Eq for RunDir {}

impl RunDir {
    /// The directory of the cluster of that name below `root`.
    ///
    /// # Errors
    /// When the current directory, from which `root` may start, is not known.
    pub fn new(root: &Path, name: &ClusterName, reporter: &Reporter) -> Result<Self> {
        let root = std::path::absolute(root).context("can't tell where the run directory is")?;
        Ok(Self { root, name: name.clone(), reporter: reporter.clone() })
    }

    /// The directories of all clusters below `root`.
    ///
    /// # Errors
    /// When `root` is there and can't be read.
    pub fn all(root: &Path, reporter: &Reporter) -> Result<Vec<Self>> {
        let entries = match fs::read_dir(root) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let directories = entries.flatten().filter(|e| e.path().is_dir());
        let names = directories.filter_map(|e| e.file_name().into_string().ok());
        let mut all: Vec<_> =
            names.filter_map(|name| Self::new(root, &name.parse().ok()?, reporter).ok()).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// The directories of all clusters in the same place, this one among them if it is there.
    ///
    /// # Errors
    /// As for [`RunDir::all`].
    pub fn of_all_clusters(&self) -> Result<Vec<Self>> {
        Self::all(&self.root, &self.reporter)
    }

    /// The cluster's name.
    pub fn name(&self) -> &ClusterName {
        &self.name
    }

    /// Whom waits are reported to.
    pub(crate) fn reporter(&self) -> &Reporter {
        &self.reporter
    }

    /// What the directories of all clusters of the user are in.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The directory itself.
    pub fn path(&self) -> PathBuf {
        self.root.join(self.name.as_str())
    }

    /// The state file.
    pub fn state_file(&self) -> PathBuf {
        self.path().join("state.json")
    }

    /// The DNS proxy's pid file; by its path in the command line the proxy is found.
    pub fn dns_pid_file(&self) -> PathBuf {
        self.path().join("dns.pid")
    }

    /// The files of a node.
    pub fn node(&self, node: NodeId, logs: &Path) -> Paths {
        let file = |kind: &str| self.path().join(format!("{:03}.{kind}", node.number()));
        Paths {
            console: file("console"),
            console_log: logs.join(format!("{node}.console.log")),
            agent_log: file("agent"),
            qmp: file("qmp"),
        }
    }

    /// Makes the directory, for its owner alone.
    ///
    /// # Errors
    /// When it can't be made, or what is there belongs to another user.
    pub fn create(&self) -> Result<()> {
        private_directory(&self.root)?;
        private_directory(&self.path())
    }

    /// Removes the directory and all that is in it; it need not exist.
    ///
    /// # Errors
    /// When something in it can't be removed.
    pub fn remove(&self) -> Result<()> {
        match fs::remove_dir_all(self.path()) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            result => Ok(result?),
        }
    }

    /// Keeps other clusters of the user from choosing ports meanwhile.
    ///
    /// # Errors
    /// When the lock file can't be made.
    pub fn lock_ports(&self) -> Result<Lock> {
        private_directory(&self.root)?;
        Ok(Lock::exclusive(&self.root.join("ports.lock"), &self.reporter)?)
    }
}

/// Makes a directory that no other user may enter; one that is there must be ours.
pub(super) fn private_directory(path: &Path) -> Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    match std::fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => return Ok(()),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        Err(e) => return Err(e).with_context(|| format!("can't make `{}`", path.display())),
    }
    let there = fs::symlink_metadata(path)?;
    if !there.is_dir() || there.uid() != rustix::process::geteuid().as_raw() {
        bail!(
            "`{}` is not a directory of ours; remove it, or set XDG_RUNTIME_DIR to a directory of your own",
            path.display()
        );
    }
    if there.mode() & 0o077 != 0 {
        fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
    use xc_report::Reporter;

    use super::RunDir;

    #[test]
    fn directories_are_private_and_ours() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("deep/xcbuild");
        std::fs::create_dir_all(&root).unwrap();
        std::fs::set_permissions(&root, PermissionsExt::from_mode(0o755)).unwrap();
        let run = RunDir::new(&root, &"c".parse().unwrap(), &Reporter::silent()).unwrap();
        run.create().unwrap();
        run.create().unwrap();
        for path in [root.clone(), run.path()] {
            assert_eq!(std::fs::metadata(path).unwrap().mode() & 0o777, 0o700);
        }
        assert_eq!(RunDir::all(&root, &Reporter::silent()).unwrap(), [run]);

        symlink(dir.path(), root.join("link")).unwrap();
        let error = RunDir::new(&root, &"link".parse().unwrap(), &Reporter::silent())
            .unwrap()
            .create()
            .unwrap_err();
        assert!(error.to_string().contains("is not a directory of ours"), "{error}");
    }
}
