//! Files of gzip: one member after the other, and zeros after the last, as tapes and padding leave
//! them there.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::GzDecoder;

/// Reads all members of a file, as `gzip -d` does.
#[derive(Debug)]
pub(crate) struct Members<R: Read> {
    /// The member that is read; `None` after the last.
    member: Option<GzDecoder<BufReader<R>>>,
}

impl<R: Read> Members<R> {
    pub(crate) fn new(from: R) -> Self {
        Self { member: Some(GzDecoder::new(BufReader::new(from))) }
    }
}

impl<R: Read> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let got = member.read(buffer)?;
            if got > 0 || buffer.is_empty() {
                return Ok(got);
            }
            let next = self.member.take().map(GzDecoder::into_inner).map(after).transpose()?;
            self.member = next.flatten().map(GzDecoder::new);
        }
        Ok(0)
    }
}

/// The next member, or nothing if there are only zeros.
fn after<R: BufRead>(mut rest: R) -> io::Result<Option<R>> {
    match rest.fill_buf()?.first() {
        None => return Ok(None),
        Some(0) => {}
        Some(_) => return Ok(Some(rest)),
    }
    loop {
        let bytes = rest.fill_buf()?;
        if bytes.iter().any(|byte| *byte != 0) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "data after the end of gzip"));
        }
        match bytes.len() {
            0 => return Ok(None),
            length => rest.consume(length),
        }
    }
}
