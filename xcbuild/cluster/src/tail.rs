//! Files that other processes write to: what is added, and how they end.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::host::{NodeHost, length};
use super::queries::Queries;

/// A file that another process writes to, read line by line as it grows.
#[derive(Debug)]
pub(super) struct Tail {
    host: Arc<dyn NodeHost>,
    path: PathBuf,
    offset: u64,
    partial: Vec<u8>,
}

impl Tail {
    /// The file at that path from its start; it need not be there yet.
    pub(super) fn new(host: &Arc<dyn NodeHost>, path: &Path) -> Self {
        Self::from(host, path, 0)
    }

    /// The file at that path from a position on.
    pub(super) fn from(host: &Arc<dyn NodeHost>, path: &Path, offset: u64) -> Self {
        Self { host: host.clone(), path: path.into(), offset, partial: Vec::new() }
    }

    /// What will be added to the file at that path.
    pub(super) fn from_end(host: &Arc<dyn NodeHost>, path: &Path) -> Self {
        Self::from(host, path, length(&**host, path))
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
        if length(&*self.host, &self.path) < self.offset {
            // Another writer has begun it again.
            (self.offset, self.partial) = (0, Vec::new());
        }
        let bytes = self.host.read(&self.path, self.offset);
        self.offset += bytes.len() as u64;
        bytes
    }
}

/// The last lines of a file, for a person who wants to know how it ended.
pub(super) fn end_of(host: &dyn NodeHost, path: &Path, lines: usize) -> String {
    last(&end(host, path), lines)
}

/// The last lines of a file that are whole: one without its newline may be written further.
pub(super) fn whole_end_of(host: &dyn NodeHost, path: &Path, lines: usize) -> String {
    let text = end(host, path);
    last(text.rfind('\n').map_or("", |newline| &text[..newline]), lines)
}

/// As much of a file's end as a person wants to see, as text.
fn end(host: &dyn NodeHost, path: &Path) -> String {
    const ENOUGH: u64 = 16 * 1024;
    let bytes = host.read(path, length(host, path).saturating_sub(ENOUGH));
    let bytes = Queries::default().remove(&bytes);
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
    use crate::host::local;

    #[test]
    fn tail_gives_whole_lines_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let host = local();
        let mut tail = Tail::new(&host, &path);
        assert!(tail.lines().is_empty());
        let mut file = std::fs::File::create(&path).unwrap();
        let rows: [(&[u8], &[&str]); 3] =
            [(b"a\nb", &["a"]), (b"", &[]), (b"c\r\n\xff\n", &["bc", "\u{fffd}"])];
        for (written, expected) in rows {
            file.write_all(written).unwrap();
            assert_eq!(tail.lines(), expected);
        }
        std::fs::write(&path, "again\n").unwrap();
        assert_eq!(tail.lines(), ["again"]);
        std::fs::write(&path, b"bc\n\n\xff\n").unwrap();
        assert_eq!(end_of(&*host, &path, 2), "bc\n\u{fffd}");
        assert_eq!(end_of(&*host, &dir.path().join("none"), 2), "");
        for (text, expected) in [("", ""), ("a", ""), ("a\nb", "a"), ("a\r\nb\r\n", "a\nb")] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(whole_end_of(&*host, &path, 2), expected, "{text:?}");
        }
    }
}
