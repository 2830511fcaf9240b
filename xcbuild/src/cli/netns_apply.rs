//! `xcbuild netns-apply`: for xcbuild itself, in the namespace of a cluster: does the steps that it
//! reads.

use std::io::Read;
use std::process::ExitCode;

use anyhow::{Context, Result};

use xc_cluster::network::Steps;
use xc_net::apply::{apply, undo};

/// Runs the verb.
///
/// # Errors
/// When stdin has no steps, or one fails; what was done is undone then.
pub fn run() -> Result<ExitCode> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("can't read the steps")?;
    let steps: Steps = serde_json::from_str(&text).context("these are no steps")?;
    undo(&steps.undo)?;
    apply(&steps.apply)?;
    Ok(ExitCode::SUCCESS)
}
