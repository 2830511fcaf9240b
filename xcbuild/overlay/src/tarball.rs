//! Tars that others made: an overlay that is a tar file, and what a `tar` script writes.
//!
//! They may be compressed, which their first bytes show. What comes of them is normal: times
//! are gone, and what belongs to the user who built it belongs to root, so that two users' builds
//! are the same.

use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use fs_err as fs;

use super::gzip;
use liblzma::read::XzDecoder;
use xc_store::store::Store;
use xc_store::tree::{Archive, Blob, SPARSE_MAX, Tree, TreePath};
use xc_sys::cancel;

/// A tar may become that many times its size; real overlays rarely become ten times as big.
const RATIO_MAX: u64 = 100;
/// Up to that many bytes any ratio is taken.
const FREE: u64 = 1_000_000_000;
/// More bytes than that are asked for by name, whatever the ratio.
const MOST: u64 = 16_000_000_000;

/// Reads a tar file, compressed or not. `most` is what it may become, in bytes, where that is not
/// the usual.
///
/// # Errors
/// When it can't be read, is damaged, or holds what no tree can.
pub fn read(path: &Path, store: &Store, most: Option<u64>) -> Result<Tree> {
    let mut start = [0; 6];
    let mut file = fs::File::open(path)?;
    let packed = file.metadata()?.len();
    let got = read_start(&mut file, &mut start)?;
    let reader: Box<dyn Read> = match &start[..got] {
        [0x1f, 0x8b, ..] => Box::new(gzip::Members::new(again(path)?)),
        [0xfd, b'7', b'z', b'X', b'Z', 0] => Box::new(XzDecoder::new_multi_decoder(again(path)?)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(zstd::Decoder::new(again(path)?)?),
        [b'B', b'Z', b'h', ..] => Box::new(bzip2::read::MultiBzDecoder::new(again(path)?)),
        _ => return tree(&Blob::open(path)?, path, store),
    };
    let most = most.unwrap_or_else(|| packed.saturating_mul(RATIO_MAX).clamp(FREE, MOST));
    let unpacked = unpack(reader, most, store)
        .with_context(|| format!("can't decompress `{}`", path.display()))?;
    tree(&Blob::open(unpacked.path())?, path, store)
}

fn again(path: &Path) -> io::Result<fs::File> {
    fs::File::open(path)
}

fn read_start(file: &mut impl Read, start: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while got < start.len() {
        match file.read(&mut start[got..])? {
            0 => break,
            n => got += n,
        }
    }
    Ok(got)
}

fn unpack(mut from: Box<dyn Read>, most: u64, store: &Store) -> Result<tempfile::NamedTempFile> {
    let mut to = store.temporary()?;
    let mut buffer = vec![0; 1 << 18];
    let mut size = 0;
    loop {
        cancel::check()?;
        let got = from.read(&mut buffer)?;
        if got == 0 {
            return Ok(to);
        }
        size += got as u64;
        if size > most {
            bail!(
                "it decompresses to more than {most} bytes, as a decompression bomb does; --unpack-max allows more"
            );
        }
        to.write_all(&buffer[..got])?;
    }
}

fn tree(blob: &Arc<Blob>, name: &Path, store: &Store) -> Result<Tree> {
    let archive = Archive::read(blob, SPARSE_MAX)?;
    if let Some((path, _)) = archive.lost.first() {
        store.reporter().warn(format_args!(
            "`{}`: the access lists of {} files, such as `{path}`, name users by name alone and are left out; tar --numeric-owner keeps them",
            name.display(),
            archive.lost.len()
        ));
    }
    let mut tree = archive.into_tree();
    let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    let paths: Vec<TreePath> = tree.iter().map(|(path, _)| path.clone()).collect();
    for path in paths {
        if let Some(entry) = tree.get_mut(&path) {
            entry.uid = if entry.uid == uid { 0 } else { entry.uid };
            entry.gid = if entry.gid == gid { 0 } else { entry.gid };
        }
    }
    Ok(tree)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use xc_report::Reporter;

    use super::read;
    use xc_store::store::{Directory, Store};
    use xc_store::tree::{Entry, Tree, TreePath, write_tar};

    fn sample() -> Tree {
        let mut tree = Tree::new();
        let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
        let mine = Entry { uid, gid, ..Entry::file(0o644, "mine") };
        tree.insert(TreePath::new("etc/mine").unwrap(), mine);
        let other = Entry { uid: 7777, gid: 7778, ..Entry::file(0o644, "other") };
        tree.insert(TreePath::new("etc/other").unwrap(), other);
        tree
    }

    #[test]
    fn every_compression_gives_the_same_tree_and_ours_becomes_roots() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store"), &Reporter::silent()).unwrap();
        let mut plain = Vec::new();
        write_tar(&sample(), &mut plain).unwrap();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&plain).unwrap();
        let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
        xz.write_all(&plain).unwrap();
        let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        bzip2.write_all(&plain).unwrap();
        let forms = [
            plain.clone(),
            gzip.finish().unwrap(),
            xz.finish().unwrap(),
            bzip2.finish().unwrap(),
            zstd::encode_all(plain.as_slice(), 1).unwrap(),
        ];
        for form in forms {
            let path = dir.path().join("x.tar");
            std::fs::write(&path, &form).unwrap();
            let tree = read(&path, &store, None).unwrap();
            let owner = |p: &str| {
                let entry = tree.get(&TreePath::new(p).unwrap()).unwrap();
                (entry.uid, entry.gid)
            };
            assert_eq!(tree.len(), 3);
            assert_eq!((owner("etc/mine"), owner("etc/other")), ((0, 0), (7777, 7778)));
            std::fs::write(&path, &form[..form.len() / 2]).unwrap();
            assert!(read(&path, &store, None).is_err());
        }
    }

    /// As `cat a.xz b.xz`, pxz and pigz write them, and what tapes append.
    #[test]
    fn several_streams_are_read_and_zeros_after_them() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store"), &Reporter::silent()).unwrap();
        let mut plain = Vec::new();
        write_tar(&sample(), &mut plain).unwrap();
        let (one, two) = plain.split_at(700);
        let xz = |bytes: &[u8]| {
            let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
            xz.write_all(bytes).unwrap();
            xz.finish().unwrap()
        };
        let gzip = |bytes: &[u8]| {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gzip.write_all(bytes).unwrap();
            gzip.finish().unwrap()
        };
        let bzip2 = |bytes: &[u8]| {
            let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            bzip2.write_all(bytes).unwrap();
            bzip2.finish().unwrap()
        };
        let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 1).unwrap();
        let zeros = |form: Vec<u8>, count| [form, vec![0; count]].concat();
        let path = dir.path().join("x.tar");
        let tree = |form: Vec<u8>| {
            std::fs::write(&path, form).unwrap();
            read(&path, &store, None).map(|tree| tree.len()).map_err(|e| format!("{e:#}"))
        };
        for form in [
            [xz(one), xz(two)].concat(),
            [xz(one), vec![0; 8], xz(two), vec![0; 4]].concat(),
            [gzip(one), gzip(two)].concat(),
            zeros(gzip(&plain), 1),
            zeros([gzip(one), gzip(two)].concat(), 70_000),
            [bzip2(one), bzip2(two)].concat(),
            [zstd(one), zstd(two)].concat(),
        ] {
            assert_eq!(tree(form), Ok(3));
        }
        assert!(tree([gzip(&plain), vec![0, 0, 7]].concat()).is_err());
        let whole = gzip(&plain);
        assert!(tree(whole[..whole.len() - 5].to_vec()).is_err());
    }

    #[test]
    fn decompression_bombs_are_refused_in_every_compression_and_leave_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store"), &Reporter::silent()).unwrap();
        let zeros = vec![0; 4 << 20];
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(&zeros).unwrap();
        let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 6);
        xz.write_all(&zeros).unwrap();
        let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
        bzip2.write_all(&zeros).unwrap();
        let forms = [
            gzip.finish().unwrap(),
            xz.finish().unwrap(),
            bzip2.finish().unwrap(),
            zstd::encode_all(zeros.as_slice(), 19).unwrap(),
        ];
        for form in forms {
            let path = dir.path().join("x.tar");
            std::fs::write(&path, &form).unwrap();
            let e = format!("{:#}", read(&path, &store, Some(1 << 20)).unwrap_err());
            assert!(e.contains("/x.tar`: it decompresses to more than 1048576 bytes"), "{e}");
            assert_eq!(std::fs::read_dir(store.directory(Directory::Work)).unwrap().count(), 0);
            // With leave to be so big it is read: zeros are an empty tar.
            assert!(read(&path, &store, Some(1 << 23)).unwrap().is_empty());
        }
    }
}
