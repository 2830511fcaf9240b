//! Trees from tars.

use std::collections::BTreeSet;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use tar::{Archive, EntryType, Header};

use super::TarError;
use crate::tree::{Blob, Content, Entry, Kind, Tree, TreePath};

/// Tars come in blocks of that many bytes.
const BLOCK: u64 = 512;
/// What all sparse files of a tar together may grow to in memory, in bytes.
const SPARSE_MAX: u64 = 256 << 20;
/// The longest name or list of attributes of an entry, in bytes.
const LONG_MAX: u64 = 1 << 20;
/// More names than that are a bomb: the tree of a whole distribution has a tenth.
const ENTRIES_MAX: u64 = 2_000_000;

/// Reads an uncompressed tar.
///
/// # Errors
/// [`TarError`], which names the entry.
pub fn from_tar(blob: &Arc<Blob>) -> Result<Tree, TarError> {
    let (tree, linked) = (Tree::new(), BTreeSet::new());
    let mut reader = Reader { blob, tree, linked, last: None, end: 0, sparse: 0 };
    reader.check_sizes()?;
    // Other readers use the same handle, and with it its offset; `ReadAt` has its own.
    let mut archive = Archive::new(ReadAt { blob, at: 0 });
    let entries = archive.entries_with_seek().map_err(|e| reader.broken(e))?;
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

/// Contents are passed over and not read.
impl Seek for ReadAt<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(_) => None,
        };
        let nowhere = || io::Error::new(io::ErrorKind::InvalidInput, "an entry ends nowhere");
        self.at = place.ok_or_else(nowhere)?;
        Ok(self.at)
    }
}

struct Reader<'a> {
    blob: &'a Arc<Blob>,
    tree: Tree,
    /// The files that hard links name.
    linked: BTreeSet<TreePath>,
    last: Option<String>,
    /// Where the entry that was read last ends.
    end: u64,
    /// Bytes of sparse files so far.
    sparse: u64,
}

impl Reader<'_> {
    fn broken(&self, source: io::Error) -> TarError {
        if source.kind() == io::ErrorKind::UnexpectedEof {
            return TarError::Short { last: self.last.clone() };
        }
        TarError::Read { last: self.last.clone(), source }
    }

    /// Long names and attributes are read into memory whole: that they are not too long is looked at
    /// before.
    fn check_sizes(&mut self) -> Result<(), TarError> {
        let mut archive = Archive::new(ReadAt { blob: self.blob, at: 0 });
        let entries = archive.entries_with_seek().map_err(|e| self.broken(e))?.raw(true);
        let mut count = 0;
        for entry in entries {
            let entry = entry.map_err(|e| self.broken(e))?;
            let kind = entry.header().entry_type();
            let about_another = kind.is_gnu_longname()
                || kind.is_gnu_longlink()
                || kind.is_pax_local_extensions()
                || kind.is_pax_global_extensions();
            if about_another && entry.size() > LONG_MAX {
                return Err(TarError::Long { last: self.last.take(), bytes: entry.size() });
            }
            count += 1;
            if count > ENTRIES_MAX {
                return Err(TarError::Many(ENTRIES_MAX));
            }
            self.last = Some(String::from_utf8_lossy(&entry.path_bytes()).into_owned());
        }
        self.last = None;
        Ok(())
    }

    fn take(&mut self, mut entry: tar::Entry<'_, ReadAt<'_>>) -> Result<(), TarError> {
        let raw = entry.path_bytes().into_owned();
        self.last = Some(String::from_utf8_lossy(&raw).into_owned());
        // The size of a sparse file is that of what it unpacks to; its header has the other one.
        let length = match entry.header().entry_type() {
            EntryType::GNUSparse => entry.header().entry_size().unwrap_or(0),
            _ => entry.size(),
        };
        let end = entry.raw_file_position().checked_add(length);
        let end = end.and_then(|end| end.checked_next_multiple_of(BLOCK));
        self.end = end.ok_or_else(|| TarError::Short { last: self.last.clone() })?;
        if is_pax_sparse(&mut entry).map_err(|e| self.broken(e))? {
            return Err(TarError::PaxSparse(String::from_utf8_lossy(&raw).into_owned()));
        }
        // From the root on or not (`tar -P`): it is unpacked there.
        let path = TreePath::new(&raw)?;
        if path.is_root() || entry.header().entry_type().is_pax_global_extensions() {
            return Ok(());
        }
        self.check_place(&path)?;
        let kind = self.kind(&path, &mut entry)?;
        if kind == Kind::Hardlink(path.clone()) {
            // How tar writes a file that it is given twice.
            return Ok(());
        }
        self.check_again(&path, &kind)?;
        if let Kind::Hardlink(target) = &kind {
            self.linked.insert(target.clone());
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

    /// What is there a second time takes the place of the first, as where a tar is unpacked. A
    /// directory and what is none can't, nor can a file that has other names by now.
    fn check_again(&self, path: &TreePath, kind: &Kind) -> Result<(), TarError> {
        let Some(seen) = self.tree.get(path) else { return Ok(()) };
        let same_sort = seen.is_directory() == (*kind == Kind::Directory);
        if same_sort && !self.linked.contains(path) {
            return Ok(());
        }
        Err(TarError::Twice(path.clone()))
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
        &mut self,
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
            EntryType::Symlink => Kind::Symlink(link),
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
        &mut self,
        path: &TreePath,
        entry: &mut tar::Entry<'_, ReadAt<'_>>,
    ) -> Result<Content, TarError> {
        self.sparse = self.sparse.saturating_add(entry.size());
        if self.sparse > SPARSE_MAX {
            return Err(TarError::Sparse(path.clone(), self.sparse));
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(|e| self.broken(e))?;
        Ok(Content::bytes(bytes))
    }

    fn hardlink(&self, path: &TreePath, target: &[u8]) -> Result<Kind, TarError> {
        let target = TreePath::new(target).map_err(|e| TarError::Outside(path.clone(), e))?;
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

/// GNU tar's other forms of sparse files have their map in attributes, or before their content.
fn is_pax_sparse(entry: &mut tar::Entry<'_, ReadAt<'_>>) -> io::Result<bool> {
    let Some(attributes) = entry.pax_extensions()? else { return Ok(false) };
    for attribute in attributes {
        if attribute?.key_bytes().starts_with(b"GNU.sparse.") {
            return Ok(true);
        }
    }
    Ok(false)
}
