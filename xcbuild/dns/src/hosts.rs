//! The lines of a hosts file (hosts(5)). Pure.
//!
//! The C library skips what it can't read without a word. A name that was meant to be answered from
//! the file would then be asked for upstream, so every such line is reported with its number, and
//! names whose address can't be read are kept as known, to be answered by a failure.

use std::fmt::Display;
use std::net::IpAddr;

use crate::wire::Name;

/// A line with names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The address; `None` where what stands there is not one.
    pub address: Option<IpAddr>,
    /// The names, the canonical one first.
    pub names: Vec<Name>,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line's number, from 1.
    pub line: usize,
    /// What is wrong, and what becomes of the line.
    pub what: String,
}

impl Problem {
    /// The problem as a line of text, `FILE:LINE: what`.
    pub fn at(&self, file: impl Display) -> String {
        format!("{file}:{}: {}", self.line, self.what)
    }
}

/// The entries of a hosts file's text, in order, and what could not be read.
pub fn parse(text: &str) -> (Vec<Entry>, Vec<Problem>) {
    let (mut entries, mut problems) = (Vec::new(), Vec::new());
    for (index, line) in text.lines().enumerate() {
        let mut report = |what| problems.push(Problem { line: index + 1, what });
        let line = line.trim_start_matches('\u{feff}').split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        let Some(first) = words.next() else { continue };
        let mut names = Vec::new();
        for word in words {
            match word.parse::<Name>() {
                Ok(name) => names.push(name),
                Err(error) => report(format!("{error}; the rest of the line is used")),
            }
        }
        let address = first.parse().ok();
        match (address, names.is_empty()) {
            (None, true) => report(format!("`{first}` is not an IP address; the line is ignored")),
            (None, false) => report(format!(
                "`{first}` is not an IP address; queries for the names of the line fail"
            )),
            (Some(_), true) => report(format!("no name for {first}; the line is ignored")),
            (Some(_), false) => {}
        }
        if !names.is_empty() {
            entries.push(Entry { address, names });
        }
    }
    (entries, problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_that_is_not_understood_is_reported() {
        let text = "# comment\n\n192.0.2.1 a b # c\n192.0.2.256 d\nnonsense\n192.0.2.2\n  \n\
                    192.0.2.3 bad..name e\nfe80::1%lo0 f\n192.0.2.4 .g\n\
                    2001:db8::1\th\r\n# 192.0.2.9\n192.0.2.5,i j\n";
        let (entries, problems) = parse(text);
        let shown: Vec<String> = entries
            .iter()
            .map(|entry| {
                let address = entry.address.map_or("?".into(), |address| address.to_string());
                entry.names.iter().fold(address, |text, name| format!("{text} {name}"))
            })
            .collect();
        assert_eq!(
            shown,
            ["192.0.2.1 a. b.", "? d.", "192.0.2.3 e.", "? f.", "2001:db8::1 h.", "? j."]
        );
        let lines: Vec<usize> = problems.iter().map(|problem| problem.line).collect();
        assert_eq!(lines, [4, 5, 6, 8, 9, 10, 10, 13], "{problems:?}");
        assert!(problems[0].what.contains("`192.0.2.256` is not an IP address"));
        assert!(problems[3].what.contains("bad..name"), "{problems:?}");
    }
}
