//! The program's only printer.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use xc_dns::{Event, Sink};

/// Prints a result.
pub fn say(text: &str) {
    // Nobody left to read it is no error.
    let _ = io::stdout().write_all(text.as_bytes());
}

/// Prints an error.
pub fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "xc-dns: {text}");
}

/// Writes events to a file or stderr, each with its time in seconds since 1970; queries only when
/// wanted. What can't be written is lost: a full disk must not stop name look-ups.
pub fn sink(path: Option<&Path>, queries: bool) -> Result<Sink, String> {
    let target: Box<dyn Write + Send> = match path {
        None => Box::new(io::stderr()),
        Some(path) => {
            let file = OpenOptions::new().create(true).append(true).open(path);
            Box::new(file.map_err(|error| format!("can't write {}: {error}", path.display()))?)
        }
    };
    let target = Mutex::new(target);
    Ok(Arc::new(move |event| {
        if queries || !matches!(event, Event::Query(_) | Event::Rejected { .. }) {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let line = format!("{}.{:03} {event}\n", now.as_secs(), now.subsec_millis());
            let mut target = target.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = target.write_all(line.as_bytes());
        }
    }))
}
