//! What an extracting judge has left in a directory of the host.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use crate::model::{Fact, Facts};

/// Whether the tests may make devices and give files away.
pub(crate) fn root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Everything below a directory.
pub(crate) fn look(root: &Path) -> Facts {
    let mut facts = Facts::new();
    collect(root, root, &mut facts);
    facts
}

/// What no file system keeps: the size of directories and links, the mode and time of links. Without root,
/// owners are one's own.
pub(crate) fn blur(fact: &mut Fact) {
    match fact.kind {
        'l' => (fact.mode, fact.size, fact.mtime) = (0, 0, 0),
        'd' => fact.size = 0,
        _ => {}
    }
    if !root() {
        (fact.uid, fact.gid) = (0, 0);
    }
}

fn collect(root: &Path, folder: &Path, facts: &mut Facts) {
    for entry in fs::read_dir(folder).expect("a readable directory") {
        let path = entry.expect("an entry").path();
        let found = fact(&path);
        if found.kind == 'd' {
            collect(root, &path, facts);
        }
        let inside = path.strip_prefix(root).expect("a path below the root");
        facts.insert(inside.as_os_str().as_bytes().to_vec(), found);
    }
}

fn fact(path: &Path) -> Fact {
    let found = fs::symlink_metadata(path).expect("an entry");
    let of_type = found.file_type();
    let kind = match of_type {
        _ if of_type.is_dir() => 'd',
        _ if of_type.is_symlink() => 'l',
        _ if of_type.is_char_device() => 'c',
        _ if of_type.is_block_device() => 'b',
        _ if of_type.is_fifo() => 'p',
        _ if of_type.is_socket() => 's',
        _ => '-',
    };
    let target =
        if kind == 'l' { fs::read_link(path).expect("a link").into_os_string() } else { "".into() };
    let device = rustix::fs::major(found.rdev());
    Fact {
        kind,
        mode: found.mode() & 0o7777,
        uid: found.uid(),
        gid: found.gid(),
        links: found.nlink() as u32,
        mtime: found.mtime(),
        size: if kind == '-' { found.len() } else { 0 },
        target: target.as_bytes().to_vec(),
        device: if matches!(kind, 'b' | 'c') {
            (device, rustix::fs::minor(found.rdev()))
        } else {
            (0, 0)
        },
        content: if kind == '-' { fs::read(path).expect("a readable file") } else { Vec::new() },
    }
}
