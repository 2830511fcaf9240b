//! Options of the verbs that build: how much at once, and a record of what ran when.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::settings::Variables;
use crate::timeline::Recording;

/// More threads than that help nobody.
const JOBS_MAX: usize = 1024;

/// How a build is done, whatever it builds; nothing of it decides what comes out.
#[derive(Debug, clap::Args)]
pub struct WorkOptions {
    /// How many things to do at once [default: one for each core]
    #[arg(long, short, value_name = "N")]
    jobs: Option<String>,
    /// Write what ran when, on which thread and core: a file for chrome://tracing or Perfetto
    #[arg(long, value_name = "FILE")]
    trace_to: Option<PathBuf>,
}

impl WorkOptions {
    /// Sets the number of threads, and records until the result is dropped. Called once, before the
    /// work.
    ///
    /// # Errors
    /// When the number is none, or the file can't be written.
    pub fn begin(&self, variables: &Variables) -> Result<Recording> {
        if let Some(text) = self.jobs.as_deref().or(variables.get("__jobs")) {
            let number = text.parse().ok().filter(|n| (1..=JOBS_MAX).contains(n));
            let Some(number) = number else {
                bail!("--jobs={text}: a number from 1 to {JOBS_MAX} is expected");
            };
            let pool = rayon::ThreadPoolBuilder::new().num_threads(number);
            pool.build_global().context("can't start the threads of --jobs")?;
        }
        Recording::to(self.trace_to.as_deref())
    }
}
