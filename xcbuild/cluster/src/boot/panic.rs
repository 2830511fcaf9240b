//! Whether the kernel of a node that boots panics, by what is written to its console.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::console_log::panic_line;
use crate::host::NodeHost;
use crate::tail::Tail;

/// By this the kernel says that it has told all about its panic.
const END: &str = "---[ end Kernel panic";

/// How long it has to tell all: what it says in between explains most.
const GRACE: Duration = Duration::from_secs(3);

/// What is written from some moment on.
#[derive(Debug)]
pub(super) struct PanicWatch {
    tail: Tail,
    /// The first words of a panic, and when they have to be the last.
    panic: Option<(String, Instant)>,
}

impl PanicWatch {
    /// All that is written to the file, which need not be there yet.
    pub(super) fn new(host: &Arc<dyn NodeHost>, log: &Path) -> Self {
        Self { tail: Tail::new(host, log), panic: None }
    }

    /// What will be written to it.
    pub(super) fn from_end(host: &Arc<dyn NodeHost>, log: &Path) -> Self {
        Self { tail: Tail::from_end(host, log), panic: None }
    }

    /// Why the kernel came to its end, once it has told all about that.
    pub(super) fn panicked(&mut self, now: Instant) -> Option<String> {
        for line in self.tail.lines() {
            let told = line.contains(END);
            if self.panic.is_none() {
                self.panic = panic_line(&line).map(|reason| (reason.to_owned(), now + GRACE));
            }
            if let Some((_, until)) = self.panic.as_mut().filter(|_| told) {
                *until = now;
            }
        }
        let (reason, until) = self.panic.as_ref()?;
        (*until <= now).then(|| reason.clone())
    }

    /// When a panic is to be looked at again.
    pub(super) fn until(&self) -> Option<Instant> {
        self.panic.as_ref().map(|(_, until)| *until)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::time::Instant;

    use super::{GRACE, PanicWatch};
    use crate::host::local;

    #[test]
    fn panics_are_told_when_all_is_said_or_nothing_more_comes() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let mut file = std::fs::File::create(&log).unwrap();
        let now = Instant::now();
        let (mut patient, mut console) =
            (PanicWatch::new(&local(), &log), PanicWatch::new(&local(), &log));
        file.write_all(b"[ 1.0] Kernel panic - not syncing: x\r\n[ 1.0] CPU: 0\r\n").unwrap();
        assert_eq!((console.panicked(now), patient.panicked(now)), (None, None));
        assert_eq!(patient.until(), Some(now + GRACE));
        assert_eq!(patient.panicked(now + GRACE).unwrap(), "Kernel panic - not syncing: x");
        let mut late = PanicWatch::from_end(&local(), &log);
        file.write_all(b"[ 1.2] ---[ end Kernel panic - not syncing: x ]---\r\n").unwrap();
        assert_eq!(console.panicked(now).unwrap(), "Kernel panic - not syncing: x");
        assert_eq!(console.panicked(now).unwrap(), "Kernel panic - not syncing: x");
        assert!(late.panicked(now).is_some(), "the last line alone tells as well");
    }
}
