//! What the writer promises beside the format: the same bytes whatever the way, and errors that
//! name what was wrong.
#![allow(clippy::unwrap_used)]

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, symlink};
use std::sync::Arc;

use xc_iso::{DeviceKind, Error, Extent, Image, Joliet, Meta, Options, SECTOR, Source};

const META: Meta = Meta { mode: 0o644, uid: 0, gid: 0, mtime: 0 };

fn bytes(image: &Image) -> Vec<u8> {
    let mut bytes = Vec::new();
    image.write(&mut bytes).unwrap();
    bytes
}

/// Content that is nowhere the same.
fn content(length: usize) -> Vec<u8> {
    (0..length as u64).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

#[test]
fn the_order_of_insertion_leaves_no_trace() {
    let names: Vec<String> = (0..200).map(|n| format!("{}-{n}", "same".repeat(n % 12))).collect();
    let image = |order: &[&String]| {
        let mut image = Image::new(Options { joliet: Joliet::Standard, ..Options::default() });
        for name in order {
            image.file(name, META, Source::Bytes(name.as_bytes().to_vec())).unwrap();
        }
        image.hardlink("zz-link", order[0]).unwrap();
        image.hardlink("zz-other", &names[7]).unwrap();
        bytes(&image)
    };
    let forth: Vec<&String> = names.iter().collect();
    let back: Vec<&String> = names[..1].iter().chain(names[1..].iter().rev()).collect();
    assert!(image(&forth) == image(&back));
}

/// The same bytes as two pieces with nothing between them.
fn in_pieces(file: Arc<File>, offset: u64, len: u64) -> Source {
    let first = len / 3;
    let extents = [
        Extent { at: 0, from: offset, len: first },
        Extent { at: first, from: offset + first, len: len - first },
    ];
    Source::Sparse { file, extents: extents.into(), len }
}

#[test]
fn pieces_have_zeros_between_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pieces");
    fs::write(&path, "onetwothree").unwrap();
    let file = Arc::new(File::open(&path).unwrap());
    for len in [2_u64 << 20, 5 << 20] {
        let end = len - 5;
        let extents = [
            Extent { at: 7, from: 3, len: 3 },
            Extent { at: 1 << 20, from: 0, len: 3 },
            Extent { at: end, from: 6, len: 5 },
        ];
        let source = Source::Sparse { file: Arc::clone(&file), extents: extents.into(), len };
        let mut wanted = vec![0; len as usize];
        for (at, text) in [(7, "two"), (1 << 20, "one"), (end as usize, "three")] {
            wanted[at..at + text.len()].copy_from_slice(text.as_bytes());
        }
        let mut image = Image::new(Options::default());
        image.file("pieces", META, source).unwrap();
        let mut plain = Image::new(Options::default());
        plain.file("pieces", META, Source::Bytes(wanted)).unwrap();
        let expected = bytes(&plain);
        assert!(bytes(&image) == expected);
        let target = folder.path().join("image");
        image.write_to_file(&File::create(&target).unwrap()).unwrap();
        assert!(fs::read(&target).unwrap() == expected);
    }
}

#[test]
fn every_source_and_every_way_gives_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    for (length, alignment) in [(1, 2048), (5000, 4096), (3 << 20, 2048), ((3 << 20) + 7, 65_536)] {
        let wanted = content(length);
        let path = folder.path().join("content");
        fs::write(&path, &wanted).unwrap();
        let archive = folder.path().join("archive");
        fs::write(&archive, [&[1; 777][..], &wanted, &[2; 9]].concat()).unwrap();
        let archive = Arc::new(File::open(&archive).unwrap());
        let len = length as u64;
        let sources = [
            Source::Bytes(wanted.clone()),
            Source::Path(path.clone()),
            Source::Sized { path, len },
            Source::Range { file: Arc::clone(&archive), offset: 777, len },
            in_pieces(archive, 777, len),
        ];
        let images = sources.map(|source| {
            let mut image = Image::new(Options { alignment, ..Options::default() });
            image.file("a", META, Source::Bytes(b"before".into())).unwrap();
            image.file("b", META, source).unwrap();
            image.file("c", META, Source::Bytes(b"after".into())).unwrap();
            image
        });
        let expected = bytes(&images[0]);
        let found = expected.windows(length).position(|window| window == wanted).unwrap();
        assert_eq!(found % alignment as usize, 0);
        for image in &images {
            assert!(bytes(image) == expected, "{length}");
            let target = folder.path().join("image");
            fs::write(&target, vec![0xff; 10 << 20]).unwrap();
            let file = File::options().write(true).open(&target).unwrap();
            assert_eq!(image.write_to_file(&file).unwrap().bytes, expected.len() as u64);
            assert!(fs::read(&target).unwrap() == expected, "{length} to a file");
        }
    }
}

#[test]
fn contents_over_4_gib_are_several_extents_and_holes_stay_holes() {
    const LENGTH: u64 = (4 << 30) + (1 << 29) + 5;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sparse");
    let mut source = File::create(&path).unwrap();
    source.write_all(b"start").unwrap();
    source.seek(SeekFrom::Start(LENGTH - 3)).unwrap();
    source.write_all(b"end").unwrap();
    let mut image = Image::new(Options::default());
    image.file("big", META, Source::Path(path)).unwrap();
    image.file("next", META, Source::Bytes(b"next".into())).unwrap();
    let target = folder.path().join("image");
    let file =
        File::options().create(true).truncate(true).read(true).write(true).open(&target).unwrap();
    image.write_to_file(&file).unwrap();
    let mut front = vec![0; 64 * SECTOR];
    file.read_exact_at(&mut front, 0).unwrap();
    let start = front.windows(5).position(|window| window == b"start").unwrap() as u64;
    let mut end = [0; 3];
    file.read_exact_at(&mut end, start + LENGTH - 3).unwrap();
    assert_eq!(&end, b"end");
    let records = front.windows(6).filter(|window| window == b"BIG.;1").count();
    assert_eq!(records, 2);
    assert!(file.metadata().unwrap().blocks() * 512 < 1 << 20);
}

#[test]
fn a_hundred_thousand_entries_fit_into_a_directory() {
    let mut image = Image::new(Options { joliet: Joliet::Standard, ..Options::default() });
    for number in 0..100_000 {
        image.file(format!("file {number}"), META, Source::Bytes(Vec::new())).unwrap();
    }
    let summary = image.write(&mut io::sink()).unwrap();
    assert_eq!((summary.files, summary.directories), (100_000, 1));
}

#[test]
fn path_tables_hold_65535_directories_and_not_one_more() {
    let mut image = Image::new(Options::default());
    for number in 1..65_535 {
        image.dir(format!("{number}"), META).unwrap();
    }
    assert_eq!(image.write(&mut io::sink()).unwrap().directories, 65_535);
    image.dir("one too many", META).unwrap();
    let mut written = Vec::new();
    let message = image.write(&mut written).unwrap_err().to_string();
    assert!(message.contains("directory number 65536; an image holds at most 65535"), "{message}");
    assert!(written.is_empty());
}

#[test]
fn what_cannot_be_added_is_an_error_that_names_the_path() {
    let mut image = Image::new(Options::default());
    image.dir("dir", META).unwrap();
    image.file("file", META, Source::Bytes(Vec::new())).unwrap();
    let long = "n".repeat(256);
    let nothing = || Source::Bytes(Vec::new());
    let table = [
        (image.dir("file", META), "/file: already in the image"),
        (image.fifo("dir", META), "/dir: already in the image"),
        (image.file("no/file", META, nothing()), "/no/file: its directory is not in the image"),
        (
            image.file("file/file", META, nothing()),
            "/file/file: /file is in the image and is no directory",
        ),
        (image.dir("", META), "/: an empty name"),
        (image.dir("/etc", META), "//etc: an empty name"),
        (image.dir("dir/../x", META), "/dir/../x: '.' and '..' are no names"),
        (image.dir("nul\0", META), "a name holds a NUL byte"),
        (image.dir(&long, META), "has 256 bytes, the limit is 255"),
        (image.symlink("l", META, ""), "/l: the target of the symbolic link is empty"),
        (image.symlink("l", META, "x".repeat(4096)), "is longer than 4095 bytes"),
        (image.hardlink("h", "gone"), "/gone: not in the image"),
        (image.hardlink("h", "dir"), "/dir: a directory can't have a hard link"),
        (image.device("d", META, DeviceKind::Block, 4096, 0), "/d: device 4096:0"),
        (image.file("gone", META, Source::Path("/no/such".into())), "/gone: reading /no/such"),
    ];
    for (result, expected) in table {
        let message = result.unwrap_err().to_string();
        assert!(message.contains(expected), "{message} / {expected}");
    }
}

#[test]
fn what_cannot_be_represented_is_an_error_before_the_first_byte() {
    let deep: Vec<String> = (1..=8).map(|depth| vec!["d"; depth].join("/")).collect();
    let with = |options: Options, add: &dyn Fn(&mut Image)| {
        let mut image = Image::new(options);
        add(&mut image);
        let mut written = Vec::new();
        let error = image.write(&mut written).unwrap_err();
        assert!(written.is_empty());
        error.to_string()
    };
    let plain = || Options { rock_ridge: false, ..Options::default() };
    let label = |volume_id: &str| Options { volume_id: volume_id.into(), ..Options::default() };
    let late = Meta { mtime: 5_869_584_000, ..META };
    let table = [
        (
            with(plain(), &|i| i.symlink("l", META, "t").unwrap()),
            "/l: symbolic links need Rock Ridge",
        ),
        (with(plain(), &|i| i.fifo("f", META).unwrap()), "/f: named pipes need Rock Ridge"),
        (
            with(plain(), &|i| deep.iter().for_each(|path| i.dir(path, META).unwrap())),
            "/d/d/d/d/d/d/d/d: directories deeper than ISO 9660 allows need Rock Ridge",
        ),
        (
            with(Options::default(), &|i| i.dir("late", late).unwrap()),
            "/late: the time 5869584000 s",
        ),
        (with(label(&"x".repeat(33)), &|_| {}), "option volume_id: 'x"),
        (with(label("größe"), &|_| {}), "not printable ASCII"),
        (
            with(Options { alignment: 1000, ..Options::default() }, &|_| {}),
            "option alignment: 1000",
        ),
    ];
    for (message, expected) in table {
        assert!(message.contains(expected), "{message} / {expected}");
    }
}

#[test]
fn a_file_that_changes_its_size_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    for (before, after) in [(10, 9), (10, 11), (3 << 20, 2 << 20), (3 << 20, (3 << 20) + 1)] {
        let path = folder.path().join("file");
        fs::write(&path, content(before)).unwrap();
        let mut image = Image::new(Options::default());
        image.file("f", META, Source::Path(path.clone())).unwrap();
        fs::write(&path, content(after)).unwrap();
        let target = File::create(folder.path().join("image")).unwrap();
        for result in [image.write(&mut io::sink()), image.write_to_file(&target)] {
            assert!(
                matches!(result, Err(Error::SizeChanged { .. })),
                "{before} {after} {result:?}"
            );
        }
    }
}

#[test]
fn a_directory_of_the_host_comes_with_all_that_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    fs::create_dir_all(at("sub/deeper")).unwrap();
    fs::write(at("sub/file"), "content").unwrap();
    fs::hard_link(at("sub/file"), at("sub/deeper/link")).unwrap();
    symlink("../nowhere", at("symlink")).unwrap();
    let mut scanned = Image::new(Options::default());
    scanned.tree("", folder.path()).unwrap();
    let meta = |path: &str| {
        let found = fs::symlink_metadata(at(path)).unwrap();
        Meta { mode: found.mode(), uid: found.uid(), gid: found.gid(), mtime: found.mtime() }
    };
    let mut built = Image::new(Options::default());
    built.root(meta(""));
    built.dir("sub", meta("sub")).unwrap();
    built.dir("sub/deeper", meta("sub/deeper")).unwrap();
    built.file("sub/file", meta("sub/file"), Source::Bytes(b"content".into())).unwrap();
    built.hardlink("sub/deeper/link", "sub/file").unwrap();
    built.symlink("symlink", meta("symlink"), "../nowhere").unwrap();
    assert!(bytes(&scanned) == bytes(&built));
    assert!(matches!(scanned.tree("x", at("gone")), Err(Error::Source { .. })));
}
