//! `tar` scripts: overlays as programs, by the contract of the shell tool.
//!
//! A script is called `tar OUTFILE` in a working directory of its own, with the contract's variables
//! as its whole environment, and writes a tar of what is unpacked on `/`. Its messages go to stderr
//! and are shown when it fails, warnings also when it doesn't; what it prints on stdout is dropped. It is ended with all that it
//! started when the user cancels or its time is up, and what it had written by then is gone with its
//! working directory.
//!
//! It is watched while it runs, and run again only if something changed that it looked at:
//! [`super::trace`].

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use fs_err as fs;

use super::Params;
use super::find::SCRIPT_NAME;
use super::reason::Reason;
use super::trace::{History, RunContext, Watcher, exact_time, file_time, finish, shows};
use super::{merged, tarball};
use xc_report::timeline::span;
use xc_store::store::{BlobRef, Lookup, Outcome, Store};
use xc_store::tree::write_tar;
use xc_sys::exec::{Exec, failure};
use xc_sys::trace::{self, Ended, Options, Watched};

/// When a script is ended that doesn't end by itself.
const TIMEOUT: Duration = Duration::from_secs(30 * 60);
/// The time zone of scripts, without a file of the host.
const TIME_ZONE: &str = "UTC0";

/// How many warnings of one script are passed on.
const WARNINGS_MAX: usize = 10;

/// A script of an overlay.
pub struct Script<'a> {
    /// The overlay's name.
    pub name: &'a str,
    /// Its directory.
    pub directory: &'a Path,
    /// What it is run with.
    pub params: &'a Params,
    /// Where results are.
    pub store: &'a Store,
}

/// A result, and why it can't be used again, if so.
struct Done {
    layer: BlobRef,
    always: Option<String>,
}

impl Script<'_> {
    /// The layer, and why the script was run if it was.
    ///
    /// # Errors
    /// When it can't be run, fails, takes too long or writes no tar.
    pub fn layer(&self) -> Result<(BlobRef, Option<Reason>)> {
        let context = RunContext::of(self.directory, self.params, self.store);
        let history = History::of(self.name, self.directory, self.store);
        if self.params.untraced {
            let done = self.run(&context, &history, false)?;
            return Ok((done.layer, Some(Reason::Always("tracing is off".into()))));
        }
        let find = || {
            let _span = span("verify", self.name);
            Ok(match history.find(&context)? {
                Lookup::Hit(layer) => Lookup::Hit((layer, None)),
                Lookup::Miss(reason) => Lookup::Miss(reason),
            })
        };
        let fetch_or_run = |reason| {
            if let Some(layer) = history.fetch(&context)? {
                return Ok(((layer, None), Outcome::Fetched));
            }
            let done = self.run(&context, &history, true)?;
            let reason = done.always.map_or(reason, Reason::Always);
            Ok(((done.layer, Some(reason)), Outcome::Built))
        };
        let (done, _) = self.store.find_or_build(&history.key(), find, fetch_or_run)?;
        Ok(done)
    }

    /// Why the script would be run, without running it.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn forecast(&self) -> Result<Option<Reason>> {
        if self.params.untraced {
            return Ok(Some(Reason::Always("tracing is off".into())));
        }
        let context = RunContext::of(self.directory, self.params, self.store);
        Ok(match History::of(self.name, self.directory, self.store).find(&context)? {
            Lookup::Hit(_) => None,
            Lookup::Miss(reason) => Some(reason),
        })
    }

    fn run(&self, context: &RunContext, history: &History<'_>, watched: bool) -> Result<Done> {
        let work = self.store.work_directory()?;
        let began = next_file_time();
        let mut watcher = Watcher::new(&context.roots, context.ignored(work.path()));
        let running = span("script", self.name);
        let ended = self.start(work.path(), watched, &mut watcher)?;
        drop(running);
        let _recording = span("record", self.name);
        if let Some(program) = watcher.facts.set_id.take() {
            drop(work);
            let why = format!("it runs the set-id program `{}`", program.display());
            let again = self.run(context, history, false)?;
            history.keep_reason(&why)?;
            return Ok(Done { always: Some(why), ..again });
        }
        let layer = self.take(work.path())?;
        if !watched {
            return Ok(Done { layer, always: None });
        }
        let path =
            self.store.blob(&layer.digest)?.context("the layer went missing from the store")?;
        if shows(&path, work.path().as_os_str().as_encoded_bytes())? {
            self.store.reporter().warn(format_args!(
                "`{}` writes the path of its working directory into its result; it differs each time",
                self.name
            ));
        }
        let traced = match ended.watched {
            Watched::Not(why) => Err(why),
            Watched::Fully => finish(watcher, context, began, &path)?,
        };
        match traced {
            Ok((trace, stamps)) => {
                history.keep(&trace, &stamps, layer)?;
                Ok(Done { layer, always: None })
            }
            Err(why) => {
                history.keep_reason(&why)?;
                Ok(Done { layer, always: Some(why) })
            }
        }
    }

    /// Runs it once in a directory.
    fn start(&self, work: &Path, watched: bool, watcher: &mut Watcher<'_>) -> Result<Ended> {
        let tmp = work.join("tmp");
        fs::create_dir(&tmp)?;
        let script = self.directory.join(SCRIPT_NAME);
        let mut exec = Exec::new(&script).arg(work.join(OUT)).env_clear().cwd(&tmp);
        for (name, value) in &self.params.script_environment {
            exec = exec.env(name, value);
        }
        exec = exec.env("PATH", &self.params.programs).env("TZ", TIME_ZONE);
        exec = exec.env("TMPDIR", &tmp).env("XCLUSTER_TMP", &tmp);
        let ended = execute(exec, &script, self.params, watched, watcher)?;
        if !ended.output.stdout.is_empty() {
            tracing::debug!(script = self.name, "prints on stdout, which is dropped");
        }
        self.pass_on_warnings(&String::from_utf8_lossy(&ended.output.stderr));
        Ok(ended)
    }

    /// Warnings, of our helpers above all, are for the user though the script goes on.
    fn pass_on_warnings(&self, said: &str) {
        let warnings = said.lines().filter_map(|line| line.strip_prefix("WARNING: "));
        for warning in warnings.take(WARNINGS_MAX) {
            self.store.reporter().warn(format_args!("{}: {warning}", self.name));
        }
    }

    /// Takes what it wrote into the store.
    fn take(&self, work: &Path) -> Result<BlobRef> {
        let (out, script) = (work.join(OUT), self.directory.join(SCRIPT_NAME));
        if !out.is_file() {
            bail!(
                "the script `{}` succeeded without writing a tar to its argument",
                script.display()
            );
        }
        let tree = tarball::read(&out, self.store, self.params.unpack_max)
            .and_then(|tree| merged::checked(tree, "the tar", self.name, self.store.reporter()))
            .with_context(|| format!("what `{}` wrote", script.display()))?;
        let mut writer = self.store.writer()?;
        write_tar(&tree, &mut writer)?;
        writer.commit()
    }
}

/// The file that a script writes, in its working directory.
const OUT: &str = "out.tar";

/// A time of which no file is yet: what carries it, or a later one, was changed after this. File
/// systems stamp by a clock that steps and lags, but may use a finer one that doesn't.
fn next_file_time() -> i64 {
    let now = exact_time();
    loop {
        let next = file_time();
        if next > now {
            return next;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Runs a program of an overlay to its end. It ended well, or by the watcher, which met a set-id
/// program that has to be run unwatched.
///
/// # Errors
/// When it can't be run, fails, or takes too long.
pub(super) fn execute(
    exec: Exec,
    script: &Path,
    params: &Params,
    watched: bool,
    watcher: &mut Watcher<'_>,
) -> Result<Ended> {
    let line = exec.line();
    let timeout = params.script_timeout.unwrap_or(TIMEOUT);
    let options = Options { timeout, watched };
    let failed = || format!("the script `{}` failed", script.display());
    let ended = trace::run(exec, options, &mut |task, call| watcher.call(task, call))
        .with_context(failed)?;
    if ended.timed_out {
        bail!(
            "the script `{}` was ended after {} s; --script-timeout gives it more",
            script.display(),
            timeout.as_secs()
        );
    }
    if !ended.status.success() && watcher.facts.set_id.is_none() {
        return Err(failure(line, ended.status, &ended.output)).with_context(failed);
    }
    Ok(ended)
}

#[cfg(test)]
mod tests;
