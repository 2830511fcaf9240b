//! The golden trees: each stresses one side of the format.

use xc_iso::{DeviceKind, Meta};

use crate::model::{Model, NOON, What};

/// A tree by its name.
pub(crate) type Golden = (&'static str, fn() -> Model);

/// All of them.
pub(crate) const ALL: [Golden; 11] = [
    ("empty", Model::default),
    ("types", types),
    ("attributes", attributes),
    ("names", names),
    ("symlinks", symlinks),
    ("long symlinks", long_symlinks),
    ("longest symlinks", longest_symlinks),
    ("hardlinks", hardlinks),
    ("sizes", sizes),
    ("deep", deep),
    ("crowd", crowd),
];

/// One of each type.
fn types() -> Model {
    let mut model = Model::default();
    model.add("dir", What::Dir).file("dir/file", "content\n").symlink("link", "dir/file");
    model.add("hard", What::Hardlink(b"dir/file".to_vec()));
    model.add("null", What::Device(DeviceKind::Character, 1, 3));
    model.add("disk", What::Device(DeviceKind::Block, 8, 17));
    model.add("fifo", What::Fifo).add("socket", What::Socket);
    model
}

/// Modes, owners and times at their edges.
fn attributes() -> Model {
    let mut model = Model::default();
    for mode in [0, 0o777, 0o4755, 0o2755, 0o1777, 0o7777, 0o600] {
        let meta = Meta { mode, uid: 0, gid: 0, mtime: NOON };
        model.add_with(format!("mode-{mode:o}"), meta, What::File(b"x".to_vec()));
        model.add_with(format!("dir-{mode:o}"), meta, What::Dir);
    }
    for id in [1, 1000, 65_534, 65_536, u32::MAX - 1] {
        let meta = Meta { mode: 0o644, uid: id, gid: id / 2, mtime: NOON };
        model.add_with(format!("owner-{id}"), meta, What::File(Vec::new()));
    }
    for mtime in [0, 1, 951_782_400, 2_147_483_647, 2_147_483_648, 4_102_444_800] {
        let meta = Meta { mode: 0o644, uid: 0, gid: 0, mtime };
        model.add_with(format!("time-{mtime}"), meta, What::File(Vec::new()));
    }
    model
}

/// Names that are long, odd, or equal but for what ISO 9660 does not see.
fn names() -> Model {
    let mut model = Model::default();
    for length in [1, 8, 9, 30, 31, 32, 64, 65, 103, 104, 130, 200, 249, 250, 251, 253] {
        model.file(vec![b'n'; length], length.to_string());
        model.add([vec![b'D'; length], b".d".to_vec()].concat(), What::Dir);
    }
    for name in
        ["Makefile", "makefile", "MAKEFILE", ".hidden", "..two", "a.b.c.d", "dot.", "sp ace"]
    {
        model.file(name, name);
    }
    for name in
        ["größe", "日本語.txt", "😀", "semi;1", "back\\slash", "quote'\"", "*?:<>|", "-r", "~"]
    {
        model.file(name, name);
    }
    model.file(b"latin-\xe4\xf6\xfc", "latin").file(b"\x01\x7f\xff", "bytes");
    model.add("RR_MOVED", What::Dir).file("RR_MOVED/mine", "mine");
    model
}

/// Targets of every shape.
fn symlinks() -> Model {
    let ordinary =
        ["/", ".", "..", "../..", "/usr/bin", "./a/../b", "a/b/c/d", "a b", "gr\u{f6}\u{df}e"];
    let mut model = links(ordinary.map(str::to_owned));
    model.symlink(b"bytes", b"\xff\xfe/\x01");
    model
}

/// Targets around the sizes of a field and a record.
fn long_symlinks() -> Model {
    let around_a_field = (244..=256).map(|length| long("x", length));
    let in_pieces = (240..=256).map(|length| long("0123456789/", length) + "x");
    links(around_a_field.chain(in_pieces).chain([long("abc/", 1001), long("/x", 1022)]))
}

/// Targets as long as they get, over several sectors.
fn longest_symlinks() -> Model {
    links([
        long("0123456789/", 4094),
        long("./", 2047),
        long("../", 3002),
        long("/directory-of-some-length", 4095),
        long("x", 4095),
    ])
}

/// So many bytes of a repeated text.
fn long(part: &str, length: usize) -> String {
    part.repeat(length / part.len() + 1)[..length].to_owned()
}

/// A link for each target, and another with a name that leaves no room in its record.
fn links(targets: impl IntoIterator<Item = String>) -> Model {
    let mut model = Model::default();
    for (number, target) in targets.into_iter().enumerate() {
        model.symlink(format!("link-{number}"), &target);
        model.symlink(format!("{}-{number}", "n".repeat(200)), target);
    }
    model
}

/// Several names for one file, in several directories, and of things that are no files.
fn hardlinks() -> Model {
    let mut model = Model::default();
    model.add("b", What::Dir).add("a", What::Dir).file("b/first", "one content");
    for number in 0..20 {
        model.add(format!("a/link-{number}"), What::Hardlink(b"b/first".to_vec()));
    }
    model.symlink("s1", "target").add("s2", What::Hardlink(b"s1".to_vec()));
    model.file("empty1", "").add("empty2", What::Hardlink(b"empty1".to_vec()));
    model
}

/// Sizes around those of a sector.
fn sizes() -> Model {
    let mut model = Model::default();
    for size in [0, 1, 2047, 2048, 2049, 4095, 4096, 4097, 65_536, 1_048_577, 3_000_000] {
        let content: Vec<u8> = (0..size).map(|at| (at % 251 + size) as u8).collect();
        model.file(format!("size-{size}"), content);
    }
    model
}

/// Directories deeper than 8 levels, several times over, with files on the way.
fn deep() -> Model {
    let mut model = Model::default();
    for stem in ["d", "a-directory-with-a-name-that-alone-needs-much-of-the-path"] {
        let mut path = String::new();
        for level in 0..30 {
            path = if path.is_empty() { stem.to_owned() } else { format!("{path}/{stem}") };
            model.add(&path, What::Dir).file(format!("{path}/file"), level.to_string());
            model.add(format!("{path}/side"), What::Dir);
        }
    }
    model
}

/// Many files in one directory, and many with names that map to the same.
fn crowd() -> Model {
    let mut model = Model::default();
    model.add("many", What::Dir).add("same", What::Dir);
    for number in 0..800 {
        model.file(format!("many/file-number-{number}"), number.to_string());
        model.file(format!("same/{}-{number}", "long".repeat(20)), "");
    }
    model
}
