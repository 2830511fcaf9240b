//! Bars and spinners on stderr.

use std::fmt::Display;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::bars;

/// How often a bar or spinner is redrawn.
const REDRAW: Duration = Duration::from_millis(100);

/// A step that takes long: a bar where its size is known, else a spinner; removed when dropped.
#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// A step of that many units (bytes if `bytes`, else pieces).
    pub(crate) fn sized(what: impl Display, total: u64, bytes: bool) -> Self {
        let counts = if bytes { "{bytes}/{total_bytes}" } else { "{pos}/{len}" };
        let bar = bars().add(ProgressBar::new(total));
        Self::styled(bar, what, &format!("{{msg:>24}} [{{bar:30}}] {counts} {{elapsed}}"))
    }

    /// A step of unknown size.
    pub(crate) fn spinner(what: impl Display) -> Self {
        let bar = bars().add(ProgressBar::new_spinner());
        Self::styled(bar, what, "{msg:>24} {spinner} {elapsed}")
    }

    fn styled(bar: ProgressBar, what: impl Display, template: &str) -> Self {
        // A template is ours; should it be wrong, the default style still shows progress.
        let style = ProgressStyle::with_template(template);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message(what.to_string());
        bar.enable_steady_tick(REDRAW);
        Self(bar)
    }

    /// So many units more are done.
    pub(crate) fn advance(&self, units: u64) {
        self.0.inc(units);
    }

    /// Says what the step is about now.
    pub(crate) fn message(&self, what: impl Display) {
        self.0.set_message(what.to_string());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
