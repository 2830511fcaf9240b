//! The names that plain ISO 9660 readers see (ECMA-119 §7.5, §7.6): capitals, digits and `_`,
//! short, and unique in their directory.
//!
//! A name is mapped byte by byte and cut; where two names of a directory map to the same, the
//! first in byte order keeps the plain form and the others end in a number. The result depends on
//! the set of names alone. Identifiers are kept here without the version `;1` that files get in
//! the directory record.

use std::collections::{HashMap, HashSet};

use crate::options::IsoNames;

/// A name in this view, without a version.
pub(crate) type Identifier = Box<[u8]>;

/// Makes the names of one directory unique.
///
/// `plain` holds what each would like to be called. The first to want a name gets it; for others
/// `numbered` says what they are called with a number, and the numbers go up until nobody has that
/// name. Nothing is looked up for names that collide with none, which is nearly all of them.
pub(crate) fn resolve(
    plain: Vec<Identifier>,
    numbered: impl Fn(usize, u32) -> Identifier,
) -> Vec<Identifier> {
    let mut order: Vec<usize> = (0..plain.len()).collect();
    order.sort_by_key(|&index| shown(&plain[index]));
    let clashes =
        |pair: &[usize]| (shown(&plain[pair[0]]) == shown(&plain[pair[1]])).then_some(pair[1]);
    let mut second: Vec<usize> = order.windows(2).filter_map(clashes).collect();
    second.sort_unstable();
    if second.is_empty() {
        return plain;
    }
    let mut used: HashSet<Identifier> = HashSet::new();
    let mut next: HashMap<Identifier, u32> = HashMap::new();
    let mut given = Vec::with_capacity(second.len());
    for index in second {
        let number = next.entry(shown(&plain[index]).into()).or_insert(0);
        let name = loop {
            let name = numbered(index, *number);
            *number += 1;
            let of = |&other: &usize| shown(&plain[other]).cmp(shown(&name));
            if order.binary_search_by(of).is_err() && used.insert(shown(&name).into()) {
                break name;
            }
        };
        given.push((index, name));
    }
    let mut names = plain;
    for (index, name) in given {
        names[index] = name;
    }
    names
}

/// What readers show of an identifier: they leave out a dot with nothing after it, so that a file
/// `A.` is not to be told from a directory `A`.
fn shown(identifier: &[u8]) -> &[u8] {
    identifier.strip_suffix(b".").unwrap_or(identifier)
}

/// How long the parts of a name may be.
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

    /// The most characters of a directory's identifier.
    pub(crate) fn longest_directory(self) -> usize {
        self.room().directory
    }

    /// The most characters of a file's identifier, dot and version included.
    pub(crate) fn longest_file(self) -> usize {
        self.room().file + 3
    }

    /// The identifier of a directory.
    pub(crate) fn directory(self, name: &[u8], number: Option<u32>) -> Identifier {
        let limit = self.room().directory;
        let mut identifier = Vec::with_capacity(limit);
        push_stem(&mut identifier, name, limit, number);
        identifier.into()
    }

    /// The identifier of a file: always with a dot, as §7.5.1 asks.
    pub(crate) fn file(self, name: &[u8], number: Option<u32>) -> Identifier {
        let room = self.room();
        let dot = name.iter().rposition(|&b| b == b'.').filter(|&at| at > 0);
        let (stem, extension) = dot.map_or((name, &b""[..]), |at| (&name[..at], &name[at + 1..]));
        let extension = &extension[..extension.len().min(room.extension)];
        let mut identifier = Vec::with_capacity(room.file + 1);
        push_stem(&mut identifier, stem, room.stem.min(room.file - extension.len()), number);
        identifier.push(b'.');
        identifier.extend(extension.iter().copied().map(mapped));
        identifier.into()
    }
}

/// Appends the first `limit` bytes of a name, mapped, the last of them replaced by the number.
fn push_stem(out: &mut Vec<u8>, name: &[u8], limit: usize, number: Option<u32>) {
    let digits = number.map(|n| n.to_string()).unwrap_or_default();
    let kept = name.len().min(limit.saturating_sub(digits.len()));
    out.extend(name[..kept].iter().copied().map(mapped));
    out.extend_from_slice(digits.as_bytes());
}

/// Capitals, digits and `_` for everything else (§7.4.1).
fn mapped(byte: u8) -> u8 {
    match byte.to_ascii_uppercase() {
        byte @ (b'A'..=b'Z' | b'0'..=b'9') => byte,
        _ => b'_',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(names: IsoNames, list: &[&str]) -> Vec<String> {
        let plain = list.iter().map(|name| names.file(name.as_bytes(), None)).collect();
        let unique = resolve(plain, |at, number| names.file(list[at].as_bytes(), Some(number)));
        unique.into_iter().map(|id| String::from_utf8(id.into()).unwrap()).collect()
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
            (IsoNames::Long, &["a", "A", "a0"], &["A.", "A1.", "A0."]),
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
    fn what_is_numbered_takes_no_plain_name() {
        let list = ["B", "b", "b0", "b1", "b3"];
        assert_eq!(files(IsoNames::Long, &list), ["B.", "B2.", "B0.", "B1.", "B3."]);
    }

    #[test]
    fn a_hundred_thousand_equal_names_stay_apart() {
        let name = |number| IsoNames::Short.file(b"same name.txt", number);
        let plain = (0..100_000).map(|_| name(None)).collect();
        let claimed: HashSet<_> = resolve(plain, |_, n| name(Some(n))).into_iter().collect();
        assert_eq!(claimed.len(), 100_000);
        assert!(claimed.iter().all(|id| id.len() <= 12));
    }
}
