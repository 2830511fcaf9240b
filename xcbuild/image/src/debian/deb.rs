//! Reading `.deb` files: an `ar` archive of three members, in this order (`man 5 deb`).
//!
//! ```text
//! debian-binary            2.0
//! control.tar[.gz|.xz|.zst]  ./control (what the package is), maintainer scripts
//! data.tar[.gz|.bz2|.xz|.zst]  the files
//! ```
//!
//! Maintainer scripts are never run: what of them matters is declared, see `effects`. Signatures
//! are apt's business; the bytes that come here have the digest that the lock file names.

use std::io::{self, Read};

use liblzma::read::XzDecoder;

/// The longest control file that is taken, in bytes; real ones have a few thousand.
const CONTROL_MAX: u64 = 1 << 20;

/// Why a file gives no package.
#[derive(Debug, thiserror::Error)]
pub enum DebError {
    /// It can't be read, or is cut short, or is not an `ar` archive.
    #[error("can't read the package")]
    Read(#[from] io::Error),
    /// Its first member says another format than 2.x.
    #[error("the package has format `{0}`; only 2.x is known")]
    Format(String),
    /// A member is compressed by something we don't have.
    #[error("the package's member `{0}` is compressed in an unknown way")]
    Compression(String),
    /// A member is not there.
    #[error("the package has no member `{0}`")]
    Missing(&'static str),
}

/// Gives the package's uncompressed `data.tar` to a writer.
///
/// # Errors
/// [`DebError`]; those of the writer are in [`DebError::Read`].
pub(super) fn copy_data(deb: impl Read, to: &mut impl io::Write) -> Result<u64, DebError> {
    with_member(deb, "data.tar", |member| io::copy(member, to))
}

/// The package's control paragraph: `Package: …`, `Version: …` and so on, without an empty line.
///
/// # Errors
/// [`DebError`].
pub(super) fn control(deb: impl Read) -> Result<String, DebError> {
    let text = with_member(deb, "control.tar", |member| {
        for entry in tar::Archive::new(member).entries()? {
            let entry = entry?;
            if entry.path()?.file_name() == Some("control".as_ref()) {
                let mut text = String::new();
                entry.take(CONTROL_MAX).read_to_string(&mut text)?;
                return Ok(Some(text));
            }
        }
        Ok(None)
    })?;
    text.map(|t| t.trim_end().to_owned()).ok_or(DebError::Missing("control"))
}

/// Finds a member by its name without the ending, and hands it over uncompressed.
fn with_member<T>(
    deb: impl Read,
    wanted: &'static str,
    use_it: impl FnOnce(&mut dyn Read) -> io::Result<T>,
) -> Result<T, DebError> {
    let mut archive = ar::Archive::new(deb);
    check_format(&mut archive)?;
    while let Some(member) = archive.next_entry() {
        let mut member = member?;
        let name = String::from_utf8_lossy(member.header().identifier()).into_owned();
        let Some(ending) = name.strip_prefix(wanted) else { continue };
        let mut plain: Box<dyn Read + '_> = match ending {
            "" => Box::new(&mut member),
            ".gz" => Box::new(flate2::read::MultiGzDecoder::new(&mut member)),
            ".xz" => Box::new(XzDecoder::new_parallel(&mut member)),
            ".zst" => Box::new(zstd::stream::read::Decoder::new(&mut member)?),
            _ => return Err(DebError::Compression(name)),
        };
        return Ok(use_it(&mut plain)?);
    }
    Err(DebError::Missing(wanted))
}

fn check_format<R: Read>(archive: &mut ar::Archive<R>) -> Result<(), DebError> {
    let mut first = archive.next_entry().ok_or(DebError::Missing("debian-binary"))??;
    if first.header().identifier() != b"debian-binary" {
        return Err(DebError::Missing("debian-binary"));
    }
    let mut version = String::new();
    first.by_ref().take(16).read_to_string(&mut version)?;
    if version.starts_with("2.") {
        Ok(())
    } else {
        Err(DebError::Format(version.trim_end().to_owned()))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write;

    use super::{DebError, control, copy_data};

    /// A package with that control paragraph and that `data.tar`, compressed by `ending`.
    pub(crate) fn package(paragraph: &str, data: &[u8], ending: &str) -> Vec<u8> {
        let mut inner = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(paragraph.len() as u64);
        header.set_mode(0o644);
        inner.append_data(&mut header, "./control", paragraph.as_bytes()).unwrap();
        let control = inner.into_inner().unwrap();
        let mut deb = ar::Builder::new(Vec::new());
        for (name, bytes) in [
            ("debian-binary".to_owned(), b"2.0\n".to_vec()),
            (format!("control.tar{ending}"), compressed(&control, ending)),
            (format!("data.tar{ending}"), compressed(data, ending)),
        ] {
            let header = ar::Header::new(name.into_bytes(), bytes.len() as u64);
            deb.append(&header, bytes.as_slice()).unwrap();
        }
        deb.into_inner().unwrap()
    }

    fn compressed(bytes: &[u8], ending: &str) -> Vec<u8> {
        match ending {
            ".gz" => {
                let mut to = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                to.write_all(bytes).unwrap();
                to.finish().unwrap()
            }
            ".xz" => {
                let mut to = liblzma::write::XzEncoder::new(Vec::new(), 1);
                to.write_all(bytes).unwrap();
                to.finish().unwrap()
            }
            ".zst" => zstd::encode_all(bytes, 1).unwrap(),
            _ => bytes.to_vec(),
        }
    }

    #[test]
    fn members_are_found_however_compressed() {
        for ending in ["", ".gz", ".xz", ".zst"] {
            let deb = package("Package: a\nVersion: 1\n", b"the data", ending);
            assert_eq!(control(deb.as_slice()).unwrap(), "Package: a\nVersion: 1", "{ending}");
            let mut data = Vec::new();
            assert_eq!(copy_data(deb.as_slice(), &mut data).unwrap(), 8, "{ending}");
            assert_eq!(data, b"the data", "{ending}");
        }
    }

    #[test]
    fn what_is_no_package_is_an_error() {
        let read = |bytes: &[u8]| copy_data(bytes, &mut Vec::new()).unwrap_err();
        assert!(matches!(read(b"not ar at all"), DebError::Read(_)));
        assert!(matches!(read(b"!<arch>\n"), DebError::Missing("debian-binary")));
        let unknown = package("Package: a\n", b"x", ".lz4");
        assert!(matches!(read(&unknown), DebError::Compression(name) if name == "data.tar.lz4"));
        let whole = package("Package: a\n", &[7; 4000], ".xz");
        assert!(matches!(read(&whole[..whole.len() - 40]), DebError::Read(_)));
        let mut new = whole;
        let at = new.windows(4).position(|w| w == b"2.0\n").unwrap();
        new[at] = b'3';
        assert!(matches!(read(&new), DebError::Format(f) if f == "3.0"));
    }
}
