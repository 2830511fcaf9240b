//! What programs write that we run, handed on to our own stdout and stderr.
//!
//! Unlike results, it has a program behind it that is to be ended when nobody reads any more: so here
//! that is an error (`BrokenPipe`) and not our end.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{FileType, fstat};
use xc_sys::exec::Source;

use super::Stream;

/// The longest line that is kept until it is whole, in bytes; a longer one comes in pieces.
const LINE_MAX: usize = 1 << 16;

/// Which of our outputs lead to another program, which may end before what writes to them.
pub(crate) fn piped() -> Vec<Source> {
    let leads_on = |fd: BorrowedFd<'_>| {
        let kind = fstat(fd).map(|stat| FileType::from_raw_mode(stat.st_mode));
        matches!(kind, Ok(FileType::Fifo | FileType::Socket))
    };
    let (stdout, stderr) = (io::stdout(), io::stderr());
    let all = [(Source::Stdout, stdout.as_fd()), (Source::Stderr, stderr.as_fd())];
    all.into_iter().filter(|(_, fd)| leads_on(*fd)).map(|(source, _)| source).collect()
}

/// Hands bytes on as they are.
///
/// # Errors
/// `BrokenPipe` when nobody reads them any more; else what keeps them from being written.
pub(crate) fn hand_on(source: Source, bytes: &[u8]) -> io::Result<()> {
    match (source, Stream::new()) {
        (Source::Stdout, Some(mut stream)) => stream.write_all(bytes),
        (Source::Stdout, None) => {
            let mut out = io::stdout().lock();
            out.write_all(bytes).and_then(|()| out.flush())
        }
        (Source::Stderr, _) => io::stderr().lock().write_all(bytes),
    }
}

/// Outputs of several programs at once, of which each line begins with a name.
#[derive(Debug, Default)]
pub(crate) struct Labelled {
    /// What came of a line that is not whole yet.
    begun: BTreeMap<(String, bool), Vec<u8>>,
}

impl Labelled {
    /// Hands on the lines that are whole by now.
    ///
    /// # Errors
    /// As [`hand_on`].
    pub(crate) fn write(&mut self, name: &str, source: Source, bytes: &[u8]) -> io::Result<()> {
        let begun = self.begun.entry((name.into(), source == Source::Stdout)).or_default();
        begun.extend_from_slice(bytes);
        print(name, source, &whole_lines(begun))
    }

    /// Hands on what came without a line end, of a program that has ended.
    ///
    /// # Errors
    /// As [`hand_on`].
    pub(crate) fn finish(&mut self, name: &str) -> io::Result<()> {
        for source in [Source::Stdout, Source::Stderr] {
            let rest = self.begun.remove(&(name.into(), source == Source::Stdout));
            if let Some(rest) = rest.filter(|rest| !rest.is_empty()) {
                print(name, source, &[rest])?;
            }
        }
        Ok(())
    }
}

/// Takes the lines that are whole, or too long, without their ends.
fn whole_lines(begun: &mut Vec<u8>) -> Vec<Vec<u8>> {
    let mut lines = Vec::new();
    let mut rest = &begun[..];
    while let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
        lines.push(rest[..at].strip_suffix(b"\r").unwrap_or(&rest[..at]).to_vec());
        rest = &rest[at + 1..];
    }
    if rest.len() > LINE_MAX {
        lines.push(rest.to_vec());
        rest = &[];
    }
    *begun = rest.to_vec();
    lines
}

fn print(name: &str, source: Source, lines: &[Vec<u8>]) -> io::Result<()> {
    if source == Source::Stderr {
        let texts = lines.iter().map(|line| String::from_utf8_lossy(line));
        texts.for_each(|line| super::log(format_args!("{name}: {line}")));
        return Ok(());
    }
    let line = |line: &Vec<u8>| format!("{name}: {}\n", String::from_utf8_lossy(line));
    hand_on(source, lines.iter().map(line).collect::<String>().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::{LINE_MAX, whole_lines};

    #[test]
    fn lines_are_kept_until_they_are_whole_but_do_not_grow() {
        let mut begun = Vec::new();
        let mut add = |bytes: &[u8]| {
            begun.extend_from_slice(bytes);
            let lines = whole_lines(&mut begun);
            let lines = lines.into_iter().map(|line| String::from_utf8(line).unwrap());
            (lines.collect::<Vec<_>>(), begun.len())
        };
        let lines = |lines: &[&str], left: usize| {
            (lines.iter().map(ToString::to_string).collect::<Vec<_>>(), left)
        };
        assert_eq!(add(b"on"), lines(&[], 2));
        assert_eq!(add(b"e\r\n\ntwo\nthr"), lines(&["one", "", "two"], 3));
        let long = "x".repeat(LINE_MAX);
        assert_eq!(add(long.as_bytes()), lines(&[&format!("thr{long}")], 0));
        assert_eq!(add(long.as_bytes()), lines(&[], LINE_MAX));
    }
}
