//! What is written, what is read, and what is refused.

use std::io::Write;
use std::sync::Arc;

use super::{TarError, from_tar, write_tar};
use crate::key::Digest;
use crate::tree::{Blob, Content, Entry, Kind, Tree, TreePath};

fn path(text: &str) -> TreePath {
    TreePath::new(text).unwrap()
}

fn blob(bytes: &[u8]) -> Arc<Blob> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    Blob::open(file.path()).unwrap()
}

fn sample() -> Tree {
    let mut tree = Tree::new();
    let long = format!("{}/{}", "d".repeat(200), "f".repeat(200));
    let device = Kind::Device { block: false, major: 1, minor: 3 };
    for (name, entry) in [
        ("etc/run", Entry::file(0o4755, "x".repeat(600))),
        ("etc/empty", Entry::file(0o600, "")),
        ("a-link", Entry::new(0o4755, Kind::Hardlink(path("etc/run")))),
        ("sym", Entry::symlink("./etc//run")),
        ("longsym", Entry::symlink("t".repeat(300))),
        ("null", Entry::new(0o666, device)),
        ("pipe", Entry::new(0o644, Kind::Fifo)),
        (long.as_str(), Entry { uid: 1000, gid: 70_000, ..Entry::file(0o644, "deep") }),
    ] {
        tree.insert(path(name), entry);
    }
    tree
}

fn written(tree: &Tree) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_tar(tree, &mut bytes).unwrap();
    bytes
}

#[test]
fn what_is_written_is_read_again_and_is_pinned() {
    let bytes = written(&sample());
    let tree = from_tar(&blob(&bytes)).unwrap();
    assert_eq!(tree.len(), sample().len());
    let content = |p: &str| match &tree.get(&path(p)).unwrap().kind {
        Kind::File(content) => content.read().unwrap(),
        other => panic!("{other:?}"),
    };
    assert_eq!(content("a-link"), "x".repeat(600).into_bytes());
    assert_eq!(tree.get(&path("etc/run")).unwrap().kind, Kind::Hardlink(path("a-link")));
    for name in ["sym", "longsym", "null", "pipe"] {
        assert_eq!(tree.get(&path(name)), sample().get(&path(name)), "{name}");
    }
    assert_eq!(written(&tree), bytes);
    insta::assert_snapshot!(Digest::of(&bytes), @"99a175877901b66c108338b51599e6f614fdcd70e160f878b56dc84a53e733e3");
}

#[test]
fn gnu_tar_agrees() {
    let bytes = written(&sample());
    let list = xc_sys::exec::Exec::new("tar")
        .args(["--numeric-owner", "-tvf", "-"])
        .env("TZ", "UTC")
        .stdin_bytes(bytes)
        .output()
        .unwrap();
    let list = String::from_utf8(list).unwrap();
    for line in [
        "-rwsr-xr-x 0/0             600 1980-01-01 00:00 a-link",
        "hrwsr-xr-x 0/0               0 1980-01-01 00:00 etc/run link to a-link",
        "lrwxrwxrwx 0/0               0 1980-01-01 00:00 sym -> ./etc//run",
        "crw-rw-rw- 0/0             1,3 1980-01-01 00:00 null",
    ] {
        assert!(list.contains(line), "{line} not in\n{list}");
    }
}

#[test]
fn cut_tars_are_refused_wherever_they_end() {
    let bytes = written(&sample());
    let end = bytes.len() - 1024;
    for cut in (1..=end).step_by(100).chain([511, 512, 1024, end]) {
        let e = from_tar(&blob(&bytes[..cut])).unwrap_err();
        let expected = match cut {
            // Less than a header is no tar that was cut, but anything.
            ..512 => matches!(e, TarError::NotATar),
            _ => matches!(e, TarError::Short { .. }),
        };
        assert!(expected, "{cut}: {e:?}");
    }
}

/// An entry as it stands, with a right checksum.
fn raw(kind: u8, name: &[u8], link: &[u8], size: u64) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name);
    header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link);
    header.set_entry_type(tar::EntryType::new(kind));
    header.set_size(size);
    header.set_mode(0o644);
    header.set_cksum();
    header.as_bytes().to_vec()
}

/// An empty file `x` whose header is changed.
fn changed(change: impl FnOnce(&mut tar::Header)) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.set_path("x").unwrap();
    header.set_mode(0o644);
    header.set_size(0);
    change(&mut header);
    header.set_cksum();
    header.as_bytes().to_vec()
}

fn entry(kind: u8, name: &str, link: &str) -> Vec<u8> {
    raw(kind, name.as_bytes(), link.as_bytes(), 0)
}

/// Attributes of pax for the next entry.
fn pax(records: &str) -> Vec<u8> {
    let mut bytes = raw(b'x', b"pax", b"", records.len() as u64);
    bytes.extend(records.as_bytes());
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn read(parts: &[Vec<u8>]) -> Result<Tree, String> {
    let bytes = [parts.concat(), vec![0; 1024]].concat();
    from_tar(&blob(&bytes)).map_err(|e| xc_report::causes(&e.into()))
}

#[test]
fn hostile_entries_are_refused_by_name() {
    let mut wrong = entry(b'0', "x", "");
    wrong[150] ^= 1;
    let mut sparse = tar::Header::new_gnu();
    sparse.set_path("holes").unwrap();
    sparse.set_entry_type(tar::EntryType::GNUSparse);
    sparse.set_size(0);
    sparse.set_mode(0o644);
    let gnu = sparse.as_gnu_mut().unwrap();
    gnu.realsize.copy_from_slice(b"77777777777\0");
    gnu.sparse[0].offset.copy_from_slice(b"77777777777\0");
    gnu.sparse[0].numbytes.copy_from_slice(b"00000000000\0");
    sparse.set_cksum();
    let x = || entry(b'0', "x", "");
    let odd_owner = changed(|header| header.as_old_mut().uid = *b"root\0\0\0\0");
    let rows: Vec<(&str, Vec<Vec<u8>>, &str)> = vec![
        ("parent", vec![entry(b'0', "../x", "")], "bad path in the tar: `../x` leads out"),
        ("parent within", vec![entry(b'0', "a/../../x", "")], "bad path in the tar: `a/../../x`"),
        ("absolute parent", vec![entry(b'0', "/../x", "")], "bad path in the tar: `/../x`"),
        ("parent by pax", vec![pax("14 path=../xy\n"), x()], "bad path in the tar: `../xy`"),
        (
            "directory with a file, and file",
            vec![entry(b'0', "x/y", ""), x()],
            "`x` is in the tar as a directory with entries",
        ),
        (
            "directory with a link, and link",
            vec![entry(b'5', "x", ""), entry(b'2', "x/y", "z"), entry(b'2', "x", "y")],
            "`x` is in the tar as a directory with entries",
        ),
        (
            "hard link to nothing",
            vec![entry(b'1', "x", "y")],
            "`x` in the tar is a hard link to `y`",
        ),
        (
            "hard link to the host",
            vec![entry(b'1', "x", "/etc/passwd")],
            "`x` in the tar is a hard",
        ),
        (
            "hard link out",
            vec![entry(b'1', "x", "../y")],
            "`x` in the tar is a hard link out of it: `../y`",
        ),
        (
            "hard link to a directory",
            vec![entry(b'5', "d", ""), entry(b'1', "x", "d")],
            "`x` in the tar is a hard link to `d`",
        ),
        (
            "through a link",
            vec![entry(b'2', "x", "/etc"), entry(b'0', "x/y", "")],
            "`x/y` in the tar is below `x`, which is not",
        ),
        (
            "through a file",
            vec![x(), entry(b'0', "x/y", "")],
            "`x/y` in the tar is below `x`, which is not",
        ),
        ("unknown kind", vec![entry(b'Z', "x", "")], "`x` in the tar is of an unknown kind ('Z')"),
        (
            "checksum",
            vec![entry(b'0', "before", ""), wrong],
            "the tar can't be read after `before`",
        ),
        ("size beyond the end", vec![raw(b'0', b"x", b"", 1 << 40)], "the tar is cut short"),
        (
            "size of 2^63",
            vec![raw(b'0', b"x", b"", 1 << 63)],
            "`x` in the tar has no valid number as its size",
        ),
        (
            "size of 2^64",
            vec![raw(b'0', b"x", b"", u64::MAX)],
            "`x` in the tar has no valid number as its size",
        ),
        (
            "long name",
            vec![raw(b'L', b"L", b"", 1 << 30)],
            "the tar has a name or attributes of 1073741824 bytes",
        ),
        (
            "name of 300",
            vec![entry(b'0', "before", ""), pax(&long_path()), x()],
            "bad path in the tar: `nnn",
        ),
        (
            "sparse",
            vec![sparse.as_bytes().to_vec()],
            "`holes` in the tar is sparse and makes 8589934591",
        ),
        (
            "sparse by pax without a size",
            vec![pax("22 GNU.sparse.major=1\n"), x()],
            "`x` in the tar is a sparse file whose map is wrong",
        ),
        (
            "sparse by pax without a map",
            vec![pax("22 GNU.sparse.major=1\n25 GNU.sparse.realsize=9\n"), x()],
            "`x` in the tar is a sparse file whose map is wrong",
        ),
        (
            "sparse by pax with a map that goes back",
            vec![pax("21 GNU.sparse.size=9\n26 GNU.sparse.map=5,0,1,0\n"), x()],
            "`x` in the tar is a sparse file whose map is wrong",
        ),
        (
            "sparse by pax with more than its content",
            vec![pax("21 GNU.sparse.size=9\n22 GNU.sparse.map=0,5\n"), x()],
            "`x` in the tar is a sparse file whose map is wrong",
        ),
        ("records", vec![pax("9 path=x"), x()], "the tar can't be read: an extended header"),
        ("owner", vec![odd_owner], "`x` in the tar has no valid number as its uid"),
        ("not a tar", vec![vec![7; 2048]], "it is not a tar"),
    ];
    for (what, parts, message) in &rows {
        let e = read(parts).unwrap_err();
        assert!(e.starts_with(message), "{what}: {e} is not {message}");
    }
}

/// As where a tar is unpacked on `/`.
#[test]
fn absolute_names_are_from_the_root_and_the_later_of_two_counts() {
    let read = |parts: &[Vec<u8>]| {
        let tree = read(parts).unwrap();
        let kinds = tree.into_iter().map(|(path, entry)| (path.to_string(), entry.kind));
        kinds.collect::<Vec<_>>()
    };
    let file = |name: &str| (name.to_owned(), Kind::File(Content::bytes("")));
    let link = |name: &str, to: &str| (name.to_owned(), Kind::Symlink(to.into()));
    let x = || entry(b'0', "x", "");
    assert_eq!(read(&[entry(b'0', "/x", "")]), [file("x")]);
    assert_eq!(read(&[pax("12 path=/xy\n"), x()]), [file("xy")]);
    assert_eq!(read(&[x(), entry(b'2', "./x", "a")]), [link("x", "a")]);
    assert_eq!(read(&[entry(b'2', "x", "a"), x()]), [file("x")]);
    assert_eq!(read(&[x(), entry(b'1', "x", "x")]), [file("x")]);
}

fn long_path() -> String {
    format!("310 path={}\n", "n".repeat(300))
}

#[test]
fn symbolic_links_say_what_they_like() {
    for text in ["/etc/passwd", "../../../..", "../x", "/", "no/where"] {
        let tree = read(&[entry(b'2', "a/x", text)]).unwrap();
        let link = tree.get(&path("a/x")).unwrap();
        assert_eq!(link.kind, Kind::Symlink(text.as_bytes().to_vec()));
    }
}

/// What tars of other tools have in common with GNU tar's reading; see also [`super::judges`].
#[test]
fn empty_numbers_are_zero() {
    let blank = changed(|header| {
        let old = header.as_old_mut();
        (old.uid, old.gid, old.mtime) = ([b' '; 8], [0; 8], [b' '; 12]);
        old.mode = [b' '; 8];
    });
    let tree = read(&[blank]).unwrap();
    let entry = tree.get(&path("x")).unwrap();
    assert_eq!((entry.mode, entry.uid, entry.gid), (0, 0, 0));
    let sizeless = changed(|header| header.as_old_mut().size = [0; 12]);
    assert_eq!(read(&[sizeless]).unwrap().content_size(), 0);
}

#[test]
fn one_block_of_zeros_is_an_end_and_what_follows_is_not_read() {
    let x = || entry(b'0', "x", "");
    let tree = |bytes: Vec<u8>| from_tar(&blob(&bytes)).map(|tree| tree.len());
    assert_eq!(tree([x(), vec![0; 512]].concat()).unwrap(), 1);
    assert_eq!(tree([x(), vec![0; 512], entry(b'0', "y", "")].concat()).unwrap(), 1);
    assert_eq!(tree([x(), vec![0; 1024], vec![7; 99]].concat()).unwrap(), 1);
    assert_eq!(tree(vec![0; 10_240]).unwrap(), 0);
    for cut in [vec![], x(), [x(), vec![0; 511]].concat()] {
        assert!(matches!(tree(cut), Err(TarError::Short { .. })));
    }
}

#[test]
fn hard_links_name_whatever_is_not_a_directory() {
    let mut null = tar::Header::new_gnu();
    null.set_path("null").unwrap();
    null.set_entry_type(tar::EntryType::Char);
    null.set_mode(0o666);
    null.set_size(0);
    null.set_device_major(1).unwrap();
    null.set_device_minor(3).unwrap();
    null.set_cksum();
    let tree = read(&[
        entry(b'2', "link", "to"),
        entry(b'1', "a-link", "link"),
        null.as_bytes().to_vec(),
        entry(b'1', "zero", "null"),
        entry(b'6', "pipe", ""),
        entry(b'1', "another", "pipe"),
    ])
    .unwrap();
    assert_eq!(tree.get(&path("a-link")).unwrap().kind, Kind::Hardlink(path("link")));
    // All names have the mode of the first, whatever the tar says of the others.
    assert_eq!(tree.get(&path("zero")).unwrap().mode, 0o666);
    let again = from_tar(&blob(&written(&tree))).unwrap();
    assert_eq!(again.get(&path("a-link")).unwrap().kind, Kind::Symlink(b"to".to_vec()));
    assert_eq!(again.get(&path("link")).unwrap().kind, Kind::Hardlink(path("a-link")));
    assert_eq!(written(&again), written(&tree));
}

/// The later counts; what a replaced file held stays under its other names.
#[test]
fn types_may_change_in_one_tar() {
    let x = || entry(b'0', "x", "");
    let kinds = |parts: &[Vec<u8>]| {
        let tree = read(parts).unwrap();
        tree.into_iter().map(|(path, entry)| format!("{path} {:?}", entry.kind)).collect::<Vec<_>>()
    };
    let directory = || entry(b'5', "x", "");
    let link = || entry(b'2', "x", "to");
    assert_eq!(kinds(&[directory(), link()]), ["x Symlink([116, 111])"]);
    assert_eq!(kinds(&[link(), directory()]), ["x Directory"]);
    assert_eq!(kinds(&[directory(), x()]), ["x File(0 bytes)"]);
    assert_eq!(kinds(&[x(), directory(), entry(b'6', "x/y", "")]), ["x Directory", "x/y Fifo"]);
    let linked = [link(), entry(b'1', "y", "x"), entry(b'1', "z", "y"), directory()];
    let expected = ["x Directory", "y Symlink([116, 111])", "z Hardlink(\"y\")"];
    assert_eq!(kinds(&linked), expected);
    let again = [link(), entry(b'1', "y", "x"), entry(b'0', "y", ""), entry(b'5', "x", "")];
    assert_eq!(kinds(&again), ["x Directory", "y File(0 bytes)"]);
}
