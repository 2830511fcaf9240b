//! Writing cpio archives in the "newc" format, the form of an initramfs.
//!
//! Reference: `Documentation/driver-api/early-userspace/buffer-format.rst` of the kernel. Each entry
//! is a header of 110 ASCII characters, the name with a NUL, the content, both padded to 4 bytes:
//!
//! ```text
//! 070701 inode mode uid gid links mtime size devmajor devminor rdevmajor rdevminor namesize check
//! ```
//!
//! all in 8 hexadecimal digits. Equal trees give equal bytes: inodes are numbered in the tree's
//! order, times are 0. Hard links and pipes are no part of an initramfs of ours, and an error.

use std::io::{self, Read, Write};

use xc_store::tree::{Entry, Kind, Tree};

const MAGIC: &str = "070701";
const TRAILER: &[u8] = b"TRAILER!!!";
/// The kernel skips padding between archives; GNU cpio pads the whole to this.
const BLOCK: u64 = 512;

const DIRECTORY: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;
const LINK: u32 = 0o120_000;
const BLOCK_DEVICE: u32 = 0o060_000;
const CHARACTER_DEVICE: u32 = 0o020_000;

/// Writes a tree as an archive.
///
/// # Errors
/// Those of the writer and of the files' contents; an entry that can't be expressed, by its path.
pub(super) fn write(tree: &Tree, to: impl Write) -> io::Result<()> {
    let mut out = Counted { to, written: 0 };
    for (inode, (path, entry)) in (1..).zip(tree.iter()) {
        write_entry(&mut out, inode, path.as_bytes(), entry)
            .map_err(|e| io::Error::new(e.kind(), format!("`{path}` in the initramfs: {e}")))?;
    }
    header(&mut out, &Fields { links: 1, ..Fields::default() }, TRAILER)?;
    out.pad(BLOCK)
}

/// What varies between headers.
#[derive(Default)]
struct Fields {
    inode: u32,
    mode: u32,
    uid: u32,
    gid: u32,
    links: u32,
    size: u32,
    device: (u32, u32),
}

fn write_entry(
    out: &mut Counted<impl Write>,
    inode: u32,
    name: &[u8],
    entry: &Entry,
) -> io::Result<()> {
    let kind = match &entry.kind {
        Kind::Directory => DIRECTORY,
        Kind::File(_) => REGULAR,
        Kind::Symlink(_) => LINK,
        Kind::Device { block: true, .. } => BLOCK_DEVICE,
        Kind::Device { block: false, .. } => CHARACTER_DEVICE,
        Kind::Hardlink(_) | Kind::Fifo => {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "neither hard links nor pipes"));
        }
    };
    let size = match &entry.kind {
        Kind::File(content) => content.len(),
        Kind::Symlink(target) => target.len() as u64,
        _ => 0,
    };
    let fields = Fields {
        inode,
        mode: kind | entry.mode,
        uid: entry.uid,
        gid: entry.gid,
        links: 1,
        size: u32::try_from(size).map_err(|_| io::ErrorKind::FileTooLarge)?,
        device: match entry.kind {
            Kind::Device { major, minor, .. } => (major, minor),
            _ => (0, 0),
        },
    };
    header(out, &fields, name)?;
    match &entry.kind {
        Kind::File(content) => drop(io::copy(&mut content.reader()?.take(size), out)?),
        Kind::Symlink(target) => out.write_all(target)?,
        _ => {}
    }
    out.pad(4)
}

fn header(out: &mut Counted<impl Write>, fields: &Fields, name: &[u8]) -> io::Result<()> {
    const MTIME: u32 = 0;
    const CHECK: u32 = 0;
    let name_size = u32::try_from(name.len() + 1).map_err(|_| io::ErrorKind::InvalidFilename)?;
    let numbers = [
        fields.inode,
        fields.mode,
        fields.uid,
        fields.gid,
        fields.links,
        MTIME,
        fields.size,
        0,
        0,
        fields.device.0,
        fields.device.1,
        name_size,
        CHECK,
    ];
    out.write_all(MAGIC.as_bytes())?;
    for number in numbers {
        write!(out, "{number:08x}")?;
    }
    out.write_all(name)?;
    out.write_all(&[0])?;
    out.pad(4)
}

/// Knows how far the archive is, for its padding.
struct Counted<W> {
    to: W,
    written: u64,
}

impl<W: Write> Counted<W> {
    fn pad(&mut self, unit: u64) -> io::Result<()> {
        while !self.written.is_multiple_of(unit) {
            self.write_all(&[0])?;
        }
        Ok(())
    }
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::write;
    use xc_store::key::Digest;
    use xc_store::tree::{Entry, Kind, Tree, TreePath};
    use xc_sys::exec::{Exec, ExecError};

    fn sample() -> Tree {
        let mut tree = Tree::new();
        let mut put = |path: &str, entry: Entry| tree.insert(TreePath::new(path).unwrap(), entry);
        put("bin/busybox", Entry::file(0o755, "#!"));
        put("bin/sh", Entry::symlink("busybox"));
        put("dev/null", Entry::new(0o666, Kind::Device { block: false, major: 1, minor: 3 }));
        put("init", Entry::file(0o755, "exec true\n"));
        tree
    }

    #[test]
    fn bytes_are_pinned() {
        let mut bytes = Vec::new();
        write(&sample(), &mut bytes).unwrap();
        assert_eq!(bytes.len() % 512, 0);
        let first = "07070100000001000041ed0000000000000000000000010000000000000000\
                     000000000000000000000000000000000000000400000000bin\0";
        assert!(bytes.starts_with(first.as_bytes()));
        insta::assert_snapshot!(Digest::of(&bytes), @"2cb6f8b0fbeb9f21efc21293d461de52f59ded24d79a57a2a8a315f5f6e6a548");
    }

    #[test]
    fn cpio_lists_it() {
        let mut bytes = Vec::new();
        write(&sample(), &mut bytes).unwrap();
        match Exec::new("cpio").args(["-tv", "--quiet"]).stdin_bytes(bytes).output() {
            Err(ExecError::Missing { .. }) => {
                panic!("no cpio on this host; `make install-deps` installs it")
            }
            listing => {
                let listing = String::from_utf8(listing.unwrap()).unwrap();
                let names: Vec<&str> =
                    listing.lines().map(|l| l.split_whitespace().last().unwrap()).collect();
                assert_eq!(names, ["bin", "bin/busybox", "busybox", "dev", "dev/null", "init"]);
                assert!(listing.contains("bin/sh -> busybox"), "{listing}");
                assert!(listing.contains("crw-rw-rw-"), "{listing}");
            }
        }
    }

    #[test]
    fn what_has_no_place_is_named() {
        let mut tree = sample();
        tree.insert(TreePath::new("run/pipe").unwrap(), Entry::new(0o600, Kind::Fifo));
        let error = write(&tree, Vec::new()).unwrap_err().to_string();
        insta::assert_snapshot!(error, @"`run/pipe` in the initramfs: neither hard links nor pipes");
    }
}
