//! What libraries report to their caller. They never print: the command line decides what a
//! person sees, another caller what becomes of it, and a test asserts it.
//!
//! | what | how |
//! |---|---|
//! | steps and warnings | values, to the caller's [`Reporter`] |
//! | steps that take long | [`Reporter::progress`], until the guard is dropped |
//! | what ran when | [`timeline`] |
//! | an error with its causes | [`causes`] |
//! | "did you mean …" | [`suggest`] |
//! | names that a terminal should not take for commands | [`visible`](mod@visible) |

mod causes;
mod recorder;
pub mod suggest;
pub mod timeline;
pub mod visible;

use std::fmt::{self, Display};
use std::sync::Arc;

pub use causes::causes;
pub use recorder::{Message, Recorder};
pub use visible::visible;

/// Receives what is reported. Calls come from any thread, also several at once.
pub trait Sink: Send + Sync {
    /// Something is done or begins: a verb and what it is about.
    fn status(&self, verb: &'static str, what: &str);

    /// Something that the user should know and that is not an error.
    fn warn(&self, text: &str);

    /// A step of unknown length begins; it ends when the result is dropped.
    fn progress(&self, what: &str) -> Box<dyn Send>;
}

/// The caller's [`Sink`], to be kept and cloned by whatever works for that caller.
#[derive(Clone)]
pub struct Reporter(Arc<dyn Sink>);

/// A step that takes long; it ends when this is dropped.
#[must_use = "a step that is dropped at once shows nothing"]
pub struct Step(#[expect(dead_code, reason = "held for its drop")] Box<dyn Send>);

impl Reporter {
    /// Reports to that sink.
    pub fn new(sink: impl Sink + 'static) -> Self {
        Self(Arc::new(sink))
    }

    /// Discards all reports.
    pub fn silent() -> Self {
        Self::new(Silent)
    }

    /// Reports that something is done or begins: a verb and what it is about.
    pub fn status(&self, verb: &'static str, what: impl Display) {
        self.0.status(verb, &what.to_string());
    }

    /// Reports something that the user should know and that is not an error.
    pub fn warn(&self, text: impl Display) {
        self.0.warn(&text.to_string());
    }

    /// Reports a step of unknown length, until the result is dropped.
    pub fn progress(&self, what: impl Display) -> Step {
        Step(self.0.progress(&what.to_string()))
    }
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reporter")
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Step")
    }
}

struct Silent;

impl Sink for Silent {
    fn status(&self, _: &'static str, _: &str) {}

    fn warn(&self, _: &str) {}

    fn progress(&self, _: &str) -> Box<dyn Send> {
        Box::new(())
    }
}
