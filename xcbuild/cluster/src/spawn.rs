//! Starting processes that outlive us, with a log each.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};

use xc_sys::exec::Exec;
use xc_vm::process::ProcessId;

/// Starts a process that outlives us, and whose sockets only our user may use, with mode 0600. `None`
/// if it has already ended.
pub(super) fn spawn(argv: &[String], log: &Path) -> Result<Option<ProcessId>> {
    let (program, args) = argv.split_first().context("an empty command")?;
    let open = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(log);
    let out = open.with_context(|| format!("can't write `{}`", log.display()))?;
    let err = out.try_clone().with_context(|| format!("can't write `{}`", log.display()))?;
    let child = Exec::new(program).args(args).cwd("/").makes_only_files().detached(out, err)?;
    Ok(i32::try_from(child.id()).ok().and_then(ProcessId::of))
}

/// Removes a file that need not be there.
pub(super) fn remove_if_there(path: &Path) -> Result<()> {
    match fs_err::remove_file(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        result => Ok(result?),
    }
}
