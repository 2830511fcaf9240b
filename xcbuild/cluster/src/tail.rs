//! Files that other processes write to: what is added, and how they end.

use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use fs_err as fs;

use super::queries::Queries;

/// A file that another process writes to, read line by line as it grows.
#[derive(Debug)]
pub(super) struct Tail {
    path: PathBuf,
    offset: u64,
    partial: Vec<u8>,
}

impl Tail {
    /// The file at that path from its start; it need not be there yet.
    pub(super) fn new(path: &Path) -> Self {
        Self::from(path, 0)
    }

    /// The file at that path from a position on.
    pub(super) fn from(path: &Path, offset: u64) -> Self {
        Self { path: path.into(), offset, partial: Vec::new() }
    }

    /// What will be added to the file at that path.
    pub(super) fn from_end(path: &Path) -> Self {
        Self::from(path, length(path))
    }

    /// The whole lines that were added since the last call.
    pub(super) fn lines(&mut self) -> Vec<String> {
        let added = self.bytes();
        self.partial.extend(added);
        let Some(end) = self.partial.iter().rposition(|b| *b == b'\n') else { return Vec::new() };
        let rest = self.partial.split_off(end + 1);
        let whole = std::mem::replace(&mut self.partial, rest);
        String::from_utf8_lossy(&whole).lines().map(str::to_owned).collect()
    }

    /// All that was added since the last call.
    pub(super) fn bytes(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if length(&self.path) < self.offset {
            // Begun anew by another writer.
            (self.offset, self.partial) = (0, Vec::new());
        }
        if let Ok(mut file) = fs::File::open(&self.path)
            && file.seek(SeekFrom::Start(self.offset)).is_ok()
        {
            // What was read before an error is taken, and the rest comes with the next call.
            let _ = file.read_to_end(&mut bytes);
        }
        self.offset += bytes.len() as u64;
        bytes
    }
}

/// The length of a file; 0 if it is not there.
pub(super) fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |m| m.len())
}

/// When a file was written to last; `None` if it is not there.
pub(super) fn written(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|m| m.modified()).ok()
}

/// The last lines of a file, for a person who wants to know how it ended.
pub(super) fn end_of(path: &Path, lines: usize) -> String {
    last(&end(path), lines)
}

/// The last lines of a file that are whole: one without its newline may be written further.
pub(super) fn whole_end_of(path: &Path, lines: usize) -> String {
    let text = end(path);
    last(text.rfind('\n').map_or("", |newline| &text[..newline]), lines)
}

/// As much of a file's end as anybody wants to see, as text.
fn end(path: &Path) -> String {
    const ENOUGH: u64 = 16 * 1024;
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = fs::File::open(path)?;
        let size = file.metadata()?.len();
        file.seek(SeekFrom::Start(size.saturating_sub(ENOUGH)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = Queries::default().remove(&read().unwrap_or_default());
    String::from_utf8_lossy(&bytes).replace('\r', "")
}

/// The last lines of a text, but for empty ones.
fn last(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::{Tail, end_of, whole_end_of};

    #[test]
    fn tail_gives_whole_lines_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut tail = Tail::new(&path);
        assert!(tail.lines().is_empty());
        let mut file = std::fs::File::create(&path).unwrap();
        let rows: [(&[u8], &[&str]); 3] =
            [(b"a\nb", &["a"]), (b"", &[]), (b"c\r\n\xff\n", &["bc", "\u{fffd}"])];
        for (written, expected) in rows {
            file.write_all(written).unwrap();
            assert_eq!(tail.lines(), expected);
        }
        std::fs::write(&path, "anew\n").unwrap();
        assert_eq!(tail.lines(), ["anew"]);
        std::fs::write(&path, b"bc\n\n\xff\n").unwrap();
        assert_eq!(end_of(&path, 2), "bc\n\u{fffd}");
        assert_eq!(end_of(&dir.path().join("none"), 2), "");
        for (text, expected) in [("", ""), ("a", ""), ("a\nb", "a"), ("a\r\nb\r\n", "a\nb")] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(whole_end_of(&path, 2), expected, "{text:?}");
        }
    }
}
