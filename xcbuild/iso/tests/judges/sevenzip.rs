//! 7-Zip, by its technical listing.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::model::{Fact, Facts};
use crate::tool;

/// Everything in an image but what a listing does not have.
pub(crate) fn look(image: &Path) -> Facts {
    let list = tool::output(Command::new("7z").args(["l", "-slt", "-ba"]).arg(image));
    let mut facts = Facts::new();
    let mut block: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    for line in list.split(|&b| b == b'\n') {
        if let Some(at) = line.windows(3).position(|three| three == b" = ") {
            block.insert(line[..at].to_vec(), line[at + 3..].to_vec());
        } else if line.is_empty() {
            facts.extend(fact(&std::mem::take(&mut block)));
        }
    }
    facts
}

fn fact(block: &BTreeMap<Vec<u8>, Vec<u8>>) -> Option<(Vec<u8>, Fact)> {
    let text = |key: &str| block.get(key.as_bytes()).cloned().unwrap_or_default();
    let path = block.get(&b"Path"[..])?.clone();
    let mode = String::from_utf8_lossy(&text("Mode")).into_owned();
    let bit = |c: char| u32::from(c != '-');
    let fact = Fact {
        kind: mode.chars().next()?,
        mode: mode.chars().skip(1).fold(0, |mode, c| mode << 1 | bit(c)),
        uid: 0,
        gid: 0,
        links: 0,
        mtime: 0,
        size: String::from_utf8_lossy(&text("Size")).parse().unwrap_or(0),
        target: text("Symbolic Link"),
        device: (0, 0),
        content: Vec::new(),
    };
    Some((path, fact))
}

/// It shows kind, permissions, size and target.
pub(crate) fn blur(fact: &mut Fact) -> bool {
    (fact.uid, fact.gid, fact.links, fact.mtime) = (0, 0, 0, 0);
    fact.mode &= 0o777;
    fact.device = (0, 0);
    fact.content.clear();
    if fact.kind == 'd' {
        fact.size = 0;
    }
    true
}
