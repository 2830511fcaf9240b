//! Our own reader: by its tree, and by what it extracts.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use xc_iso::DeviceKind;
use xc_iso::read::{Entry, Extract, Kind, Names, Reader, extract, verify};

use crate::host;
use crate::model::{Fact, Facts};

/// Everything in an image, which must be without a fault.
pub(crate) fn look(image: &Path) -> Facts {
    let reader = Reader::open(File::open(image).unwrap()).unwrap();
    assert_eq!(verify(&reader).unwrap(), []);
    facts(&reader)
}

/// Everything in the tree of a reader.
pub(crate) fn facts(reader: &Reader<File>) -> Facts {
    let mut facts = Facts::new();
    let mut visit = |path: &[u8], entry: &Entry| -> Result<(), ()> {
        assert!(std::ptr::eq(reader.find(path).unwrap(), entry));
        facts.insert(path.to_vec(), fact(reader, entry));
        Ok(())
    };
    reader.walk(&mut visit).unwrap();
    facts
}

fn fact(reader: &Reader<File>, entry: &Entry) -> Fact {
    let mut content = Vec::new();
    reader.content(entry).unwrap().read_to_end(&mut content).unwrap();
    let (kind, target, device) = match &entry.kind {
        Kind::Directory => ('d', Vec::new(), (0, 0)),
        Kind::File => ('-', Vec::new(), (0, 0)),
        Kind::Symlink(target) => ('l', target.clone(), (0, 0)),
        Kind::Device(DeviceKind::Block, major, minor) => ('b', Vec::new(), (*major, *minor)),
        Kind::Device(DeviceKind::Character, major, minor) => ('c', Vec::new(), (*major, *minor)),
        Kind::Fifo => ('p', Vec::new(), (0, 0)),
        Kind::Socket => ('s', Vec::new(), (0, 0)),
    };
    Fact {
        kind,
        mode: entry.meta.mode,
        uid: entry.meta.uid,
        gid: entry.meta.gid,
        links: entry.links,
        mtime: entry.meta.mtime,
        size: entry.size(),
        target,
        device,
        content,
    }
}

/// What it extracts.
pub(crate) fn look_extracted(image: &Path) -> Facts {
    let reader = Reader::open(File::open(image).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let options = Extract { owners: host::root(), devices: host::root(), ..Extract::default() };
    extract(&reader, folder.path(), options).unwrap();
    host::look(folder.path())
}

/// What has another name or no place in Joliet: the image must have as many directories and files,
/// with the same contents.
pub(crate) fn look_joliet(image: &Path) -> Facts {
    let reader = Reader::open_as(File::open(image).unwrap(), Some(Names::Joliet)).unwrap();
    assert_eq!(verify(&reader).unwrap(), []);
    facts(&reader)
}

/// Nothing is hidden from it.
pub(crate) fn blur(_: &mut Fact) -> bool {
    true
}

/// Hard links of what are no files are extracted as several.
pub(crate) fn blur_extracted(fact: &mut Fact) -> bool {
    host::blur(fact);
    if fact.kind != '-' {
        fact.links = 0;
    }
    host::root() || !matches!(fact.kind, 'b' | 'c')
}
