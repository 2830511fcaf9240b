//! qcow2, the disk format of qemu: written from a raw disk, and read enough to tell what a disk is.
//!
//! ```text
//! header | refcount table | refcount blocks | L1 table | L2 tables | data, in the disk's order
//! ```
//!
//! Clusters of 64 KiB; those that hold zeros only take no room. No snapshots, no backing file, no
//! compression are written; a disk that has them can still be started, but not looked into.
//!
//! Reference: qemu, `docs/interop/qcow2.txt`, version 3.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

use xc_iso::read::Input;

/// How a qcow2 file begins.
pub const MAGIC: &[u8; 4] = b"QFI\xfb";
const VERSION: u32 = 3;
const CLUSTER_BITS: u32 = 16;
const CLUSTER: u64 = 1 << CLUSTER_BITS;
/// Refcounts of 16 bits.
const REFCOUNT_ORDER: u32 = 4;
const REFCOUNTS_A_BLOCK: u64 = CLUSTER / 2;
/// L1, L2 and refcount tables have entries of 8 bytes.
const ENTRIES_A_CLUSTER: u64 = CLUSTER / 8;
const HEADER_LENGTH: u32 = 104;
/// In L1 and L2: the cluster has one user.
const COPIED: u64 = 1 << 63;
/// In L2: the cluster is compressed.
const COMPRESSED: u64 = 1 << 62;
/// In L2: the cluster reads as zeros.
const ZERO: u64 = 1;
/// In L1 and L2: the place in the file.
const PLACE: u64 = 0x00ff_ffff_ffff_fe00;

/// Where everything is, in clusters.
struct Layout {
    refcount_blocks: u64,
    l1: u64,
    l1_clusters: u64,
    /// How many L2 tables there are, used or not.
    l2_tables: u64,
    total: u64,
}

impl Layout {
    fn new(clusters: u64, data: u64) -> Self {
        let l2_tables = clusters.div_ceil(ENTRIES_A_CLUSTER).max(1);
        let l1_clusters = l2_tables.div_ceil(ENTRIES_A_CLUSTER);
        // Header and refcount table take one each; the blocks count themselves, too.
        let rest = 2 + l1_clusters + l2_tables + data;
        let mut refcount_blocks = 1;
        while (rest + refcount_blocks).div_ceil(REFCOUNTS_A_BLOCK) > refcount_blocks {
            refcount_blocks += 1;
        }
        let (l1, total) = (2 + refcount_blocks, rest + refcount_blocks);
        Self { refcount_blocks, l1, l1_clusters, l2_tables, total }
    }

    fn l2(&self) -> u64 {
        self.l1 + self.l1_clusters
    }
}

/// Writes a raw disk as qcow2.
///
/// # Errors
/// When the one can't be read or the other not written.
pub fn write(disk: &File, out: &mut File) -> io::Result<()> {
    let size = disk.metadata()?.len();
    let used = used(disk, size)?;
    let layout = Layout::new(size.div_ceil(CLUSTER), used.len() as u64);
    let mut out = io::BufWriter::with_capacity(1 << 20, out);
    let pad = |out: &mut io::BufWriter<&mut File>| {
        let at = out.stream_position()?;
        out.write_all(&vec![0; (at.next_multiple_of(CLUSTER) - at) as usize])
    };
    out.write_all(&header(size, &layout))?;
    pad(&mut out)?;
    (0..layout.refcount_blocks).try_for_each(|n| number(&mut out, (2 + n) * CLUSTER))?;
    pad(&mut out)?;
    for cluster in 0..layout.refcount_blocks * REFCOUNTS_A_BLOCK {
        out.write_all(&u16::from(cluster < layout.total).to_be_bytes())?;
    }
    (0..layout.l2_tables)
        .try_for_each(|n| number(&mut out, ((layout.l2() + n) * CLUSTER) | COPIED))?;
    pad(&mut out)?;
    let mut place = layout.l2() + layout.l2_tables;
    let mut waiting = used.iter().peekable();
    for cluster in 0..layout.l2_tables * ENTRIES_A_CLUSTER {
        match waiting.next_if(|used| **used == cluster) {
            Some(_) => {
                number(&mut out, (place * CLUSTER) | COPIED)?;
                place += 1;
            }
            None => number(&mut out, 0)?,
        }
    }
    let mut bytes = vec![0; CLUSTER as usize];
    for cluster in used {
        read(disk, cluster, &mut bytes)?;
        out.write_all(&bytes)?;
    }
    out.flush()
}

fn number(out: &mut impl Write, value: u64) -> io::Result<()> {
    out.write_all(&value.to_be_bytes())
}

fn header(size: u64, layout: &Layout) -> Vec<u8> {
    let mut header = MAGIC.to_vec();
    let mut put = |field: &[u8]| header.extend_from_slice(field);
    put(&VERSION.to_be_bytes());
    put(&[0; 12]); // no backing file
    put(&CLUSTER_BITS.to_be_bytes());
    put(&size.to_be_bytes());
    put(&[0; 4]); // no encryption
    put(&(layout.l2_tables as u32).to_be_bytes());
    put(&(layout.l1 * CLUSTER).to_be_bytes());
    put(&CLUSTER.to_be_bytes()); // where the refcount table is,
    put(&1_u32.to_be_bytes()); // and how many clusters it takes
    put(&[0; 12]); // no snapshots
    put(&[0; 24]); // no features
    put(&REFCOUNT_ORDER.to_be_bytes());
    put(&HEADER_LENGTH.to_be_bytes());
    header
}

/// The clusters that hold something.
fn used(disk: &File, size: u64) -> io::Result<Vec<u64>> {
    let zeros = vec![0; CLUSTER as usize];
    let mut bytes = zeros.clone();
    let mut used = Vec::new();
    let mut at = 0;
    while let Some(data) = next_data(disk, at * CLUSTER, size)? {
        at = data / CLUSTER;
        read(disk, at, &mut bytes)?;
        if bytes != zeros {
            used.push(at);
        }
        at += 1;
    }
    Ok(used)
}

/// Where the next part of a file is that is no hole.
fn next_data(disk: &File, from: u64, size: u64) -> io::Result<Option<u64>> {
    if from >= size {
        return Ok(None);
    }
    match rustix::fs::seek(disk, rustix::fs::SeekFrom::Data(from)) {
        Ok(at) => Ok(Some(at)),
        Err(rustix::io::Errno::NXIO) => Ok(None),
        // A file system that knows of no holes.
        Err(rustix::io::Errno::INVAL) => Ok(Some(from)),
        Err(e) => Err(e.into()),
    }
}

/// A cluster of a raw disk; what lies behind the disk's end is zeros.
fn read(disk: &File, cluster: u64, bytes: &mut [u8]) -> io::Result<()> {
    let mut have = 0;
    while have < bytes.len() {
        match Input::read_at(disk, &mut bytes[have..], cluster * CLUSTER + have as u64)? {
            0 => break,
            got => have += got,
        }
    }
    bytes[have..].fill(0);
    Ok(())
}

/// A qcow2 file as the disk that a machine sees.
#[derive(Debug)]
pub struct Qcow2 {
    file: File,
    size: u64,
    cluster_bits: u32,
    l1: u64,
    l1_entries: u64,
}

impl Qcow2 {
    /// Reads the header.
    ///
    /// # Errors
    /// No qcow2 file, or one with a backing file or encryption, whose content isn't here.
    pub fn open(file: File) -> io::Result<Self> {
        let mut header = [0; 72];
        Input::read_exact_at(&file, &mut header, 0)?;
        let word = |at: usize| {
            u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
        };
        let long = |at: usize| u64::from(word(at)) << 32 | u64::from(word(at + 4));
        let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        let cluster_bits = word(20);
        if header[..4] != *MAGIC || !(9..=21).contains(&cluster_bits) {
            return Err(bad("no qcow2 disk"));
        }
        if long(8) != 0 || word(32) != 0 {
            return Err(bad("a qcow2 disk with a backing file, or an encrypted one"));
        }
        let (size, l1, l1_entries) = (long(24), long(40), word(36).into());
        Ok(Self { file, size, cluster_bits, l1, l1_entries })
    }

    /// The place of a cluster in the file; `None` if it reads as zeros.
    fn place(&self, cluster: u64) -> io::Result<Option<u64>> {
        let entries = 1_u64 << (self.cluster_bits - 3);
        let entry = |at: u64| -> io::Result<u64> {
            let mut bytes = [0; 8];
            Input::read_exact_at(&self.file, &mut bytes, at)?;
            Ok(u64::from_be_bytes(bytes))
        };
        if cluster / entries >= self.l1_entries {
            return Ok(None);
        }
        let l2 = entry(self.l1.saturating_add(cluster / entries * 8))? & PLACE;
        if l2 == 0 {
            return Ok(None);
        }
        let found = entry(l2 + cluster % entries * 8)?;
        if found & COMPRESSED != 0 {
            return Err(io::Error::other("a compressed qcow2 disk"));
        }
        Ok(Some(found & PLACE).filter(|place| *place != 0 && found & ZERO == 0))
    }
}

impl Input for Qcow2 {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let cluster = 1_u64 << self.cluster_bits;
        let within = offset % cluster;
        let left = (cluster - within).min(self.size.saturating_sub(offset));
        let wanted = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let buffer = &mut buffer[..wanted];
        match self.place(offset / cluster)? {
            Some(place) => Input::read_exact_at(&self.file, buffer, place + within)?,
            None => buffer.fill(0),
        }
        Ok(wanted)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.size)
    }
}

/// Copies the disk that a machine sees into a raw file.
///
/// # Errors
/// When the one can't be read or the other not written.
pub fn to_raw(disk: &Qcow2, out: &mut File) -> io::Result<()> {
    let cluster = 1_u64 << disk.cluster_bits;
    let mut bytes = vec![0; cluster as usize];
    for number in 0..disk.size.div_ceil(cluster) {
        if disk.place(number)?.is_none() {
            continue;
        }
        let got = disk.read_at(&mut bytes, number * cluster)?;
        out.seek(SeekFrom::Start(number * cluster))?;
        out.write_all(&bytes[..got])?;
    }
    out.set_len(disk.size)
}

#[cfg(test)]
mod tests {
    use super::{CLUSTER, Layout, Qcow2, REFCOUNTS_A_BLOCK, to_raw, write};
    use std::os::unix::fs::FileExt;

    #[test]
    fn a_disk_comes_back_as_it_was_and_holes_take_no_room() {
        let mut raw = tempfile::tempfile().unwrap();
        raw.set_len(600 << 20).unwrap();
        for (at, text) in [(0, "boot"), (CLUSTER - 2, "over"), (513 << 20, "second table")] {
            raw.write_all_at(text.as_bytes(), at).unwrap();
        }
        raw.set_len((600 << 20) + 512).unwrap();
        let mut out = tempfile::tempfile().unwrap();
        write(&raw, &mut out).unwrap();
        assert!(out.metadata().unwrap().len() < 12 * CLUSTER);
        let disk = Qcow2::open(out).unwrap();
        let mut again = tempfile::tempfile().unwrap();
        to_raw(&disk, &mut again).unwrap();
        assert_eq!(again.metadata().unwrap().len(), (600 << 20) + 512);
        let mut text = [0; 12];
        again.read_exact_at(&mut text, 513 << 20).unwrap();
        assert_eq!(&text, b"second table");
        let mut text = [0; 4];
        again.read_exact_at(&mut text, CLUSTER - 2).unwrap();
        assert_eq!(&text, b"over");
        let bytes = |mut file: &std::fs::File| {
            let mut bytes = Vec::new();
            std::io::Seek::rewind(&mut file).unwrap();
            std::io::Read::read_to_end(&mut std::io::Read::take(file, 1 << 20), &mut bytes)
                .unwrap();
            bytes
        };
        assert!(bytes(&raw) == bytes(&again));
        raw = again;
        drop(raw);
    }

    #[test]
    fn refcount_blocks_count_themselves() {
        let layout = Layout::new(100_000, 2 * REFCOUNTS_A_BLOCK - 10);
        assert!(layout.total <= layout.refcount_blocks * REFCOUNTS_A_BLOCK);
        assert_eq!(layout.refcount_blocks, 3);
    }

    #[test]
    fn what_is_no_disk_of_ours_to_look_into_says_so() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&[0; 4096], 0).unwrap();
        assert!(Qcow2::open(file).unwrap_err().to_string().contains("no qcow2 disk"));
    }
}
