//! Writing: a raw disk as qcow2.

use std::fs::File;
use std::io::{self, Seek, Write};

use xc_iso::read::Input;

use super::{COPIED, HEADER_LENGTH, MAGIC};

/// The version that is written.
const VERSION: u32 = 3;
const CLUSTER_BITS: u32 = 16;
pub(super) const CLUSTER: u64 = 1 << CLUSTER_BITS;
/// Refcounts of 16 bits.
const REFCOUNT_ORDER: u32 = 4;
pub(super) const REFCOUNTS_A_BLOCK: u64 = CLUSTER / 2;
/// L1, L2 and refcount tables have entries of 8 bytes.
const ENTRIES_A_CLUSTER: u64 = CLUSTER / 8;

/// Where everything is, in clusters.
pub(super) struct Layout {
    pub(super) refcount_blocks: u64,
    l1: u64,
    l1_clusters: u64,
    /// How many L2 tables there are, used or not.
    l2_tables: u64,
    pub(super) total: u64,
}

impl Layout {
    pub(super) fn new(clusters: u64, data: u64) -> Self {
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
    put(&(HEADER_LENGTH as u32).to_be_bytes());
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

/// Where the next part of a file is that is not a hole.
fn next_data(disk: &File, from: u64, size: u64) -> io::Result<Option<u64>> {
    if from >= size {
        return Ok(None);
    }
    match rustix::fs::seek(disk, rustix::fs::SeekFrom::Data(from)) {
        Ok(at) => Ok(Some(at)),
        Err(rustix::io::Errno::NXIO) => Ok(None),
        // A file system without holes.
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
