//! All that a person or a program reads from us; the only module that prints.
//!
//! Results go to stdout, the rest to stderr. Without a terminal there are no colours and no bars:
//! a long step then says once that it starts. A reader of stdout that goes away (`| head`) ends the
//! program quietly, as it does other tools.

mod progress;
pub(crate) mod relay;
pub(crate) mod screen;
mod stream;

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use indicatif::{DecimalBytes, MultiProgress, ProgressDrawTarget};
use xc_cluster::hint::hints;
use xc_report::{Reporter, Sink, visible};

pub(crate) use progress::Progress;
pub(crate) use stream::Stream;

/// Exit code of a program whose reader has gone, as a shell shows SIGPIPE.
pub(crate) const READER_GONE: u8 = 141;

/// How much is said on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Level {
    /// Only warnings and errors.
    Quiet,
    /// What is done, step by step.
    Normal,
}

static LEVEL: AtomicU8 = AtomicU8::new(Level::Normal as u8);
static BARS: OnceLock<MultiProgress> = OnceLock::new();

/// Sets how much is said; called once, after the flags are read.
pub(crate) fn set_level(level: Level) {
    LEVEL.store(level as u8, Ordering::Relaxed);
}

fn is_verbose() -> bool {
    LEVEL.load(Ordering::Relaxed) >= Level::Normal as u8
}

fn bars() -> &'static MultiProgress {
    BARS.get_or_init(|| {
        let visible = is_verbose() && io::stderr().is_terminal();
        let target =
            if visible { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        MultiProgress::with_draw_target(target)
    })
}

/// Whether stderr is a terminal, so that colours make sense.
fn coloured() -> bool {
    io::stderr().is_terminal()
}

fn say(line: &str) {
    // Without a reader of stderr there is nothing to do.
    bars().suspend(|| {
        let _ = writeln!(io::stderr().lock(), "{line}");
    });
}

/// What others named or said, with nothing that a terminal would take for a command.
fn safe(text: impl Display) -> String {
    match io::stderr().is_terminal() {
        true => visible::lines(&text.to_string()),
        false => text.to_string(),
    }
}

fn paint(code: &str, text: &str) -> String {
    if coloured() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

/// Says that something is done or begins: a verb and what it is about.
pub(crate) fn status(verb: &str, what: impl Display) {
    if is_verbose() {
        say(&format!("{} {}", paint("1;32", &format!("{verb:>12}")), safe(what)));
    }
}

/// Says that something failed that the program survives: a verb and what it is about.
pub(crate) fn failure(verb: &str, what: impl Display) {
    say(&format!("{} {}", paint("1;31", &format!("{verb:>12}")), safe(what)));
}

/// Says something that the user should know and that is no error.
pub(crate) fn warn(text: impl Display) {
    say(&format!("{} {}", paint("1;33", "WARNING:"), safe(text)));
}

/// Says what to do next.
pub(crate) fn hint(text: impl Display) {
    if is_verbose() {
        say(&format!("{} {}", paint("1;36", "hint:"), safe(text)));
    }
}

/// A line of a log that a program of ours keeps on its stderr.
pub(crate) fn log(line: impl Display) {
    say(&safe(line));
}

/// An error with all its causes, and then what helps.
pub(crate) fn causes(error: &anyhow::Error) -> String {
    let hints = hints(error).map(|hint| format!("; {hint}"));
    hints.fold(xc_report::causes(error), |text, hint| text + &hint)
}

/// Says why the program failed, with all causes.
pub(crate) fn error(error: &anyhow::Error) {
    say(&format!("{} {}", paint("1;31", "ERROR:"), safe(causes(error))));
}

/// A number of bytes for people: `1.20 MB`.
pub(crate) fn size(bytes: u64) -> impl Display {
    DecimalBytes(bytes)
}

/// Prints a result to stdout, with a line end.
pub(crate) fn result(text: impl Display) {
    let text = format!("{text}\n");
    match io::stdout().is_terminal() {
        true => result_bytes(visible::lines(&text).as_bytes()),
        false => result_bytes(text.as_bytes()),
    }
}

/// Stdout, for a result that comes in pieces; a reader that goes away ends the program as for
/// [`result_bytes`].
pub(crate) fn stdout() -> impl Write {
    Stdout
}

struct Stdout;

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        result_bytes(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Prints a result to stdout as it is.
pub(crate) fn result_bytes(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    let Err(e) = out.write_all(bytes).and_then(|()| out.flush()) else { return };
    if e.kind() == io::ErrorKind::BrokenPipe {
        std::process::exit(READER_GONE.into());
    }
    error(&anyhow::anyhow!("can't write to stdout: {e}"));
    std::process::exit(1);
}

/// Prints a result that takes the place of the one before: on a terminal on an empty screen, else
/// after an empty line.
pub(crate) fn redraw(text: impl Display) {
    let before = if io::stdout().is_terminal() { "\x1b[H\x1b[2J" } else { "\n" };
    result_bytes(before.as_bytes());
    result(text);
}

/// What libraries report is shown like everything else.
#[derive(Debug)]
struct TerminalSink;

impl Sink for TerminalSink {
    fn status(&self, verb: &'static str, what: &str) {
        status(verb, what);
    }

    fn warn(&self, text: &str) {
        warn(text);
    }

    fn progress(&self, what: &str) -> Box<dyn Send> {
        Box::new(Progress::spinner(what))
    }
}

/// The reporter that libraries get from the command line.
pub(crate) fn reporter() -> Reporter {
    static REPORTER: OnceLock<Reporter> = OnceLock::new();
    REPORTER.get_or_init(|| Reporter::new(TerminalSink)).clone()
}

#[cfg(test)]
mod tests;
