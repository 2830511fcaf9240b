//! Reading: the disk that a machine sees.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

use xc_iso::read::Input;

use super::header::{Header, Unreadable};
use super::{COMPRESSED, HEADER_LENGTH, OFFSET, ZERO};

/// A qcow2 file as the disk that a machine sees.
#[derive(Debug)]
pub struct Qcow2 {
    file: File,
    header: Header,
}

impl Qcow2 {
    /// Reads the header.
    ///
    /// # Errors
    /// [`Unreadable`] as [`io::ErrorKind::InvalidData`]; when the file can't be read.
    pub fn open(file: File) -> io::Result<Self> {
        let mut bytes = [0; HEADER_LENGTH];
        let mut have = 0;
        while have < bytes.len() {
            match Input::read_at(&file, &mut bytes[have..], have as u64)? {
                0 => break,
                got => have += got,
            }
        }
        let header = Header::parse(&bytes[..have]).map_err(invalid)?;
        Ok(Self { file, header })
    }

    /// The place of a cluster in the file; `None` if it reads as zeros.
    fn place(&self, cluster: u64) -> io::Result<Option<u64>> {
        let entries = 1_u64 << (self.header.cluster_bits - 3);
        let entry = |at: u64| -> io::Result<u64> {
            let mut bytes = [0; 8];
            Input::read_exact_at(&self.file, &mut bytes, at)?;
            Ok(u64::from_be_bytes(bytes))
        };
        if cluster / entries >= self.header.l1_entries {
            return Ok(None);
        }
        let l2 = entry(self.header.l1.saturating_add(cluster / entries * 8))? & OFFSET;
        if l2 == 0 {
            return Ok(None);
        }
        let found = entry(l2 + cluster % entries * 8)?;
        if found & COMPRESSED != 0 {
            return Err(invalid(Unreadable::Compressed));
        }
        Ok(Some(found & OFFSET).filter(|place| *place != 0 && found & ZERO == 0))
    }
}

fn invalid(e: Unreadable) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, e)
}

impl Input for Qcow2 {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let cluster = 1_u64 << self.header.cluster_bits;
        let within = offset % cluster;
        let left = (cluster - within).min(self.header.size.saturating_sub(offset));
        let wanted = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let buffer = &mut buffer[..wanted];
        match self.place(offset / cluster)? {
            Some(place) => Input::read_exact_at(&self.file, buffer, place + within)?,
            None => buffer.fill(0),
        }
        Ok(wanted)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.header.size)
    }
}

/// Copies the disk that a machine sees into a raw file.
///
/// # Errors
/// When the one can't be read or the other not written.
pub fn to_raw(disk: &Qcow2, out: &mut File) -> io::Result<()> {
    let cluster = 1_u64 << disk.header.cluster_bits;
    let mut bytes = vec![0; cluster as usize];
    for number in 0..disk.header.size.div_ceil(cluster) {
        if disk.place(number)?.is_none() {
            continue;
        }
        let got = disk.read_at(&mut bytes, number * cluster)?;
        out.seek(SeekFrom::Start(number * cluster))?;
        out.write_all(&bytes[..got])?;
    }
    out.set_len(disk.header.size)
}
