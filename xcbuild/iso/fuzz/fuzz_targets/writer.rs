//! Any tree: what is written must be read back as it went in, without a fault, or refused.
//!
//! The input is a program: bytes choose what is added where, with names and contents taken from
//! what follows them.
#![no_main]

use std::collections::BTreeMap;
use std::io::Read;

use libfuzzer_sys::fuzz_target;
use xc_iso::read::{Kind, Reader, verify};
use xc_iso::{DeviceKind, Image, IsoNames, Joliet, Meta, Options, Source};

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
    let model = build(&mut bytes, &mut image);
    let mut written = Vec::new();
    image.write(&mut written).expect("what was added can be written");
    check(&written, &model);
});

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
