//! Looking at a cluster for longer: until something about it may have changed.

use std::os::fd::BorrowedFd;
use std::time::Instant;

use anyhow::Result;

use super::host::local;
use super::{RunDir, Status};
use xc_vm::process::{Held, ProcessId};

/// Waits until something happens in the cluster's run directory, one of its nodes dies, there is
/// something to read from `input`, or the time is up. Tells whether there is something to read.
///
/// # Errors
/// When the user wants to stop, or the kernel refuses to watch.
pub fn changed(
    run: &RunDir,
    status: &Status,
    input: Option<BorrowedFd<'_>>,
    deadline: Instant,
) -> Result<bool> {
    // Made for each wait: a cluster that is started again has a new directory.
    let (root, own) = (run.root().to_path_buf(), run.path());
    let there: Vec<_> = [&root, &own].into_iter().filter(|d| d.exists()).collect();
    let there: Vec<_> = there.into_iter().map(std::path::PathBuf::as_path).collect();
    let watch = local().watch(&there)?;
    let pids = status.nodes.iter().filter_map(|node| node.pid);
    let held: Vec<Held> =
        pids.filter_map(|pid| ProcessId::of(pid)?.hold().ok().flatten()).collect();
    let inputs: Vec<_> = input.into_iter().collect();
    let readable = watch.wait_with(&held.iter().collect::<Vec<_>>(), &inputs, deadline)?;
    Ok(readable.first() == Some(&true))
}
