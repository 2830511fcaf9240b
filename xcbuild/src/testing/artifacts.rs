//! What is kept of a test run, for those who ask later why.
//!
//! ```text
//! DIR/<cluster>/
//!   junit.xml            what came of the cases, as JUnit XML
//!   topology.json        the resolved topology: networks, nodes, addresses
//!   status.json          the cluster as it was at the end
//!   settings             the settings it was started with, as `xcbuild env` prints them
//!   logs/                consoles, qemus' own words, the DNS proxy's log
//!   cases/OVL/CASE.vm-001.log     what each case wrote
//!   cases/OVL/CASE.pcapng         the frames of the networks from its begin to its end
//! ```
//!
//! OVL and CASE are names as forms encode them: `goes+on`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fs_err as fs;

use super::Outcome;
use xc_sys::files::write_atomic;

/// The directory for what is kept of one cluster.
#[derive(Debug, Clone)]
pub(crate) struct Artifacts(PathBuf);

impl Artifacts {
    /// Makes the directory of a cluster.
    ///
    /// # Errors
    /// When it can't be made.
    pub(crate) fn create(root: &Path, cluster: &str) -> Result<Self> {
        let path = root.join(cluster);
        fs::create_dir_all(&path).context("can't make the directory of --artifacts")?;
        Ok(Self(path))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Keeps a text under a name.
    ///
    /// # Errors
    /// When it can't be written.
    pub(crate) fn text(&self, name: &str, text: &str) -> Result<()> {
        let path = self.0.join(name);
        Ok(write_atomic(&path, text.as_bytes())?)
    }

    /// Keeps what a case wrote.
    ///
    /// # Errors
    /// When it can't be written.
    pub(crate) fn outcome(&self, outcome: &Outcome) -> Result<()> {
        let node = outcome.node.map_or(String::new(), |node| format!(".{node}"));
        let name = format!("{}{node}.log", of_case(&outcome.overlay, &outcome.case));
        let reason = outcome.verdict.reason();
        let head = if reason.is_empty() { String::new() } else { format!("# {reason}\n") };
        self.text(&name, &(head + &outcome.output))
    }

    /// The path for the frames of a case; its directory is made.
    ///
    /// # Errors
    /// When that can't be.
    pub(crate) fn frames(&self, overlay: &str, case: &str) -> Result<PathBuf> {
        let path = self.0.join(format!("{}.pcapng", of_case(overlay, case)));
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        Ok(path)
    }

    /// Keeps the logs of a cluster.
    ///
    /// # Errors
    /// When they can't be read or written.
    pub(crate) fn logs(&self, from: &Path) -> Result<()> {
        let to = self.0.join("logs");
        fs::create_dir_all(&to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                fs::copy(entry.path(), to.join(entry.file_name()))?;
            }
        }
        Ok(())
    }
}

/// How the names of a case's files begin.
fn of_case(overlay: &str, case: &str) -> String {
    format!("cases/{}/{}", plain(overlay), plain(case))
}

/// A name as part of a path: no two names give the same. A space is `+`, other signs are escaped by `%`
/// and two hexadecimal digits a byte, as in forms (HTML's application/x-www-form-urlencoded). So is a
/// point: the first one ends the name.
fn plain(name: &str) -> String {
    let mut path = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            ' ' => path.push('+'),
            c if c.is_alphanumeric() || "-_".contains(c) => path.push(c),
            c => {
                let mut bytes = [0; 4];
                let bytes = c.encode_utf8(&mut bytes).bytes();
                path.extend(bytes.map(|byte| format!("%{byte:02X}")));
            }
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::{Artifacts, plain};
    use crate::testing::{Outcome, Verdict};
    use xc_topology::address::NodeId;

    #[test]
    fn each_name_has_a_path_of_its_own() {
        let rows = [
            ("a b", "a+b"),
            ("a_b", "a_b"),
            ("a+b", "a%2Bb"),
            ("a/b", "a%2Fb"),
            ("a%2Fb", "a%252Fb"),
            ("..", "%2E%2E"),
            ("a.vm-001", "a%2Evm-001"),
            ("ü – 1", "ü+%E2%80%93+1"),
        ];
        for (name, expected) in rows {
            assert_eq!(plain(name), expected);
        }
    }

    #[test]
    fn what_is_kept_stays_in_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        let kept = Artifacts::create(dir.path(), "c").unwrap();
        let failed = Verdict::Failed("exit code 1, not 0".into());
        let mut outcome = Outcome::without_run("o", "a/b", NodeId::new(201), failed);
        outcome.output = "no route\n".into();
        kept.outcome(&outcome).unwrap();
        let log = std::fs::read_to_string(dir.path().join("c/cases/o/a%2Fb.vm-201.log")).unwrap();
        assert_eq!(log, "# exit code 1, not 0\nno route\n");
        std::fs::create_dir_all(dir.path().join("from/sub")).unwrap();
        std::fs::write(dir.path().join("from/vm-001.console.log"), "login:").unwrap();
        kept.logs(&dir.path().join("from")).unwrap();
        assert!(dir.path().join("c/logs/vm-001.console.log").exists());
    }
}
