//! The view for Windows: Joliet, a second hierarchy with names in UCS-2 ("Joliet Specification",
//! Microsoft 1995). It has no levels to keep to, so nothing is relocated, and no links or devices:
//! these stay out of it, as with every other writer, and Rock Ridge has them.
//!
//! Characters that Joliet forbids, those beyond the Basic Multilingual Plane and bytes that are no
//! UTF-8 become `_`; names are cut and numbered as in [`crate::names`]. Rock Ridge has them whole.

use crate::error::{Error, ImagePath};
use crate::names::{Identifier, resolve};
use crate::options::Joliet;
use crate::tree::{Body, NodeId, Tree};
use crate::view::{Entry, Role, View};

/// The longest name, in characters; `None` if there are to be none.
fn limit(joliet: Joliet) -> Option<usize> {
    match joliet {
        Joliet::Off => None,
        Joliet::Standard => Some(64),
        Joliet::Long => Some(103),
    }
}

/// A name that readers of Joliet see cut or with other characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JolietName {
    /// The entry.
    pub path: ImagePath,
    /// Its last name there.
    pub shown: String,
}

/// All names that are not what they are.
pub(crate) fn changed(tree: &Tree, joliet: Joliet) -> Vec<JolietName> {
    let Some(limit) = limit(joliet) else { return Vec::new() };
    let mut changed = Vec::new();
    let mut waiting = vec![(Tree::ROOT, Vec::new())];
    while let Some((directory, above)) = waiting.pop() {
        for entry in entries(tree, directory, limit) {
            let path = if above.is_empty() {
                entry.name.to_vec()
            } else {
                [&above, entry.name].join(&b'/')
            };
            let shown = text(&entry.identifier);
            if shown.as_bytes() != entry.name {
                changed.push(JolietName { path: ImagePath(path.clone()), shown });
            }
            if entry.is_directory(tree) {
                waiting.push((entry.node, path));
            }
        }
    }
    changed.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    changed
}

/// An identifier as text.
fn text(identifier: &Identifier) -> String {
    let units = identifier.as_chunks().0.iter().map(|&unit| u16::from_be_bytes(unit));
    String::from_utf16_lossy(&units.collect::<Vec<_>>())
}

/// Builds the view; `None` if there is to be none.
pub(crate) fn build(tree: &Tree, joliet: Joliet) -> Result<Option<View<'_>>, Error> {
    let Some(limit) = limit(joliet) else { return Ok(None) };
    View::new(tree, |directory| entries(tree, directory, limit), |_| None).map(Some)
}

fn entries(tree: &Tree, directory: NodeId, limit: usize) -> Vec<Entry<'_>> {
    let mut shown: Vec<(&[u8], NodeId)> = Vec::new();
    for (name, &node) in tree.entries(directory) {
        if matches!(tree.inode(node).body, Body::Directory(_) | Body::File { .. }) {
            shown.push((name, node));
        }
    }
    let plain = shown.iter().map(|&(name, _)| identifier(name, limit, None)).collect();
    let numbered = |index: usize, number| identifier(shown[index].0, limit, Some(number));
    let identifiers = resolve(plain, numbered).into_iter();
    let entries = identifiers.zip(&shown);
    entries
        .map(|(identifier, &(name, node))| Entry { identifier, name, node, role: Role::Plain })
        .collect()
}

/// A name of at most `limit` characters; what is cut and the number go before the suffix.
fn identifier(name: &[u8], limit: usize, number: Option<u32>) -> Identifier {
    let units = ucs2(name);
    let dot = units.iter().rposition(|&unit| unit == u16::from(b'.')).filter(|&at| at > 0);
    let (stem, suffix) = units.split_at(dot.unwrap_or(units.len()));
    let suffix = &suffix[..suffix.len().min(limit / 2)];
    let digits = number.map(|n| n.to_string()).unwrap_or_default();
    let kept = stem.len().min(limit.saturating_sub(digits.len() + suffix.len()));
    let digits = digits.bytes().map(u16::from);
    let units = stem[..kept].iter().copied().chain(digits).chain(suffix.iter().copied());
    let mut bytes = Vec::with_capacity(2 * limit.min(name.len() + 10));
    bytes.extend(units.flat_map(u16::to_be_bytes));
    bytes.into()
}

/// The characters of a name, `_` for each that Joliet can't hold.
fn ucs2(name: &[u8]) -> Vec<u16> {
    const STAND_IN: u16 = b'_' as u16;
    let mut units = Vec::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        units.extend(chunk.valid().chars().map(|c| match c {
            '\0'..=' ' if c != ' ' => STAND_IN,
            '*' | '/' | ':' | ';' | '?' | '\\' => STAND_IN,
            _ => u16::try_from(u32::from(c)).unwrap_or(STAND_IN),
        }));
        units.extend(chunk.invalid().iter().map(|_| STAND_IN));
    }
    units
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(limit: usize, list: &[&[u8]]) -> Vec<String> {
        let plain = list.iter().map(|name| identifier(name, limit, None)).collect();
        let unique = resolve(plain, |at, number| identifier(list[at], limit, Some(number)));
        unique.iter().map(text).collect()
    }

    #[test]
    fn names_are_cut_before_the_suffix_and_made_unique() {
        let long = "a".repeat(70);
        let (one, two) = (format!("{long}1.txt"), format!("{long}2.txt"));
        let cut = format!("{}.txt", "a".repeat(60));
        let cut_again = format!("{}0.txt", "a".repeat(59));
        let table: [(&[&[u8]], &[&str]); 4] = [
            (&[one.as_bytes(), two.as_bytes()], &[&cut, &cut_again]),
            (&["größe €".as_bytes(), b"README", b"readme"], &["größe €", "README", "readme"]),
            (&[b"what?", b"what*"], &["what_", "what_0"]),
            (&["\u{1f600}".as_bytes(), b"\xff.c", b"\t"], &["_", "_.c", "_0"]),
        ];
        for (given, expected) in table {
            assert_eq!(names(64, given), expected);
        }
    }
}
