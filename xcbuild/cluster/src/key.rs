//! Who gets into the nodes of a cluster by ssh: whoever reaches them, or who has the cluster's key.
//!
//! Ports on loopback are out of reach for other hosts, and in reach for all users of this one. So a
//! cluster has a key of its own, in its run directory, which is its owner's alone. The nodes learn
//! the public half from the kernel command line (`xc.key=`); they then take nobody without it, and
//! no telnet. Only where scripts call plain `ssh root@…`, as the contract has it, nodes are open.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::RunDir;
use xc_sys::exec::Exec;

/// How a key of that kind begins in the public half; nodes put it before what `xc.key=` says.
const KIND: &str = "ssh-ed25519 ";

/// Who gets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Whoever reaches a node's port, without a password.
    Open,
    /// Who has the cluster's key.
    Key,
}

/// The private half of a cluster's key.
pub(super) fn path(run: &RunDir) -> PathBuf {
    run.path().join("key")
}

/// Makes a cluster's key and gives what identifies the public half.
///
/// # Errors
/// When `ssh-keygen` is missing or fails.
pub(super) fn make(run: &RunDir) -> Result<String> {
    let path = path(run);
    let exec = Exec::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"]);
    exec.arg(&path)
        .output()
        .context("can't make the cluster's ssh key (--access=open needs none)")?;
    let file = path.with_extension("pub");
    let public = fs_err::read_to_string(&file)?;
    fs_err::remove_file(file)?;
    let rest = public.strip_prefix(KIND).and_then(|rest| rest.split_whitespace().next());
    Ok(rest.context("ssh-keygen wrote no ed25519 key")?.to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use xc_report::Reporter;

    use super::{RunDir, make, path};

    #[test]
    fn keys_are_their_owners_alone_and_never_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let [one, other] = ["a", "b"].map(|name| {
            let run = RunDir::new(dir.path(), &name.parse().unwrap(), &Reporter::silent()).unwrap();
            run.create().unwrap();
            let key = make(&run).unwrap();
            let mode = std::fs::metadata(path(&run)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            key
        });
        assert_ne!(one, other);
        // What the kernel's command line carries as it is.
        assert!(one.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b)), "{one}");
    }
}
