//! isoinfo (cdrkit), by its long listing: the one judge that shows link counts.

use std::path::Path;
use std::process::Command;

use crate::model::{Fact, Facts};
use crate::tool;

/// Everything in an image but contents and times.
pub(crate) fn look(image: &Path) -> Facts {
    let list = tool::output(Command::new("isoinfo").args(["-R", "-l", "-i"]).arg(image));
    let mut facts = Facts::new();
    let mut folder = Vec::new();
    for line in list.split(|&b| b == b'\n') {
        if let Some(path) = line.strip_prefix(b"Directory listing of /") {
            folder = path.to_vec();
        } else if let Some((name, fact)) = entry(line) {
            facts.insert([&folder[..], &name].concat(), fact);
        }
    }
    facts
}

/// It shows a mode without its first three bits, owners in columns that run together, and no devices.
pub(crate) fn blur(fact: &mut Fact) -> bool {
    fact.mode &= 0o777;
    (fact.uid, fact.gid) = (0, 0);
    fact.mtime = 0;
    fact.device = (0, 0);
    fact.content.clear();
    if fact.target == b"/" {
        fact.target.clear(); // it shows nothing, for links by genisoimage neither
    }
    if fact.kind == 'd' {
        fact.size = 0;
    }
    true
}

/// A line such as `-rw-r--r--   2    0    0      8 Sep 13 2020 [     23 00]  name -> target`.
fn entry(line: &[u8]) -> Option<(Vec<u8>, Fact)> {
    let bracket = line.windows(3).position(|three| three == b"]  ")?;
    let head = String::from_utf8_lossy(&line[..bracket]).into_owned();
    let rest = &line[bracket + 3..];
    let words: Vec<&str> = head.split_whitespace().collect();
    let [mode, links, .., size, _month, _day, _year, _open, _start, _flags] = words[..] else {
        return None;
    };
    let kind = if mode.starts_with('f') { 'p' } else { mode.chars().next()? };
    let arrow = rest.windows(4).position(|four| four == b" -> ").filter(|_| kind == 'l');
    let (name, target) = match arrow {
        Some(at) => (&rest[..at], &rest[at + 4..]),
        None => (rest.strip_suffix(b" ").unwrap_or(rest), &b""[..]),
    };
    if name == b"." || name == b".." {
        return None;
    }
    let bit = |c: char| u32::from(c != '-');
    let fact = Fact {
        kind,
        mode: mode.chars().skip(1).fold(0, |mode, c| mode << 1 | bit(c)),
        uid: 0,
        gid: 0,
        links: links.parse().ok()?,
        mtime: 0,
        size: size.parse().ok()?,
        target: target.to_vec(),
        device: (0, 0),
        content: Vec::new(),
    };
    Some((name.to_vec(), fact))
}
