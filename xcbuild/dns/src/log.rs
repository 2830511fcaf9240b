//! The program's only printer.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use xc_dns::{Event, Sink};

/// Bytes of a log file; there are two at most.
const MAX_LOG: u64 = 2 << 20;

/// Prints a result.
pub(crate) fn say(text: &str) {
    // Nobody left to read it is no error.
    let _ = io::stdout().write_all(text.as_bytes());
}

/// Prints an error.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "xc-dns: {text}");
}

/// Prints an error as it is.
pub(crate) fn complain_plainly(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Writes events to a file or stderr, each with its time in seconds since 1970; queries only when
/// wanted. What can't be written is lost: a full disk must not stop name look-ups.
pub(crate) fn sink(path: Option<&Path>, queries: bool) -> Result<Sink, String> {
    let target: Box<dyn Write + Send> = match path {
        None => Box::new(io::stderr()),
        Some(path) => Box::new(
            LogFile::open(path)
                .map_err(|error| format!("can't write {}: {error}", path.display()))?,
        ),
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

/// A file that becomes `NAME.old` when it is full: a node's files are in its memory.
struct LogFile {
    path: PathBuf,
    file: File,
    left: u64,
}

impl LogFile {
    /// Continues the file, or starts it.
    fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let left = MAX_LOG.saturating_sub(file.metadata()?.len());
        Ok(Self { path: path.to_path_buf(), file, left })
    }

    fn turn_over(&mut self) -> io::Result<()> {
        let mut old = self.path.clone().into_os_string();
        old.push(".old");
        fs::rename(&self.path, old)?;
        *self = Self::open(&self.path)?;
        Ok(())
    }
}

impl Write for LogFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.left < line.len() as u64 {
            self.turn_over()?;
        }
        self.left = self.left.saturating_sub(line.len() as u64);
        self.file.write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_log_turns_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut log = LogFile::open(&path).unwrap();
        log.write_all(b"first\n").unwrap();
        log.left = 5;
        log.write_all(b"second\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "second\n");
        assert_eq!(fs::read_to_string(dir.path().join("log.old")).unwrap(), "first\n");
        assert_eq!(LogFile::open(&path).unwrap().left, MAX_LOG - 7, "goes on where it was");
    }
}
