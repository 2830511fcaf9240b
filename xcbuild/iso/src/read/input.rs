//! What images are read from.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Bytes at positions: a file, or bytes in memory.
pub trait Input {
    /// Reads bytes from `offset` on; 0 of them at the end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// How many bytes there are.
    fn size(&self) -> io::Result<u64>;

    /// Fills `buffer` from `offset` on.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let mut have = 0;
        while have < buffer.len() {
            match self.read_at(&mut buffer[have..], offset.saturating_add(have as u64)) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(got) => have += got,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Input for File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, buffer, offset)
    }

    fn size(&self) -> io::Result<u64> {
        use std::io::{Seek, SeekFrom};
        let found = self.metadata()?;
        // A block device says its size only so.
        if found.is_file() { Ok(found.len()) } else { (&mut &*self).seek(SeekFrom::End(0)) }
    }
}

impl Input for [u8] {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(self.len());
        let got = buffer.len().min(self.len() - from);
        buffer[..got].copy_from_slice(&self[from..from + got]);
        Ok(got)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }
}

impl<I: Input + ?Sized> Input for &I {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        (**self).read_at(buffer, offset)
    }

    fn size(&self) -> io::Result<u64> {
        (**self).size()
    }
}

impl Input for Vec<u8> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.as_slice().read_at(buffer, offset)
    }

    fn size(&self) -> io::Result<u64> {
        self.as_slice().size()
    }
}
