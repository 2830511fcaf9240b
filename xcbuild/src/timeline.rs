//! What ran when, on which thread and core: `--trace-to FILE`.
//!
//! The file is in Chrome's trace event format (the JSON object form), which `chrome://tracing`,
//! Perfetto and Speedscope show. Each piece of work is a complete event (`"ph": "X"`): a category
//! (`layer`, `step`, `package`, `run`, `iso`, `store`, `wait`), a name, its start and duration in
//! microseconds, the thread, and the cores that it began and ended on.
//!
//! The events are kept in memory until the [`Recording`] is dropped, which a failed or cancelled
//! build does as well: the file is whole JSON however the build ends
//! (but for SIGKILL, which leaves no file).

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use xc_report::timeline::{self, Event};

use crate::ui;
use xc_sys::files::{self, parent};

/// Keeps all spans until it is dropped, and then writes them.
#[derive(Debug)]
pub(crate) struct Recording(Option<Target>);

#[derive(Debug)]
struct Target {
    file: tempfile::NamedTempFile,
    path: PathBuf,
    begin: Instant,
}

impl Recording {
    /// Begins to record, if there is a file to write to. Only one recording makes sense at a time.
    ///
    /// # Errors
    /// When the file can't be written: said now, and not after the work.
    pub(crate) fn to(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else { return Ok(Self(None)) };
        let file = tempfile::Builder::new()
            .prefix(".tmp-")
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
            .tempfile_in(parent(path))
            .with_context(|| format!("can't write --trace-to={}", path.display()))?;
        timeline::start();
        Ok(Self(Some(Target { file, path: path.to_path_buf(), begin: Instant::now() })))
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let Some(Target { mut file, path, begin }) = self.0.take() else { return };
        let events = timeline::stop();
        let text = chrome(&events, begin, Instant::now()).to_string();
        let written = file.write_all(text.as_bytes()).and_then(|()| files::publish(file, &path));
        if let Err(e) = written {
            ui::warn(format_args!("can't write the trace to `{}`: {e}", path.display()));
        }
    }
}

fn chrome(events: &[Event], begin: Instant, end: Instant) -> Value {
    let process = rustix::process::getpid().as_raw_nonzero().get();
    let since = |t: Instant| t.saturating_duration_since(begin).as_secs_f64() * 1e6;
    let one = |e: &Event| {
        json!({
            "name": e.name, "cat": e.category, "ph": "X", "pid": process, "tid": e.thread,
            "ts": since(e.begin), "dur": since(e.end) - since(e.begin),
            "args": { "core": e.cores[0], "core at end": e.cores[1] },
        })
    };
    let all = json!({
        "name": "xcbuild", "cat": "all", "ph": "X", "pid": process, "tid": process,
        "ts": 0, "dur": since(end), "args": {},
    });
    let events: Vec<Value> = std::iter::once(all).chain(events.iter().map(one)).collect();
    json!({ "traceEvents": events, "displayTimeUnit": "ms" })
}

#[cfg(test)]
mod tests {
    use xc_report::timeline::span;

    use super::Recording;

    #[test]
    fn spans_are_written_when_the_work_fails_as_well() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("trace.json");
        let work = || -> anyhow::Result<()> {
            let _recording = Recording::to(Some(&file))?;
            let _span = span("layer", "a \"name\"\n");
            anyhow::bail!("failed")
        };
        work().unwrap_err();
        let text = std::fs::read(&file).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let events = value["traceEvents"].as_array().unwrap();
        let found = events.iter().find(|e| e["name"] == "a \"name\"\n").unwrap();
        assert!(
            found["ph"] == "X" && found["tid"].is_number() && found["args"]["core"].is_number()
        );
        assert!(found["dur"].as_f64().unwrap() <= events[0]["dur"].as_f64().unwrap());
    }

    #[test]
    fn a_place_that_cannot_be_written_is_told_before_the_work() {
        let e = Recording::to(Some("/nonexistent/x".as_ref())).unwrap_err().to_string();
        assert_eq!(e, "can't write --trace-to=/nonexistent/x");
    }
}
