//! The names that plain ISO 9660 readers see (ECMA-119 §7.5, §7.6): capitals, digits and `_`,
//! short, and unique in their directory.
//!
//! A name is mapped byte by byte and cut; where two names of a directory map to the same, the
//! first in byte order keeps the plain form and the others end in a number. The result depends on
//! the set of names alone. Identifiers are kept here without the version `;1` that files get in
//! the directory record.

use std::collections::{HashMap, HashSet};

use crate::options::IsoNames;

/// Makes the names of one directory unique.
#[derive(Debug, Default)]
pub(crate) struct Unique {
    used: HashSet<Box<[u8]>>,
    /// For a name that was wanted again, the number to try next.
    next: HashMap<Box<[u8]>, u32>,
}

impl Unique {
    /// Claims `render(None)`, or else the first `render(Some(n))` that nobody has.
    pub(crate) fn claim(&mut self, render: impl Fn(Option<u32>) -> Vec<u8>) -> Box<[u8]> {
        let plain = render(None).into_boxed_slice();
        if self.used.insert(plain.clone()) {
            return plain;
        }
        let next = self.next.entry(plain).or_insert(0);
        loop {
            let numbered = render(Some(*next)).into_boxed_slice();
            *next += 1;
            if self.used.insert(numbered.clone()) {
                return numbered;
            }
        }
    }
}

/// How long the two parts of a name may be.
struct Room {
    /// Characters of a directory's name.
    directory: usize,
    /// Characters before and after the dot of a file's name, together.
    file: usize,
    /// Characters before the dot.
    stem: usize,
    /// Characters after the dot.
    extension: usize,
}

impl IsoNames {
    fn room(self) -> Room {
        match self {
            Self::Short => Room { directory: 8, file: 11, stem: 8, extension: 3 },
            Self::Long => Room { directory: 31, file: 30, stem: 30, extension: 15 },
        }
    }

    /// Claims an identifier for a directory.
    pub(crate) fn directory(self, unique: &mut Unique, name: &[u8]) -> Box<[u8]> {
        let name = mapped(name);
        let limit = self.room().directory;
        unique.claim(|number| numbered(&name, limit, number))
    }

    /// Claims an identifier for a file: always with a dot, as §7.5.1 asks.
    pub(crate) fn file(self, unique: &mut Unique, name: &[u8]) -> Box<[u8]> {
        let room = self.room();
        let dot = name.iter().rposition(|&b| b == b'.').filter(|&at| at > 0);
        let (stem, extension) = dot.map_or((name, &b""[..]), |at| (&name[..at], &name[at + 1..]));
        let extension = mapped(&extension[..extension.len().min(room.extension)]);
        let stem = mapped(stem);
        let limit = room.stem.min(room.file - extension.len());
        unique.claim(|number| {
            let mut identifier = numbered(&stem, limit, number);
            identifier.push(b'.');
            identifier.extend_from_slice(&extension);
            identifier
        })
    }
}

/// The first `limit` bytes of `name`, the last of them replaced by the number.
fn numbered(name: &[u8], limit: usize, number: Option<u32>) -> Vec<u8> {
    let digits = number.map(|n| n.to_string()).unwrap_or_default();
    let kept = name.len().min(limit.saturating_sub(digits.len()));
    [&name[..kept], digits.as_bytes()].concat()
}

/// Capitals, digits and `_` for everything else (§7.4.1).
fn mapped(name: &[u8]) -> Vec<u8> {
    let map = |b: &u8| match b.to_ascii_uppercase() {
        b @ (b'A'..=b'Z' | b'0'..=b'9') => b,
        _ => b'_',
    };
    name.iter().map(map).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(names: IsoNames, list: &[&str]) -> Vec<String> {
        let mut unique = Unique::default();
        let claim = |name: &&str| names.file(&mut unique, name.as_bytes()).into_vec();
        list.iter().map(claim).map(|id| String::from_utf8(id).unwrap()).collect()
    }

    #[test]
    fn names_are_mapped_cut_and_numbered() {
        let table: [(IsoNames, &[&str], &[&str]); 6] = [
            (IsoNames::Long, &["Readme.md", "readme.md"], &["README.MD", "README0.MD"]),
            (IsoNames::Long, &[".bashrc", "a.b.c", "x"], &["_BASHRC.", "A_B.C", "X."]),
            (
                IsoNames::Short,
                &["longname1.text", "longname2.text"],
                &["LONGNAME.TEX", "LONGNAM0.TEX"],
            ),
            (IsoNames::Long, &["a", "a0", "A"], &["A.", "A0.", "A1."]),
            (IsoNames::Long, &["é", "ü"], &["__.", "__0."]),
            (
                IsoNames::Long,
                &["a-name-that-goes-on-well-beyond-the-limit.configuration-file"],
                &["A_NAME_THAT_GOE.CONFIGURATION_F"],
            ),
        ];
        for (names, given, expected) in table {
            assert_eq!(files(names, given), expected, "{given:?}");
        }
    }

    #[test]
    fn a_hundred_thousand_equal_names_stay_apart() {
        let mut unique = Unique::default();
        let name = |_| IsoNames::Short.file(&mut unique, b"same name.txt");
        let claimed: HashSet<_> = (0..100_000).map(name).collect();
        assert_eq!(claimed.len(), 100_000);
        assert!(claimed.iter().all(|id| id.len() <= 12));
    }
}
