//! Trees from tars and into tars.
//!
//! Reading trusts nothing: what a tar can't say of a tree (a path out of it, a file twice, a way
//! through a link, an end before the end) is an error that names the entry. Contents stay in the
//! tar's file and are read from there later.
//!
//! Writing is normal: entries in the tree's order, root's or numeric owners, one timestamp. Equal
//! trees give equal bytes.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use tar::{Archive, Builder, EntryType, Header};

use super::{Blob, Content, Entry, Kind, PathError, Tree, TreePath};

/// The time of every file that we write, seconds since 1970: 1 January 1980, the earliest that all
/// archive formats and file systems can express.
pub const TIMESTAMP: u64 = 315_532_800;

/// Tars come in blocks of that many bytes.
const BLOCK: u64 = 512;
/// What a sparse file in a tar may grow to in memory, in bytes.
const SPARSE_MAX: u64 = 256 << 20;

/// Why a tar gives no tree.
#[derive(Debug, thiserror::Error)]
pub enum TarError {
    /// It can't be read, or is no tar.
    #[error("the tar can't be read{}", after(last))]
    Read {
        /// The last entry that was read before.
        last: Option<String>,
        /// What is wrong.
        #[source]
        source: io::Error,
    },
    /// It ends before its end mark.
    #[error("the tar is cut short{}", after(last))]
    Short {
        /// The last entry that was read.
        last: Option<String>,
    },
    /// An entry's path, or the target of a hard link, is not inside a tree.
    #[error("bad path in the tar")]
    Path(#[from] PathError),
    /// An absolute path.
    #[error("`{0}` in the tar has an absolute path")]
    Absolute(String),
    /// A name that is there twice.
    #[error("`{0}` is in the tar twice")]
    Twice(TreePath),
    /// A path that goes through a symbolic link or a file of the same tar.
    #[error("`{0}` in the tar is below `{1}`, which is no directory")]
    Through(TreePath, TreePath),
    /// A symbolic link with more `..` than there are directories above it.
    #[error("the link `{0}` in the tar leads out of the tree: `{1}`")]
    Outside(TreePath, String),
    /// A hard link to a name that is not there before it, or is no file.
    #[error("`{0}` in the tar is a hard link to `{1}`, which is no file before it in the tar")]
    Dangling(TreePath, TreePath),
    /// A kind of entry that no tree can hold.
    #[error("`{0}` in the tar is of an unknown kind ({1:?})")]
    Kind(TreePath, char),
    /// A sparse file that is too big.
    #[error("`{0}` in the tar is a sparse file of {1} bytes; at most 256 MiB are taken")]
    Sparse(TreePath, u64),
}

fn after(last: &Option<String>) -> String {
    last.as_ref().map(|l| format!(" after `{l}`")).unwrap_or_default()
}

/// Reads an uncompressed tar.
///
/// # Errors
/// [`TarError`], which names the entry.
pub fn from_tar(blob: &Arc<Blob>) -> Result<Tree, TarError> {
    let mut reader = Reader { blob, tree: Tree::new(), last: None, end: 0 };
    // Other readers use the same handle, and with it its offset; `ReadAt` has its own.
    let mut archive = Archive::new(ReadAt { blob, at: 0 });
    let entries = archive.entries().map_err(|e| reader.broken(e))?;
    for entry in entries {
        let entry = entry.map_err(|e| reader.broken(e))?;
        reader.take(entry)?;
    }
    reader.check_end()?;
    Ok(reader.tree)
}

/// Sequential reading by positioned reads.
struct ReadAt<'a> {
    blob: &'a Blob,
    at: u64,
}

impl Read for ReadAt<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.blob.file().read_at(buffer, self.at)?;
        self.at += got as u64;
        Ok(got)
    }
}

struct Reader<'a> {
    blob: &'a Arc<Blob>,
    tree: Tree,
    last: Option<String>,
    /// Where the entry that was read last ends.
    end: u64,
}

impl Reader<'_> {
    fn broken(&self, source: io::Error) -> TarError {
        if source.kind() == io::ErrorKind::UnexpectedEof {
            return TarError::Short { last: self.last.clone() };
        }
        TarError::Read { last: self.last.clone(), source }
    }

    fn take(&mut self, mut entry: tar::Entry<'_, ReadAt<'_>>) -> Result<(), TarError> {
        let raw = entry.path_bytes().into_owned();
        self.last = Some(String::from_utf8_lossy(&raw).into_owned());
        self.end = (entry.raw_file_position() + entry.header().entry_size().unwrap_or(0))
            .next_multiple_of(BLOCK);
        if raw.starts_with(b"/") {
            return Err(TarError::Absolute(String::from_utf8_lossy(&raw).into_owned()));
        }
        let path = TreePath::new(&raw)?;
        if path.is_root() || entry.header().entry_type().is_pax_global_extensions() {
            return Ok(());
        }
        self.check_place(&path)?;
        let kind = self.kind(&path, &mut entry)?;
        let seen = self.tree.get(&path);
        let both_directories = seen.is_some_and(|e| e.is_directory() && kind == Kind::Directory);
        if seen.is_some() && !both_directories {
            return Err(TarError::Twice(path));
        }
        let number = |n: io::Result<u64>| n.ok().and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
        let header = entry.header();
        let mode = match kind {
            Kind::Symlink(_) => 0o777,
            _ => header.mode().map_err(|e| self.broken(e))? & 0o7777,
        };
        let (uid, gid) = (number(header.uid()), number(header.gid()));
        self.tree.insert(path, Entry { mode, uid, gid, kind });
        Ok(())
    }

    /// All that a path goes through has to be a directory.
    fn check_place(&self, path: &TreePath) -> Result<(), TarError> {
        let mut above = path.parent();
        while let Some(parent) = above.filter(|p| !p.is_root()) {
            if self.tree.get(&parent).is_some_and(|e| !e.is_directory()) {
                return Err(TarError::Through(path.clone(), parent));
            }
            above = parent.parent();
        }
        Ok(())
    }

    fn kind(
        &self,
        path: &TreePath,
        entry: &mut tar::Entry<'_, ReadAt<'_>>,
    ) -> Result<Kind, TarError> {
        let link = entry.link_name_bytes().map(|l| l.into_owned()).unwrap_or_default();
        let device = |block, h: &Header| {
            let part = |p: io::Result<Option<u32>>| p.ok().flatten().unwrap_or(0);
            Kind::Device { block, major: part(h.device_major()), minor: part(h.device_minor()) }
        };
        Ok(match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous => Kind::File(self.range(entry)?),
            EntryType::GNUSparse => Kind::File(self.sparse(path, entry)?),
            EntryType::Directory => Kind::Directory,
            EntryType::Symlink => {
                check_symlink(path, &link)?;
                Kind::Symlink(link)
            }
            EntryType::Link => self.hardlink(path, &link)?,
            EntryType::Fifo => Kind::Fifo,
            EntryType::Block => device(true, entry.header()),
            EntryType::Char => device(false, entry.header()),
            other => return Err(TarError::Kind(path.clone(), char::from(other.as_byte()))),
        })
    }

    fn range(&self, entry: &tar::Entry<'_, ReadAt<'_>>) -> Result<Content, TarError> {
        let (offset, len) = (entry.raw_file_position(), entry.size());
        let length = self.blob.file().metadata().map_err(|e| self.broken(e))?.len();
        if offset.checked_add(len).is_none_or(|end| end > length) {
            return Err(TarError::Short { last: self.last.clone() });
        }
        if len == 0 {
            return Ok(Content::bytes(""));
        }
        Ok(Content::Range { blob: Arc::clone(self.blob), offset, len })
    }

    fn sparse(
        &self,
        path: &TreePath,
        entry: &mut tar::Entry<'_, ReadAt<'_>>,
    ) -> Result<Content, TarError> {
        if entry.size() > SPARSE_MAX {
            return Err(TarError::Sparse(path.clone(), entry.size()));
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(|e| self.broken(e))?;
        Ok(Content::bytes(bytes))
    }

    fn hardlink(&self, path: &TreePath, target: &[u8]) -> Result<Kind, TarError> {
        let target = TreePath::new(target)?;
        match self.tree.get(&target).map(|e| &e.kind) {
            Some(Kind::File(_)) => Ok(Kind::Hardlink(target)),
            // A link to a link is one to its file.
            Some(Kind::Hardlink(first)) => Ok(Kind::Hardlink(first.clone())),
            _ => Err(TarError::Dangling(path.clone(), target)),
        }
    }

    /// A tar ends with blocks of zeros; one that was cut between two entries has none.
    fn check_end(&self) -> Result<(), TarError> {
        let mut block = [1; BLOCK as usize];
        match self.blob.file().read_exact_at(&mut block, self.end) {
            Ok(()) if block.iter().all(|b| *b == 0) => Ok(()),
            Err(e) if e.kind() != io::ErrorKind::UnexpectedEof => Err(self.broken(e)),
            _ => Err(TarError::Short { last: self.last.clone() }),
        }
    }
}

/// A relative link may climb to the root, not above it.
fn check_symlink(path: &TreePath, target: &[u8]) -> Result<(), TarError> {
    if target.starts_with(b"/") {
        return Ok(());
    }
    let mut depth = path.parts().count() - 1;
    for part in target.split(|b| *b == b'/').filter(|p| !p.is_empty() && *p != b".") {
        if part != b".." {
            depth += 1;
        } else if depth == 0 {
            let target = String::from_utf8_lossy(target).into_owned();
            return Err(TarError::Outside(path.clone(), target));
        } else {
            depth -= 1;
        }
    }
    Ok(())
}

/// Writes a tree as a tar.
///
/// # Errors
/// When a content can't be read, or the tar can't be written.
pub fn write_tar(tree: &Tree, to: impl Write) -> io::Result<()> {
    let first = first_names(tree);
    let mut tar = Builder::new(to);
    for (path, entry) in tree.iter() {
        append(&mut tar, path, entry, &written_kind(tree, &first, path, entry)?)?;
    }
    tar.into_inner()?.flush()
}

/// For every file with hard links, which of its names comes first.
fn first_names(tree: &Tree) -> BTreeMap<&TreePath, &TreePath> {
    let mut first = BTreeMap::new();
    for (path, entry) in tree.iter() {
        if let Kind::Hardlink(target) = &entry.kind {
            first.entry(target).or_insert(path.min(target));
        }
    }
    first
}

/// In a tar a hard link must come after its file: the name that sorts first gets the content.
fn written_kind(
    tree: &Tree,
    first: &BTreeMap<&TreePath, &TreePath>,
    path: &TreePath,
    entry: &Entry,
) -> io::Result<Kind> {
    let file = match &entry.kind {
        Kind::Hardlink(target) => target,
        _ => path,
    };
    match first.get(file) {
        Some(name) if *name != path => Ok(Kind::Hardlink((*name).clone())),
        Some(_) => match tree.get(file).map(|e| &e.kind) {
            Some(kind @ Kind::File(_)) => Ok(kind.clone()),
            _ => Err(io::Error::other(format!("`{path}` is a hard link to `{file}`, no file"))),
        },
        None => Ok(entry.kind.clone()),
    }
}

fn append<W: Write>(
    tar: &mut Builder<W>,
    path: &TreePath,
    entry: &Entry,
    kind: &Kind,
) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_mode(entry.mode);
    header.set_uid(entry.uid.into());
    header.set_gid(entry.gid.into());
    header.set_mtime(TIMESTAMP);
    header.set_size(0);
    let mut special = |entry_type| header.set_entry_type(entry_type);
    match kind {
        Kind::Directory => special(EntryType::Directory),
        Kind::Fifo => special(EntryType::Fifo),
        Kind::Device { block, major, minor } => {
            special(if *block { EntryType::Block } else { EntryType::Char });
            header.set_device_major(*major)?;
            header.set_device_minor(*minor)?;
        }
        Kind::Symlink(target) => return append_link(tar, header, EntryType::Symlink, path, target),
        Kind::Hardlink(target) => {
            return append_link(tar, header, EntryType::Link, path, target.as_bytes());
        }
        Kind::File(content) => {
            header.set_entry_type(EntryType::Regular);
            header.set_size(content.len());
            return tar.append_data(&mut header, os_path(path.as_bytes()), content.reader()?);
        }
    }
    tar.append_data(&mut header, os_path(path.as_bytes()), io::empty())
}

fn append_link<W: Write>(
    tar: &mut Builder<W>,
    mut header: Header,
    entry_type: EntryType,
    path: &TreePath,
    target: &[u8],
) -> io::Result<()> {
    header.set_entry_type(entry_type);
    let path = os_path(path.as_bytes());
    // The literal form leaves `./x` and `a//b` as they are; it has no way for long targets.
    if header.set_link_name_literal(target).is_ok() {
        return tar.append_data(&mut header, path, io::empty());
    }
    tar.append_link(&mut header, path, os_path(target))
}

fn os_path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;

    use super::{TarError, from_tar, write_tar};
    use crate::image::key::Digest;
    use crate::tree::{Blob, Entry, Kind, Tree, TreePath};

    fn path(text: &str) -> TreePath {
        TreePath::new(text).unwrap()
    }

    fn blob(bytes: &[u8]) -> Arc<Blob> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        Blob::open(file.path()).unwrap()
    }

    fn sample() -> Tree {
        let mut tree = Tree::new();
        let long = format!("{}/{}", "d".repeat(200), "f".repeat(200));
        let device = Kind::Device { block: false, major: 1, minor: 3 };
        for (name, entry) in [
            ("etc/run", Entry::file(0o4755, "x".repeat(600))),
            ("etc/empty", Entry::file(0o600, "")),
            ("a-link", Entry::new(0o4755, Kind::Hardlink(path("etc/run")))),
            ("sym", Entry::symlink("./etc//run")),
            ("longsym", Entry::symlink("t".repeat(300))),
            ("null", Entry::new(0o666, device)),
            ("pipe", Entry::new(0o644, Kind::Fifo)),
            (long.as_str(), Entry { uid: 1000, gid: 70_000, ..Entry::file(0o644, "deep") }),
        ] {
            tree.insert(path(name), entry);
        }
        tree
    }

    fn written(tree: &Tree) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_tar(tree, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn what_is_written_is_read_again_and_is_pinned() {
        let bytes = written(&sample());
        let tree = from_tar(&blob(&bytes)).unwrap();
        assert_eq!(tree.len(), sample().len());
        let content = |p: &str| match &tree.get(&path(p)).unwrap().kind {
            Kind::File(content) => content.read().unwrap(),
            other => panic!("{other:?}"),
        };
        assert_eq!(content("a-link"), "x".repeat(600).into_bytes());
        assert_eq!(tree.get(&path("etc/run")).unwrap().kind, Kind::Hardlink(path("a-link")));
        for name in ["sym", "longsym", "null", "pipe"] {
            assert_eq!(tree.get(&path(name)), sample().get(&path(name)), "{name}");
        }
        assert_eq!(written(&tree), bytes);
        insta::assert_snapshot!(Digest::of(&bytes), @"99a175877901b66c108338b51599e6f614fdcd70e160f878b56dc84a53e733e3");
    }

    #[test]
    fn gnu_tar_agrees() {
        let bytes = written(&sample());
        let list = crate::sys::exec::Exec::new("tar")
            .args(["--numeric-owner", "-tvf", "-"])
            .env("TZ", "UTC")
            .stdin_bytes(bytes)
            .output()
            .unwrap();
        let list = String::from_utf8(list).unwrap();
        for line in [
            "-rwsr-xr-x 0/0             600 1980-01-01 00:00 a-link",
            "hrwsr-xr-x 0/0               0 1980-01-01 00:00 etc/run link to a-link",
            "lrwxrwxrwx 0/0               0 1980-01-01 00:00 sym -> ./etc//run",
            "crw-rw-rw- 0/0             1,3 1980-01-01 00:00 null",
        ] {
            assert!(list.contains(line), "{line} not in\n{list}");
        }
    }

    #[test]
    fn cut_tars_are_refused_wherever_they_end() {
        let bytes = written(&sample());
        let end = bytes.len() - 1024;
        for cut in (1..=end).step_by(100).chain([511, 512, 1024, end]) {
            let e = from_tar(&blob(&bytes[..cut])).unwrap_err();
            assert!(matches!(e, TarError::Short { .. } | TarError::Read { .. }), "{cut}: {e:?}");
        }
    }

    #[test]
    fn hostile_entries_are_refused_by_name() {
        type Make = fn(&mut tar::Builder<Vec<u8>>);
        fn add(tar: &mut tar::Builder<Vec<u8>>, kind: u8, name: &str, link: &str) {
            let mut header = tar::Header::new_gnu();
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.set_link_name_literal(link).unwrap();
            header.set_entry_type(tar::EntryType::new(kind));
            header.set_size(0);
            header.set_mode(0o644);
            header.set_cksum();
            tar.append(&header, std::io::empty()).unwrap();
        }
        let rows: [(Make, &str); 8] = [
            (|t| add(t, b'0', "../x", ""), "bad path in the tar"),
            (|t| add(t, b'0', "/x", ""), "`/x` in the tar has an absolute path"),
            (|t| (0..2).for_each(|_| add(t, b'0', "x", "")), "`x` is in the tar twice"),
            (|t| add(t, b'1', "x", "y"), "`x` in the tar is a hard link to `y`"),
            (|t| add(t, b'1', "x", "../y"), "bad path in the tar"),
            (|t| add(t, b'2', "a/x", "../../y"), "the link `a/x` in the tar leads out"),
            (
                |t| {
                    add(t, b'2', "x", "/etc");
                    add(t, b'0', "x/y", "");
                },
                "`x/y` in the tar is below",
            ),
            (|t| add(t, b'Z', "x", ""), "`x` in the tar is of an unknown kind ('Z')"),
        ];
        for (make, message) in rows {
            let mut tar = tar::Builder::new(Vec::new());
            make(&mut tar);
            let e = from_tar(&blob(&tar.into_inner().unwrap())).unwrap_err();
            assert!(e.to_string().starts_with(message), "{e} is not {message}");
        }
    }
}
