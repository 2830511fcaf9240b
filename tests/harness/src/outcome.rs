//! How a test's body ends: what its panic would have printed is kept, to be shown with the failures.

use std::backtrace::Backtrace;
use std::cell::RefCell;
use std::panic::{self, PanicHookInfo};
use std::thread;

thread_local! {
    /// What panics of this thread said, if it is a test's.
    static SAID: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// From now on panics of tests are kept and those of other threads printed as before.
pub(crate) fn keep_panics() {
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let kept = SAID.with_borrow_mut(|said| said.as_mut().map(|said| *said += &text(info)));
        if kept.is_none() {
            print(info);
        }
    }));
}

fn text(info: &PanicHookInfo<'_>) -> String {
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let message = info.payload_as_str().unwrap_or("a panic without text");
    // Most of its lines are about the harness: only who asks for everything gets them.
    let full = std::env::var_os("RUST_BACKTRACE").is_some_and(|asked| asked == "full");
    let trace = if full { Backtrace::force_capture().to_string() } else { String::new() };
    format!("panicked at {place}:\n{message}\n{trace}")
}

/// Runs a body in a thread that has the test's name; the error is what its panic said.
pub(crate) fn of(name: &str, body: impl FnOnce() + Send) -> Result<(), String> {
    let kept = || {
        SAID.set(Some(String::new()));
        let ended = panic::catch_unwind(panic::AssertUnwindSafe(body));
        let said = SAID.take().unwrap_or_default();
        ended.map_err(|_| said)
    };
    thread::scope(|scope| {
        let thread = thread::Builder::new().name(name.to_owned()).spawn_scoped(scope, kept);
        let thread = thread.map_err(|error| format!("no thread for the test: {error}"))?;
        thread.join().unwrap_or_else(|_| Err("the test's thread has ended with a panic".to_owned()))
    })
}
