//! Random trees through a tar and back, and random bytes that are no tar.

use std::io::Write;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::{from_tar, write_tar};
use crate::tree::{Blob, Entry, Kind, Tree, TreePath};

fn name() -> impl Strategy<Value = String> {
    // Short, so that paths meet; with what tars and shells may trip over, and one that is long.
    prop_oneof![4 => "[ab.]{1,3}", 1 => "[a-z \\n\u{e5}*]{1,8}", 1 => Just("l".repeat(180))]
        .prop_filter("a name", |n| !matches!(n.as_str(), "." | ".."))
}

fn kind() -> impl Strategy<Value = Kind> {
    let device = |(block, major, minor)| Kind::Device { block, major, minor };
    prop_oneof![
        3 => vec(any::<u8>(), 0..1500).prop_map(|bytes| Entry::file(0, bytes).kind),
        1 => Just(Kind::Directory),
        1 => vec(1_u8..=255, 1..300).prop_map(Kind::Symlink),
        1 => Just(Kind::Fifo),
        1 => (any::<bool>(), 0_u32..4096, 0_u32..0x10_0000).prop_map(device),
    ]
}

fn tree() -> impl Strategy<Value = Tree> {
    let path = vec(name(), 1..4).prop_map(|parts| parts.join("/"));
    let entry = (0_u32..0o10000, any::<u32>(), any::<u32>(), kind());
    btree_map(path, entry, 0..12).prop_map(|entries| {
        let mut tree = Tree::new();
        for (path, (mode, uid, gid, kind)) in entries {
            let mode = if matches!(kind, Kind::Symlink(_)) { 0o777 } else { mode };
            tree.insert(TreePath::new(path).unwrap(), Entry { uid, gid, ..Entry::new(mode, kind) });
        }
        tree
    })
}

fn blob(bytes: &[u8]) -> std::sync::Arc<Blob> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    Blob::open(file.path()).unwrap()
}

fn written(tree: &Tree) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_tar(tree, &mut bytes).unwrap();
    bytes
}

/// A tree with its contents in memory, which can be compared.
fn loaded(tree: Tree) -> Tree {
    let mut loaded = Tree::new();
    for (path, mut entry) in tree {
        if let Kind::File(content) = &entry.kind {
            entry.kind = Entry::file(0, content.read().unwrap()).kind;
        }
        loaded.insert(path, entry);
    }
    loaded
}

proptest! {
    #[test]
    fn trees_come_back_as_they_went(tree in tree()) {
        let bytes = written(&tree);
        let back = loaded(from_tar(&blob(&bytes)).unwrap());
        prop_assert_eq!(&back, &tree);
        prop_assert_eq!(written(&back), bytes);
    }

    #[test]
    fn damaged_tars_give_a_tree_or_an_error(
        tree in tree(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = written(&tree);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len() + 1));
        if let Ok(tree) = from_tar(&blob(&bytes)) {
            // What is taken can be written.
            written(&loaded(tree));
        }
    }
}
