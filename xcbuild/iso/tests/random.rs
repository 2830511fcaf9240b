//! Random trees: what is read back is what went in, and the structure is without a fault.
#![allow(clippy::unwrap_used)]

#[allow(dead_code)] // the judges use all of it
#[path = "judges/model.rs"]
mod model;

use std::collections::BTreeSet;
use std::io::Read;

use model::{Fact, Facts, Model, What};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use xc_iso::read::{Entry, Kind, Names, Reader, verify};
use xc_iso::{DeviceKind, IsoNames, Joliet, Meta, Options, SECTOR};

/// Sizes at the edges of sectors.
fn sizes() -> impl Strategy<Value = usize> {
    let edges = (0..4_usize).prop_flat_map(|sectors| {
        let middle = sectors * SECTOR;
        middle.saturating_sub(2)..middle + 3
    });
    prop_oneof![0..40_usize, edges, 0..20_000_usize]
}

fn names() -> impl Strategy<Value = Vec<u8>> {
    let any_bytes = vec(1..=255_u8, 1..30);
    let alike = "[aA][bB_-]{0,2}(\\.[tT]xt)?".prop_map(String::into_bytes);
    let long =
        ("[a-z]", 20..=255_usize).prop_map(|(letter, times)| letter.repeat(times).into_bytes());
    let names = prop_oneof![any_bytes, alike, long];
    names.prop_filter("a name", |name| !name.contains(&b'/') && name != b"." && name != b"..")
}

fn targets() -> impl Strategy<Value = Vec<u8>> {
    let parts =
        prop_oneof![Just(".".into()), Just("..".into()), Just(String::new()), "[a-z]{1,260}"];
    vec(parts, 1..12)
        .prop_map(|parts| parts.join("/").into_bytes())
        .prop_filter("a target", |target| (1..=4095).contains(&target.len()))
}

#[derive(Clone, Debug)]
enum Kinds {
    Dir,
    File(usize, u8),
    Symlink(Vec<u8>),
    Hardlink(Index),
    Device(bool, u32, u32),
    Fifo,
    Socket,
}

fn kinds() -> impl Strategy<Value = Kinds> {
    prop_oneof![
        4 => Just(Kinds::Dir),
        4 => (sizes(), any::<u8>()).prop_map(|(size, byte)| Kinds::File(size, byte)),
        2 => targets().prop_map(Kinds::Symlink),
        2 => any::<Index>().prop_map(Kinds::Hardlink),
        1 => (any::<bool>(), 1..4096_u32, 0..0x10_0000_u32).prop_map(|(b, x, y)| Kinds::Device(b, x, y)),
        1 => Just(Kinds::Fifo),
        1 => Just(Kinds::Socket),
    ]
}

/// A tree: each entry goes to one of the directories before it, mostly the latest, so that it gets
/// deep. Names that are taken are left out.
fn trees() -> impl Strategy<Value = Model> {
    let meta = (0..0o10000_u32, any::<u32>(), any::<u32>(), -2_000_000_000..5_000_000_000_i64);
    let meta = meta.prop_map(|(mode, uid, gid, mtime)| Meta { mode, uid, gid, mtime });
    let entry = (any::<Index>(), any::<bool>(), names(), meta, kinds());
    vec(entry, 0..60).prop_map(|entries| {
        let mut model = Model::default();
        let mut directories: Vec<Vec<u8>> = vec![Vec::new()];
        let mut taken = BTreeSet::new();
        for (place, latest, name, meta, kind) in entries {
            let latest = latest.then(|| directories.last().cloned()).flatten();
            let above = latest.unwrap_or_else(|| place.get(&directories).clone());
            let path = if above.is_empty() { name } else { [&above, &b"/"[..], &name].concat() };
            if !taken.insert(path.clone()) {
                continue;
            }
            let what = match kind {
                Kinds::Dir => What::Dir,
                Kinds::File(size, byte) => What::File(vec![byte; size]),
                Kinds::Symlink(target) => What::Symlink(target),
                Kinds::Hardlink(to) => match first_names(&model) {
                    first if first.is_empty() => What::Fifo,
                    first => What::Hardlink(to.get(&first).clone()),
                },
                Kinds::Device(true, x, y) => What::Device(DeviceKind::Block, x, y),
                Kinds::Device(false, x, y) => What::Device(DeviceKind::Character, x, y),
                Kinds::Fifo => What::Fifo,
                Kinds::Socket => What::Socket,
            };
            if matches!(what, What::Dir) {
                directories.push(path.clone());
            }
            model.add_with(path, meta, what);
        }
        model
    })
}

fn first_names(model: &Model) -> Vec<Vec<u8>> {
    let first = |what: &What| !matches!(what, What::Dir | What::Hardlink(_));
    model.0.iter().filter(|entry| first(&entry.what)).map(|entry| entry.path.clone()).collect()
}

fn options() -> impl Strategy<Value = Options> {
    let joliet = prop_oneof![Just(Joliet::Off), Just(Joliet::Standard), Just(Joliet::Long)];
    let names = prop_oneof![Just(IsoNames::Short), Just(IsoNames::Long)];
    let alignment = prop_oneof![Just(2048), Just(4096), Just(32_768)];
    (joliet, names, alignment).prop_map(|(joliet, iso_names, alignment)| Options {
        joliet,
        iso_names,
        alignment,
        ..Options::default()
    })
}

fn facts(reader: &Reader<&[u8]>) -> Facts {
    let mut facts = Facts::new();
    let Ok(()) = reader.walk(|path, entry| -> Result<(), std::convert::Infallible> {
        facts.insert(path.to_vec(), fact(reader, entry));
        Ok(())
    });
    facts
}

fn fact(reader: &Reader<&[u8]>, entry: &Entry) -> Fact {
    let mut content = Vec::new();
    reader.content(entry).unwrap().read_to_end(&mut content).unwrap();
    let nothing = (Vec::new(), (0, 0));
    let (kind, (target, device)) = match &entry.kind {
        Kind::Directory => ('d', nothing),
        Kind::File => ('-', nothing),
        Kind::Symlink(target) => ('l', (target.clone(), (0, 0))),
        Kind::Device(DeviceKind::Block, x, y) => ('b', (Vec::new(), (*x, *y))),
        Kind::Device(DeviceKind::Character, x, y) => ('c', (Vec::new(), (*x, *y))),
        Kind::Fifo => ('p', nothing),
        Kind::Socket => ('s', nothing),
    };
    let Meta { mode, uid, gid, mtime } = entry.meta;
    let (links, size) = (entry.links, entry.size());
    Fact { kind, mode, uid, gid, links, mtime, size, target, device, content }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    #[test]
    fn trees_come_back(tree in trees(), options in options()) {
        let bytes = tree.bytes(options.clone()).unwrap();
        prop_assert!(bytes == tree.bytes(options.clone()).unwrap(), "the same bytes again");
        let reader = Reader::open(&bytes[..]).unwrap();
        prop_assert_eq!(verify(&reader).unwrap(), []);
        let (found, expected) = (facts(&reader), tree.facts());
        prop_assert!(found == expected, "{:?}\n{:?}", expected, found);
        if options.joliet != Joliet::Off {
            let joliet = Reader::open_as(&bytes[..], Some(Names::Joliet)).unwrap();
            prop_assert_eq!(verify(&joliet).unwrap(), []);
            let shown = expected.values().filter(|fact| matches!(fact.kind, 'd' | '-')).count();
            prop_assert_eq!(joliet.entries().len(), shown + 1);
        }
        // Plain names are unique: no entry gets lost for readers that know nothing else, but for
        // relocated directories, which they find elsewhere.
        let plain = Reader::open_as(&bytes[..], Some(Names::Plain)).unwrap();
        prop_assert_eq!(plain.problems(), []);
        prop_assert!(plain.entries().len() > expected.len());
    }
}
