//! Images that lie: nothing may panic, loop, or lead outside.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Read;

use xc_iso::read::{Extract, Input, ReadError, Reader, extract, verify, verify_contents};
use xc_iso::{DeviceKind, Image, Joliet, Meta, Options, SECTOR, Source};

const META: Meta = Meta { mode: 0o755, uid: 0, gid: 0, mtime: 0 };

/// An image with something of everything, and with names that are easy to find in it.
fn sample() -> Vec<u8> {
    let mut image = Image::new(Options { joliet: Joliet::Standard, ..Options::default() });
    let mut path = "dir-0".to_owned();
    image.dir(&path, META).unwrap();
    for depth in 1..12 {
        path = format!("{path}/dir-{depth}");
        image.dir(&path, META).unwrap();
        image.file(format!("{path}/file"), META, Source::Bytes(path.clone().into())).unwrap();
    }
    image.file("escape_etc_passwd", META, Source::Bytes(b"content".into())).unwrap();
    image.hardlink("hard", "escape_etc_passwd").unwrap();
    image.symlink("link", META, "target/".repeat(300)).unwrap();
    image.fifo(format!("{}fifo", "n".repeat(240)), META).unwrap();
    let mut bytes = Vec::new();
    image.write(&mut bytes).unwrap();
    bytes
}

/// Reads all there is; only the absence of panics and loops counts.
fn read_all(bytes: &[u8]) {
    let Ok(reader) = Reader::open(bytes) else { return };
    let _ = verify(&reader);
    let mut buffer = Vec::new();
    for entry in reader.entries() {
        let Ok(content) = reader.content(entry) else { continue };
        buffer.clear();
        let _ = content.take(1 << 16).read_to_end(&mut buffer);
    }
}

/// Replaces every occurrence.
fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    assert_eq!(from.len(), to.len());
    let mut found = 0;
    for at in 0..bytes.len() - from.len() {
        if bytes[at..].starts_with(from) {
            bytes[at..at + to.len()].copy_from_slice(to);
            found += 1;
        }
    }
    assert!(found > 0);
}

#[test]
fn any_byte_may_be_anything() {
    let sound = sample();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for _ in 0..3000 {
        let mut bytes = sound.clone();
        for _ in 0..=random(8) {
            let at = 16 * SECTOR + random(bytes.len() - 16 * SECTOR);
            let value = [0, 1, 0x7f, 0x80, 0xff, random(256) as u8][random(6)];
            let run = 1 + random(4);
            for byte in bytes[at..].iter_mut().take(run) {
                *byte = value;
            }
        }
        read_all(&bytes);
    }
}

#[test]
fn an_image_may_end_anywhere() {
    let sound = sample();
    for end in (0..sound.len()).step_by(173) {
        read_all(&sound[..end]);
    }
}

#[test]
fn names_lead_nowhere_else() {
    let mut bytes = sample();
    replace(&mut bytes, b"escape_etc_passwd", b"../../etc/passwd2");
    let reader = Reader::open(&bytes[..]).unwrap();
    let problem = reader.problems().iter().find(|problem| problem.what == "a name holds a '/'");
    assert!(problem.is_some(), "{:?}", reader.problems());
    assert!(reader.find("escape_etc_passwd").is_none());
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("a/b");
    fs::create_dir_all(&target).unwrap();
    extract(&reader, &target, Extract::default()).unwrap();
    let outside: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(outside.len(), 1);
    assert!(target.join("hard").is_file());
}

#[test]
fn links_in_the_target_are_not_followed() {
    let bytes = sample();
    let reader = Reader::open(&bytes[..]).unwrap();
    for (inside, is_directory) in [("dir-0", true), ("hard", false), ("dir-0/dir-1/file", false)] {
        let folder = tempfile::tempdir().unwrap();
        let (target, outside) = (folder.path().join("target"), folder.path().join("outside"));
        fs::create_dir_all(target.join(inside).parent().unwrap()).unwrap();
        if is_directory { fs::create_dir(&outside) } else { fs::write(&outside, "mine") }.unwrap();
        std::os::unix::fs::symlink(&outside, target.join(inside)).unwrap();
        let result = extract(&reader, &target, Extract::default());
        assert!(matches!(result, Err(ReadError::Host { .. })), "{inside}: {result:?}");
        if is_directory {
            assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
        } else {
            assert_eq!(fs::read_to_string(&outside).unwrap(), "mine");
        }
    }
}

#[test]
fn a_directory_that_contains_itself_is_entered_once() {
    let mut image = Image::new(Options::default());
    image.dir("inner", META).unwrap();
    let mut bytes = Vec::new();
    image.write(&mut bytes).unwrap();
    // The record of the inner directory is given the place of the root's.
    let root = bytes[16 * SECTOR + 156 + 2..][..8].to_vec();
    let at = bytes.windows(5).position(|window| window == b"INNER").unwrap() - 33;
    let record = bytes.windows(5).rposition(|window| window == b"INNER").unwrap() - 33;
    assert_ne!(at, record);
    bytes[record + 2..record + 10].copy_from_slice(&root);
    let reader = Reader::open(&bytes[..]).unwrap();
    let problem = &reader.problems()[0];
    assert_eq!(
        problem.to_string(),
        "/inner: the directory is in another place as well, or contains itself"
    );
}

#[test]
fn directories_are_entered_up_to_a_length_of_their_path() {
    let mut image = Image::new(Options::default());
    let mut path = String::new();
    for _ in 0..300 {
        path = format!("{path}{}{}", if path.is_empty() { "" } else { "/" }, "d".repeat(250));
        image.dir(&path, META).unwrap();
    }
    let mut bytes = Vec::new();
    image.write(&mut bytes).unwrap();
    let reader = Reader::open(&bytes[..]).unwrap();
    let [problem] = reader.problems() else { panic!("{:?}", reader.problems()) };
    assert_eq!(problem.what, "its path is longer than 65536 bytes");
    assert!(reader.entries().len() > 250);
}

#[test]
fn a_device_is_refused_before_anything_is_made() {
    let mut image = Image::new(Options::default());
    image.file("a", META, Source::Bytes(b"content".into())).unwrap();
    image.device("null", META, DeviceKind::Character, 1, 3).unwrap();
    let mut bytes = Vec::new();
    image.write(&mut bytes).unwrap();
    let target = tempfile::tempdir().unwrap();
    let reader = Reader::open(&bytes[..]).unwrap();
    let error = extract(&reader, target.path(), Extract::default()).unwrap_err().to_string();
    assert!(error.starts_with("/null: a device, which only root can make"), "{error}");
    assert_eq!(fs::read_dir(target.path()).unwrap().count(), 0);
}

#[test]
fn contents_are_read_to_the_last_byte() {
    let bytes = sample();
    assert_eq!(verify_contents(&Reader::open(&bytes[..]).unwrap()), []);
    let readable = (bytes.len() - SECTOR) as u64;
    let reader = Reader::open(Scratched { bytes, readable }).unwrap();
    let problems = verify_contents(&reader);
    assert_eq!(problems[0].what, "its content can't be read: a scratch", "{problems:?}");
}

/// A medium whose end can't be read.
struct Scratched {
    bytes: Vec<u8>,
    readable: u64,
}

impl Input for Scratched {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
        if offset + buffer.len() as u64 > self.readable {
            return Err(std::io::Error::other("a scratch"));
        }
        self.bytes.read_at(buffer, offset)
    }

    fn size(&self) -> std::io::Result<u64> {
        self.bytes.size()
    }
}

#[test]
fn what_is_no_image_is_said_so() {
    for bytes in [&b""[..], &[0; 100_000], &[b'C'; 40_000]] {
        assert!(matches!(Reader::open(bytes), Err(ReadError::NotIso(_))));
    }
}
