//! What is bootable of an image, once files have their places.

use std::collections::HashMap;

use super::catalog::{self, ENTRIES_MAX, Placed};
use super::gpt::{BACKUP, Gpt, crc32};
use super::info_table;
use super::mbr::{CODE_MAX, CYLINDER, Mbr};
use super::{Boot, BootEntry, DISK_SECTOR, Platform};
use crate::contents::read::read_source;
use crate::descriptor;
use crate::error::{Error, ImagePath};
use crate::sector::{SECTOR, Sector};
use crate::source::Source;
use crate::tree::{Body, NodeId, Tree};

/// The boot entries with their files, and what goes with them.
#[derive(Debug)]
pub(crate) struct Plan<'t> {
    boot: &'t Boot,
    nodes: Vec<NodeId>,
    placed: Vec<Placed>,
    /// Contents with a boot information table, which replace those of the tree.
    patched: HashMap<NodeId, Source>,
    /// Where the catalog is, if there are entries.
    pub catalog: Sector,
}

impl<'t> Plan<'t> {
    /// Finds the files.
    pub(crate) fn new(tree: &Tree, boot: &'t Boot) -> Result<Self, Error> {
        let nodes = boot.entries.iter().map(|entry| file(tree, entry)).collect::<Result<_, _>>()?;
        if boot.entries.len() > ENTRIES_MAX {
            let reason = format!("{} entries, the limit is {ENTRIES_MAX}", boot.entries.len());
            return Err(Error::BadOption { option: "boot", reason });
        }
        if let Some(hybrid) = &boot.hybrid
            && hybrid.mbr.len() > CODE_MAX
            && hybrid.mbr[CODE_MAX..].iter().any(|&byte| byte != 0)
        {
            let reason = format!("the MBR has more than {CODE_MAX} bytes of code");
            return Err(Error::BadOption { option: "hybrid", reason });
        }
        let (placed, patched) = (Vec::new(), HashMap::new());
        Ok(Self { boot, nodes, placed, patched, catalog: Sector(0) })
    }

    /// Whether there are entries.
    pub(crate) fn is_bootable(&self) -> bool {
        !self.nodes.is_empty()
    }

    /// What the size of the image must be a multiple of, and how much the end of it is needed for.
    pub(crate) fn tail(&self) -> (u32, u64) {
        match &self.boot.hybrid {
            Some(hybrid) if hybrid.gpt => (CYLINDER, BACKUP * DISK_SECTOR),
            Some(_) => (CYLINDER, 0),
            None => (SECTOR as u32, 0),
        }
    }

    /// Takes note of where the files are, and tells the loaders that ask for it.
    pub(crate) fn place(&mut self, tree: &Tree, contents: &[Sector]) -> Result<(), Error> {
        for (entry, &node) in self.boot.entries.iter().zip(&self.nodes) {
            let start = contents[node.index()];
            let (platform, length) = (entry.platform, tree.inode(node).len());
            self.placed.push(Placed { platform, start, length, load_sectors: entry.load_sectors });
            if entry.info_table {
                let content = patched(tree, node, entry, start)?;
                self.patched.insert(node, Source::Bytes(content));
            }
        }
        Ok(())
    }

    /// The content that replaces that of the tree.
    pub(crate) fn patched(&self, node: NodeId) -> Option<&Source> {
        self.patched.get(&node)
    }

    /// The boot record and the catalog.
    pub(crate) fn descriptor(&self) -> Option<Vec<u8>> {
        self.is_bootable().then(|| catalog::boot_record(self.catalog))
    }

    pub(crate) fn catalog_bytes(&self) -> Option<Vec<u8>> {
        self.is_bootable().then(|| catalog::catalog(&self.placed))
    }

    /// The sectors in front of the descriptors, empty if nothing is in them.
    pub(crate) fn system_area(&self, end: Sector, seed: &[u8]) -> Vec<u8> {
        let Some(hybrid) = &self.boot.hybrid else { return Vec::new() };
        let of = |platform| self.placed.iter().find(|entry| entry.platform == platform);
        let disk_sector = |sector: Sector| sector.offset() / DISK_SECTOR;
        let mbr = Mbr {
            code: &hybrid.mbr[..hybrid.mbr.len().min(CODE_MAX)],
            loader: of(Platform::Bios).map(|entry| disk_sector(entry.start)),
            disk_id: crc32(0, seed),
            total: disk_sector(end),
            efi: self.gpt(end, seed).efi,
            gpt: hybrid.gpt,
        };
        let mut area = mbr.bytes();
        if hybrid.gpt {
            area.extend(self.gpt(end, seed).front());
        }
        area
    }

    /// The last bytes of the image, empty if nothing is in them.
    pub(crate) fn backup(&self, end: Sector, seed: &[u8]) -> Vec<u8> {
        match &self.boot.hybrid {
            Some(hybrid) if hybrid.gpt => self.gpt(end, seed).back(),
            _ => Vec::new(),
        }
    }

    fn gpt(&self, end: Sector, seed: &[u8]) -> Gpt {
        let efi = self.placed.iter().find(|entry| entry.platform == Platform::Efi);
        let sectors = |entry: &Placed| {
            let start = entry.start.offset() / DISK_SECTOR;
            start..start + entry.length.div_ceil(DISK_SECTOR)
        };
        Gpt {
            total: end.offset() / DISK_SECTOR,
            first_usable: Sector(descriptor::FIRST).offset() / DISK_SECTOR,
            efi: efi.map(sectors),
            seed: crc32(1, seed),
        }
    }
}

/// The file of an entry.
fn file(tree: &Tree, entry: &BootEntry) -> Result<NodeId, Error> {
    let path = || ImagePath(entry.path.clone());
    let node = tree.find(&entry.path).ok_or_else(|| Error::Missing { path: path() })?;
    match tree.inode(node).body {
        Body::File { len: 0, .. } => {
            Err(Error::Boot { path: path(), reason: "an empty file can't be booted" })
        }
        Body::File { .. } => Ok(node),
        _ => Err(Error::Boot { path: path(), reason: "only a regular file can be booted" }),
    }
}

/// The content of a loader with its boot information table.
fn patched(tree: &Tree, node: NodeId, entry: &BootEntry, start: Sector) -> Result<Vec<u8>, Error> {
    let path = || ImagePath(entry.path.clone());
    let Body::File { source, len } = &tree.inode(node).body else { return Ok(Vec::new()) };
    if !(info_table::END as u64..=info_table::CONTENT_MAX).contains(len) {
        let reason = "a boot information table needs a file of 64 bytes to 32 MiB";
        return Err(Error::Boot { path: path(), reason });
    }
    let mut content =
        read_source(source, *len).map_err(|failure| failure.named(path(), source, *len))?;
    info_table::patch(&mut content, start);
    Ok(content)
}
