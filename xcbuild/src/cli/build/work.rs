//! Options of the verbs that build: how much at once, and a record of what ran when.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::settings::{Invocation, WorkSettings};
use crate::timeline::Recording;

/// How a build is done, whatever it builds; nothing of it decides what comes out.
#[derive(Debug, clap::Args)]
pub(crate) struct WorkOptions {
    /// Write what ran when, on which thread and core: a file for chrome://tracing or Perfetto
    #[arg(long, value_name = "FILE")]
    trace_to: Option<PathBuf>,
}

impl WorkOptions {
    /// Sets the number of threads, and records until the result is dropped. Called once, before the
    /// work.
    ///
    /// # Errors
    /// When the number is not valid, or the file can't be written.
    pub(crate) fn begin(&self, invocation: &Invocation) -> Result<Recording> {
        if let Some(number) = invocation.read::<WorkSettings>()?.jobs {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(number);
            pool.build_global().context("can't start the threads of --jobs")?;
        }
        Recording::to(self.trace_to.as_deref())
    }
}
