//! A sink that keeps what it gets, for tests and for callers that show it later.

use std::sync::{Arc, Mutex, PoisonError};

use crate::{Reporter, Sink};

/// One report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Something is done or begins: a verb and what it is about.
    Status(&'static str, String),
    /// Something that the user should know.
    Warning(String),
    /// A step that takes long began.
    Step(String),
}

/// Keeps all messages in the order in which they came.
#[derive(Debug, Clone, Default)]
pub struct Recorder(Arc<Mutex<Vec<Message>>>);

impl Recorder {
    /// A reporter that reports to this.
    pub fn reporter(&self) -> Reporter {
        Reporter::new(self.clone())
    }

    /// All messages so far.
    pub fn messages(&self) -> Vec<Message> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The texts of the warnings so far.
    pub fn warnings(&self) -> Vec<String> {
        let warning = |message| match message {
            Message::Warning(text) => Some(text),
            Message::Status(..) | Message::Step(_) => None,
        };
        self.messages().into_iter().filter_map(warning).collect()
    }

    fn push(&self, message: Message) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(message);
    }
}

impl Sink for Recorder {
    fn status(&self, verb: &'static str, what: &str) {
        self.push(Message::Status(verb, what.to_owned()));
    }

    fn warn(&self, text: &str) {
        self.push(Message::Warning(text.to_owned()));
    }

    fn progress(&self, what: &str) -> Box<dyn Send> {
        self.push(Message::Step(what.to_owned()));
        Box::new(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Message, Recorder};
    use crate::Reporter;

    #[test]
    fn messages_are_kept_in_order_and_the_silent_reporter_takes_them_too() {
        let recorder = Recorder::default();
        for reporter in [recorder.reporter(), Reporter::silent()] {
            let _step = reporter.progress("fetching");
            reporter.warn(format_args!("{} is damaged", "x"));
            reporter.status("Built", "x");
        }
        let messages = [
            Message::Step("fetching".into()),
            Message::Warning("x is damaged".into()),
            Message::Status("Built", "x".into()),
        ];
        assert_eq!(recorder.messages(), messages);
        assert_eq!(recorder.warnings(), ["x is damaged"]);
    }
}
