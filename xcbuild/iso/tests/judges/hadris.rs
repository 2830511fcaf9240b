//! The crate `hadris-iso`, both ways: it reads what we write, and we read what it writes.

use std::path::Path;

use hadris_fs::sync::FileSystem;
use hadris_fs::{
    Content, DateTime, DeviceNumber, DirCursor, FileType, Metadata, MountOptions, Node, NodeId,
    OpenMode, Owner, Permissions, SetAttr, Tree,
};
use hadris_iso::sync::IsoFs;
use hadris_iso::{IsoLevel, IsoOptions, Namespace};
use hadris_storage::host::FileDevice;
use xc_harness::Case;
use xc_iso::DeviceKind;
use xc_iso::read::{Names, Reader, verify};

use crate::model::{Entry, Fact, Facts, Model, What};
use crate::{compare, golden, own};

type Mounted = IsoFs<FileDevice>;

/// Everything in an image.
pub(crate) fn look(image: &Path) -> Facts {
    let device = FileDevice::open(image).unwrap();
    let mut mounted = IsoFs::mount(device, MountOptions::new()).unwrap();
    // An empty image has no Rock Ridge name by which it could be told.
    let namespaces: Vec<_> = mounted.namespaces().iter().collect();
    assert!(namespaces.contains(&Namespace::RockRidge), "{namespaces:?}");
    let root = mounted.root();
    let mut facts = Facts::new();
    collect(&mut mounted, root, b"", &mut facts);
    facts
}

/// It takes the links of directories, and the size of all but files, for nothing to tell.
pub(crate) fn blur(fact: &mut Fact) -> bool {
    if fact.kind != '-' {
        fact.size = 0;
    }
    true
}

fn collect(mounted: &mut Mounted, folder: NodeId, path: &[u8], facts: &mut Facts) {
    let mut cursor = DirCursor::START;
    while let Some(entry) = mounted.readdir(folder, cursor).unwrap() {
        cursor = entry.next_cursor();
        let name = entry.name().as_bytes();
        let below = if path.is_empty() { name.to_vec() } else { [path, b"/", name].concat() };
        let node = mounted.lookup(folder, entry.name()).unwrap();
        let metadata = mounted.stat(node).unwrap();
        facts.insert(below.clone(), fact(mounted, node, &metadata));
        if metadata.file_type() == FileType::Dir {
            collect(mounted, node, &below, facts);
        }
        mounted.forget(node, 1);
    }
}

fn fact(mounted: &mut Mounted, node: NodeId, metadata: &Metadata) -> Fact {
    let (mut target, mut content) = (Vec::new(), Vec::new());
    let kind = match metadata.file_type() {
        FileType::Dir => 'd',
        FileType::File => {
            content = read(mounted, node);
            '-'
        }
        FileType::Symlink => {
            let mut buffer = [0; 4096];
            target = mounted.readlink(node, &mut buffer).unwrap().to_vec();
            'l'
        }
        FileType::CharDevice => 'c',
        FileType::BlockDevice => 'b',
        FileType::Fifo => 'p',
        FileType::Socket => 's',
        other => panic!("{other:?}"),
    };
    let owner = metadata.owner().expect("an owner");
    let device = metadata.device().map_or((0, 0), |device| (device.major(), device.minor()));
    // A device number that fits the old 16 bits is in the low half alone, as Linux has it.
    let device = if device.0 == 0 { (device.1 >> 8, device.1 & 0xff) } else { device };
    Fact {
        kind,
        mode: metadata.permissions().bits(),
        uid: owner.uid(),
        gid: owner.gid(),
        links: u32::try_from(metadata.nlink()).unwrap(),
        mtime: metadata.modified().expect("a time").unix_seconds(),
        size: metadata.len(),
        target,
        device,
        content,
    }
}

fn read(mounted: &mut Mounted, node: NodeId) -> Vec<u8> {
    mounted.open(node, OpenMode::Read).unwrap();
    let mut content = Vec::new();
    let mut chunk = vec![0; 1 << 16];
    loop {
        match mounted.read(node, content.len() as u64, &mut chunk).unwrap() {
            0 => break,
            got => content.extend_from_slice(&chunk[..got]),
        }
    }
    mounted.close(node).unwrap();
    content
}

/// Why it can't write a golden tree.
fn unwritable(model: &Model) -> Option<&'static str> {
    let no = |what: &What| matches!(what, What::Hardlink(_) | What::Fifo | What::Socket);
    let found = model.0.iter().any(|entry| no(&entry.what));
    found.then_some("it writes no FIFOs, sockets and hard links as ours")
}

/// Its own tree of a golden one.
fn tree(model: &Model) -> Tree {
    let mut tree = Tree::new();
    for Entry { path, meta, what } in &model.0 {
        let node = match what {
            What::Dir => Node::dir(),
            What::File(content) => Node::file(Content::bytes(content.clone())),
            What::Symlink(target) => Node::symlink(target),
            What::Hardlink(_) | What::Fifo | What::Socket => panic!("it can't write {path:?}"),
            What::Device(kind, major, minor) => {
                let kind = match kind {
                    DeviceKind::Block => FileType::BlockDevice,
                    DeviceKind::Character => FileType::CharDevice,
                };
                Node::special(kind, Some(DeviceNumber::new(*major, *minor)))
            }
        };
        let attributes = SetAttr::new()
            .with_permissions(Permissions::new(meta.mode))
            .with_owner(Owner::new(meta.uid, meta.gid))
            .with_modified(DateTime::from_unix_seconds(meta.mtime).unwrap());
        tree.insert(path, node.with_attrs(attributes)).unwrap();
    }
    tree
}

#[tests]
fn images_of_hadris_are_read() -> Vec<Case> {
    let case = |(name, model): golden::Golden| {
        Case::new(name, move || image_is_read(&model())).ignored(unwritable(&model()))
    };
    golden::ALL.map(case).into()
}

fn image_is_read(model: &Model) {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("hadris.iso");
    let file = std::fs::File::options().read(true).write(true).create_new(true).open(&image);
    let options = IsoOptions::default().with_level(IsoLevel::L3).with_rock_ridge();
    let device = FileDevice::new(file.unwrap()).unwrap();
    hadris_iso::sync::write(device, &tree(model), &options).unwrap();
    let reader = Reader::open(std::fs::File::open(&image).unwrap()).unwrap();
    assert_eq!(reader.names(), Names::RockRidge);
    assert_eq!(verify(&reader).unwrap(), []);
    let mut found = own::facts(&reader);
    // It shows the directory in which it keeps the deep ones.
    found.remove(&b"rr_moved"[..]);
    compare("hadris-iso wrote it", &model.facts(), &found);
}
