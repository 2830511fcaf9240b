//! Any tree: what is written must be read back as it went in, without a fault, or refused.
//!
//! The input is a program: bytes choose what is added where, with names and contents taken from
//! what follows them.
#![no_main]

use std::collections::BTreeMap;
use std::io::Read;

use libfuzzer_sys::fuzz_target;
use xc_iso::read::{Kind, Reader, verify};
use xc_iso::{
    BootEntry, DeviceKind, Hybrid, Image, IsoNames, Joliet, Meta, Options, Platform, SECTOR,
    Source,
};

/// What went in, by path: kind, attributes and content.
type Model = BTreeMap<Vec<u8>, (Kind, Meta, Vec<u8>)>;

/// The input, taken piece by piece; nothing but zeros after its end.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    fn number(&mut self) -> u32 {
        u32::from_le_bytes([self.byte(), self.byte(), self.byte(), self.byte()])
    }

    fn text(&mut self) -> Vec<u8> {
        let length = usize::from(self.byte());
        let stretch = if length > 200 { 1 + usize::from(self.byte()) } else { 1 };
        let (text, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        text.repeat(stretch)
    }

    fn meta(&mut self) -> Meta {
        let mode = self.number() & 0o7777;
        Meta { mode, uid: self.number(), gid: self.number(), mtime: i64::from(self.number()) }
    }
}

fuzz_target!(|input: &[u8]| {
    let mut bytes = Bytes(input);
    let flags = bytes.byte();
    let options = Options {
        joliet: [Joliet::Off, Joliet::Standard, Joliet::Long, Joliet::Off][usize::from(flags & 3)],
        iso_names: if flags & 4 == 0 { IsoNames::Long } else { IsoNames::Short },
        alignment: if flags & 8 == 0 { 2048 } else { 8192 },
        ..Options::default()
    };
    let mut image = Image::new(options);
    let mut model = build(&mut bytes, &mut image);
    let patched = make_bootable(&mut image, &model, flags);
    let mut written = Vec::new();
    image.write(&mut written).expect("what was added can be written");
    if let Some(path) = patched {
        take_table(&written, &mut model, &path);
    }
    check(&written, &model);
});

/// The bytes of a loader that a boot information table is written over (El Torito has none; it is
/// mkisofs that made it).
const TABLE: std::ops::Range<usize> = 8..64;

/// Asks for boot entries and a partition table, as the flags have it; gives the file that gets a
/// boot information table.
fn make_bootable(image: &mut Image, model: &Model, flags: u8) -> Option<Vec<u8>> {
    let bootable = |(_, (kind, _, content)): &(&Vec<u8>, &(Kind, Meta, Vec<u8>))| {
        *kind == Kind::File && !content.is_empty()
    };
    let mut files = model.iter().filter(bootable);
    let mut patched = None;
    if flags & 16 != 0
        && let Some((path, (_, _, content))) = files.next()
    {
        let info_table = content.len() >= TABLE.end;
        patched = info_table.then(|| path.clone());
        let path = path.clone();
        image.boot(BootEntry { path, platform: Platform::Bios, load_sectors: None, info_table });
    }
    if flags & 32 != 0
        && let Some((path, _)) = files.next()
    {
        let (path, load_sectors) = (path.clone(), Some(u16::from(flags)));
        image.boot(BootEntry { path, platform: Platform::Efi, load_sectors, info_table: false });
    }
    if flags & 64 != 0 {
        image.hybrid(Hybrid { mbr: vec![flags; 64], gpt: flags & 128 != 0 });
    }
    patched
}

/// Puts the table that was written into the model: under the file's other names, too.
fn take_table(written: &[u8], model: &mut Model, path: &[u8]) {
    let reader = Reader::open(written).expect("an image");
    let entry = reader.find(path).expect("the loader");
    let mut content = Vec::new();
    reader.content(entry).expect("inside").read_to_end(&mut content).expect("readable");
    let place = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|i| content[at + i]));
    assert_eq!(place(8), 16, "where the primary descriptor is");
    assert_eq!(u64::from(place(12)) * SECTOR as u64, entry.pieces[0].start, "where the file is");
    assert_eq!(place(16) as usize, content.len(), "how long it is");
    let (_, _, before) = model[path].clone();
    // Equal files that are no links of this one are left alone by the writer.
    for (name, (kind, _, other)) in model.iter_mut() {
        let same = reader.find(name).is_some_and(|found| found.serial == entry.serial);
        if *kind == Kind::File && *other == before && same {
            other[TABLE].copy_from_slice(&content[TABLE]);
        }
    }
}

fn build(bytes: &mut Bytes<'_>, image: &mut Image) -> Model {
    let mut model = Model::new();
    let mut directories = vec![Vec::new()];
    while !bytes.0.is_empty() && model.len() < 200 {
        let what = bytes.byte();
        let above = directories[usize::from(bytes.byte()) % directories.len()].clone();
        let mut path: Vec<u8> = above;
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend(bytes.text());
        let meta = bytes.meta();
        let (major, minor) = (u32::from(bytes.byte()), bytes.number() & 0xfffff);
        let (kind, content, added) = match what % 8 {
            0 | 1 => (Kind::Directory, Vec::new(), image.dir(&path, meta)),
            2 => {
                let target = bytes.text();
                let added = image.symlink(&path, meta, &target);
                (Kind::Symlink(target), Vec::new(), added)
            }
            3 => (Kind::Fifo, Vec::new(), image.fifo(&path, meta)),
            4 => (Kind::Socket, Vec::new(), image.socket(&path, meta)),
            5 => {
                let device = DeviceKind::Block;
                let added = image.device(&path, meta, device, major, minor);
                (Kind::Device(device, major, minor), Vec::new(), added)
            }
            6 => match model.iter().find(|(_, (kind, ..))| *kind == Kind::File) {
                Some((first, (_, meta, content))) => {
                    let added = image.hardlink(&path, first);
                    if added.is_ok() {
                        let entry = (Kind::File, *meta, content.clone());
                        model.insert(path, entry);
                    }
                    continue;
                }
                None => continue,
            },
            _ => {
                let content = bytes.text();
                let added = image.file(&path, meta, Source::Bytes(content.clone()));
                (Kind::File, content, added)
            }
        };
        if added.is_ok() {
            // A directory that is there gets new attributes.
            if kind == Kind::Directory && !model.contains_key(&path) {
                directories.push(path.clone());
            }
            model.insert(path, (kind, meta, content));
        }
    }
    model
}

fn check(written: &[u8], model: &Model) {
    let reader = Reader::open(written).expect("an image");
    assert_eq!(verify(&reader).expect("readable"), []);
    let mut found = Model::new();
    let visited: Result<(), ()> = reader.walk(|path, entry| {
        let mut content = Vec::new();
        let mut from = reader.content(entry).expect("inside");
        from.read_to_end(&mut content).expect("readable");
        found.insert(path.to_vec(), (entry.kind.clone(), entry.meta, content));
        Ok(())
    });
    assert_eq!(visited, Ok(()));
    assert_eq!(&found, model);
    // Joliet, if there is any, must be sound as well.
    if reader.has_joliet() {
        let joliet = Reader::open_as(written, Some(xc_iso::read::Names::Joliet)).expect("an image");
        assert_eq!(verify(&joliet).expect("readable"), []);
    }
}
