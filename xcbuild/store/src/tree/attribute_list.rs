//! The extended attributes of a tree as a text that `setfattr --restore` reads, for nodes: no ISO
//! holds them, and not every tar program unpacks them.

use std::collections::BTreeMap;

use super::{Attributes, Tree, TreePath};

/// What users note, and no program of a node relies on: tmpfs takes none before Linux 6.6.
const USERS: &[u8] = b"user.";

/// Attributes by path, as layers put them on top of each other.
#[derive(Debug, Clone, Default)]
pub struct AttributeList(BTreeMap<TreePath, Attributes>);

impl AttributeList {
    /// Takes in a layer on top of those before: what it has at a path has its own attributes.
    pub fn add(&mut self, layer: &Tree) {
        for (path, entry) in layer.iter() {
            let mut attributes = entry.attributes.clone();
            attributes.retain(|name, _| !name.starts_with(USERS));
            match attributes.is_empty() {
                true => self.0.remove(path),
                false => self.0.insert(path.clone(), attributes),
            };
        }
    }

    /// The first path that has any.
    pub fn first(&self) -> Option<&TreePath> {
        self.0.keys().next()
    }

    /// The text, with paths from the root on; `None` if there are no attributes.
    pub fn text(&self) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        for (path, attributes) in &self.0 {
            text.extend(b"# file: ");
            text.extend(quoted(path.as_bytes()));
            text.push(b'\n');
            for (name, value) in attributes {
                text.extend(quoted(name));
                let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
                text.extend(format!("=0x{hex}\n").into_bytes());
            }
            text.push(b'\n');
        }
        (!text.is_empty()).then_some(text)
    }
}

/// Bytes as `getfattr` writes them: what would end a line or a name in octal.
fn quoted(bytes: &[u8]) -> Vec<u8> {
    let one = |byte: &u8| match byte {
        b'\n' | b'\r' | b'\\' | b'=' => format!("\\{byte:03o}").into_bytes(),
        _ => vec![*byte],
    };
    bytes.iter().flat_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::AttributeList;
    use crate::tree::{Entry, Tree, TreePath};

    fn layer(entries: &[(&str, &[u8])]) -> Tree {
        let mut tree = Tree::new();
        for (path, value) in entries {
            let mut entry = Entry::file(0o755, "");
            if !value.is_empty() {
                entry.attributes.insert(b"security.x".to_vec(), value.to_vec());
                entry.attributes.insert(b"user.x".to_vec(), value.to_vec());
            }
            tree.insert(TreePath::new(path).unwrap(), entry);
        }
        tree
    }

    #[test]
    fn later_layers_win_also_where_they_have_none() {
        let mut list = AttributeList::default();
        assert_eq!(list.text(), None);
        list.add(&layer(&[("a\nb", b"\x01"), ("gone", b"x"), ("other", b"y")]));
        list.add(&layer(&[("gone", b""), ("other", b"\xff\0")]));
        let expected = "# file: a\\012b\nsecurity.x=0x01\n\n# file: other\nsecurity.x=0xff00\n\n";
        assert_eq!(list.text().unwrap(), expected.as_bytes());
    }
}
