//! A tree as a list, from which both the image and what a judge must find are made.

use std::collections::BTreeMap;
use std::fmt;

use xc_iso::{DeviceKind, Image, Meta, Options, Source};

/// What an entry is.
#[derive(Clone, Debug)]
pub(crate) enum What {
    Dir,
    File(Vec<u8>),
    Symlink(Vec<u8>),
    /// A second name for an earlier entry.
    Hardlink(Vec<u8>),
    Device(DeviceKind, u32, u32),
    Fifo,
    Socket,
}

/// An entry of a tree.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub path: Vec<u8>,
    pub meta: Meta,
    pub what: What,
}

/// A tree, directories before what is in them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model(pub Vec<Entry>);

/// The time of everything that has no other.
pub(crate) const NOON: i64 = 1_600_000_000;

impl Model {
    /// Adds an entry with ordinary attributes.
    pub(crate) fn add(&mut self, path: impl AsRef<[u8]>, what: What) -> &mut Self {
        let mode = if matches!(what, What::Dir) { 0o755 } else { 0o644 };
        self.add_with(path, Meta { mode, uid: 0, gid: 0, mtime: NOON }, what)
    }

    /// Adds an entry.
    pub(crate) fn add_with(&mut self, path: impl AsRef<[u8]>, meta: Meta, what: What) -> &mut Self {
        self.0.push(Entry { path: path.as_ref().to_vec(), meta, what });
        self
    }

    /// Adds a file.
    pub(crate) fn file(&mut self, path: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> &mut Self {
        self.add(path, What::File(content.as_ref().to_vec()))
    }

    /// Adds a symbolic link.
    pub(crate) fn symlink(
        &mut self,
        path: impl AsRef<[u8]>,
        target: impl AsRef<[u8]>,
    ) -> &mut Self {
        self.add(path, What::Symlink(target.as_ref().to_vec()))
    }

    /// The image of the tree.
    pub(crate) fn image(&self, options: Options) -> Result<Image, xc_iso::Error> {
        let mut image = Image::new(options);
        image.root(Meta { mode: 0o755, uid: 0, gid: 0, mtime: NOON });
        for Entry { path, meta, what } in &self.0 {
            match what {
                What::Dir => image.dir(path, *meta),
                What::File(content) => image.file(path, *meta, Source::Bytes(content.clone())),
                What::Symlink(target) => image.symlink(path, *meta, target),
                What::Hardlink(existing) => image.hardlink(path, existing),
                What::Device(kind, major, minor) => {
                    image.device(path, *meta, *kind, *major, *minor)
                }
                What::Fifo => image.fifo(path, *meta),
                What::Socket => image.socket(path, *meta),
            }?;
        }
        Ok(image)
    }

    /// The bytes of the image.
    pub(crate) fn bytes(&self, options: Options) -> Result<Vec<u8>, xc_iso::Error> {
        let mut bytes = Vec::new();
        let summary = self.image(options)?.write(&mut bytes)?;
        assert_eq!(summary.bytes, bytes.len() as u64);
        Ok(bytes)
    }

    /// What a judge must find, by path.
    pub(crate) fn facts(&self) -> Facts {
        let mut links: BTreeMap<&[u8], u32> = BTreeMap::new();
        for entry in &self.0 {
            *links.entry(self.origin(entry).path.as_slice()).or_default() += 1;
            if let (What::Dir, Some(at)) =
                (&entry.what, entry.path.iter().rposition(|&b| b == b'/'))
            {
                *links.entry(&entry.path[..at]).or_default() += 1;
            }
        }
        let fact = |entry: &Entry| {
            let origin = self.origin(entry);
            let extra = u32::from(matches!(origin.what, What::Dir));
            let links = links[origin.path.as_slice()] + extra;
            (entry.path.clone(), Fact::of(origin, links))
        };
        self.0.iter().map(fact).collect()
    }

    /// The entry that a hard link is another name of.
    fn origin<'a>(&'a self, mut entry: &'a Entry) -> &'a Entry {
        while let What::Hardlink(existing) = &entry.what {
            entry = self.0.iter().find(|other| &other.path == existing).expect("a first name");
        }
        entry
    }
}

/// What is to be seen of an entry.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Fact {
    /// As `ls` has it: `d`, `-`, `l`, `c`, `b`, `p`, `s`.
    pub kind: char,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub links: u32,
    pub mtime: i64,
    pub size: u64,
    pub target: Vec<u8>,
    pub device: (u32, u32),
    pub content: Vec<u8>,
}

/// Facts by path.
pub(crate) type Facts = BTreeMap<Vec<u8>, Fact>;

impl fmt::Debug for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, mode, uid, gid, links, mtime, size, device, .. } = self;
        write!(f, "{kind} {mode:o} {uid}:{gid} links {links} time {mtime} size {size} ")?;
        let content = &self.content[..self.content.len().min(40)];
        write!(f, "-> '{}' {device:?} '{}'", self.target.escape_ascii(), content.escape_ascii())
    }
}

impl Fact {
    fn of(entry: &Entry, links: u32) -> Self {
        let Meta { mode, uid, gid, mtime } = entry.meta;
        let (kind, size, target, device, content) = match &entry.what {
            What::Dir => ('d', 0, Vec::new(), (0, 0), Vec::new()),
            What::File(content) => ('-', content.len() as u64, Vec::new(), (0, 0), content.clone()),
            What::Symlink(target) => ('l', 0, target.clone(), (0, 0), Vec::new()),
            What::Device(DeviceKind::Block, a, b) => ('b', 0, Vec::new(), (*a, *b), Vec::new()),
            What::Device(DeviceKind::Character, a, b) => ('c', 0, Vec::new(), (*a, *b), Vec::new()),
            What::Fifo => ('p', 0, Vec::new(), (0, 0), Vec::new()),
            What::Socket => ('s', 0, Vec::new(), (0, 0), Vec::new()),
            What::Hardlink(_) => unreachable!("facts are of first names"),
        };
        Self { kind, mode, uid, gid, links, mtime, size, target, device, content }
    }
}
