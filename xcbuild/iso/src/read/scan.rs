//! Reading all directories of a volume into a tree, with bounds on everything (see the module
//! above for what is promised).

use std::collections::HashSet;

use super::input::Input;
use super::problem::Problem;
use super::record::{Record, short_time};
use super::rockridge::{Continuation, Fields};
use super::tree::{Entry, Kind, Names, Piece, path_of};
use super::volume::{Volume, ucs2};
use crate::error::ImagePath;
use crate::sector::SECTOR;
use crate::tree::{DeviceKind, Meta};

/// Problems that are kept; more tell nothing new.
pub(crate) const PROBLEMS_MAX: usize = 1000;
/// Bytes of the path of a directory that is entered. Paths are made for every entry, so they may not
/// grow with the image; no system takes a longer one.
const PATH_MAX: u32 = 1 << 16;
/// Pieces of Rock Ridge fields that belong to one record. Linux stops there too.
const CONTINUATIONS_MAX: usize = 32;
/// Bytes of such a piece.
const CONTINUATION_MAX: u32 = 1 << 15;
/// How much of a directory is read at once: whole sectors.
const CHUNK: usize = 32 * SECTOR;

/// The state of a scan.
pub(crate) struct Scan<'i, I> {
    input: &'i I,
    length: u64,
    block_size: u64,
    root: Piece,
    root_fields: Fields,
    names: Names,
    /// Where directories start that have been read.
    entered: HashSet<u64>,
    /// How many bytes of directories, and of continuations, may still be read.
    directory_budget: u64,
    continuation_budget: u64,
    entries: Vec<Entry>,
    problems: Vec<Problem>,
}

type Result<T> = std::result::Result<T, String>;

impl<'i, I: Input> Scan<'i, I> {
    /// A scan of a volume, whose root is looked at for Rock Ridge.
    pub(crate) fn new(input: &'i I, length: u64, volume: &Volume) -> Self {
        let block_size = u64::from(volume.block_size);
        let start = u64::from(volume.root_start) * block_size;
        let mut scan = Self {
            input,
            length,
            block_size,
            root: Piece { start, length: u64::from(volume.root_length) },
            root_fields: Fields::default(),
            names: Names::Plain,
            entered: HashSet::new(),
            directory_budget: length,
            continuation_budget: length.saturating_mul(4),
            entries: Vec::new(),
            problems: Vec::new(),
        };
        if !volume.joliet
            && let Ok((_, fields)) = scan.own_record(start)
        {
            scan.root_fields = fields;
        }
        scan
    }

    /// Whether the root says that there is Rock Ridge.
    pub(crate) fn has_rock_ridge(&self) -> bool {
        self.root_fields.any
    }

    /// Reads the tree.
    pub(crate) fn run(mut self, names: Names) -> (Vec<Entry>, Vec<Problem>) {
        self.names = names;
        let fields = std::mem::take(&mut self.root_fields);
        let mut root = entry(Box::new([]), Kind::Directory, &fields, 0);
        root.pieces = vec![self.root];
        self.entries.push(root);
        let mut at = 0;
        while at < self.entries.len() {
            if self.entries[at].kind == Kind::Directory {
                let pieces = std::mem::take(&mut self.entries[at].pieces);
                if let Some(&piece) = pieces.first() {
                    self.directory(at, piece);
                }
            }
            at += 1;
        }
        (self.entries, self.problems)
    }

    /// Reads a directory and appends what is in it.
    fn directory(&mut self, at: usize, place: Piece) {
        let mut found = Vec::new();
        let path_length = self.entries[at].path_length;
        if path_length > PATH_MAX {
            return self.problem(at, b"", format!("its path is longer than {PATH_MAX} bytes"));
        }
        if let Err(what) = self.admit(place).and_then(|()| self.records(at, place, &mut found)) {
            self.problem(at, b"", what);
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        let mut twice: Vec<Box<[u8]>> = Vec::new();
        found.dedup_by(|next, first| {
            let same = next.name == first.name;
            if same {
                twice.push(next.name.clone());
            }
            same
        });
        for name in twice {
            self.problem(at, &name, "the name is in its directory twice".into());
        }
        let start = self.entries.len();
        let (Ok(start), Ok(end), Ok(parent)) =
            (u32::try_from(start), u32::try_from(start + found.len()), u32::try_from(at))
        else {
            return self.problem(at, b"", "the image has more than 4 billion entries".into());
        };
        self.entries[at].children = start..end;
        self.entries.extend(found.into_iter().map(|entry| Entry {
            parent,
            path_length: path_length + 1 + entry.name.len() as u32,
            ..entry
        }));
    }

    /// Whether a directory may be read: it is in the image, new, and not too much.
    fn admit(&mut self, place: Piece) -> Result<()> {
        self.within(place, "the directory")?;
        if place.length > self.directory_budget {
            return Err("the directories have more bytes than the image".into());
        }
        if !self.entered.insert(place.start) {
            return Err("the directory is in another place as well, or contains itself".into());
        }
        self.directory_budget -= place.length;
        Ok(())
    }

    fn within(&self, place: Piece, what: &str) -> Result<()> {
        match place.start.checked_add(place.length) {
            Some(end) if end <= self.length => Ok(()),
            _ => Err(format!("{what} lies beyond the end of the image")),
        }
    }

    /// Reads the records of a directory sector by sector.
    fn records(&mut self, at: usize, place: Piece, found: &mut Vec<Entry>) -> Result<()> {
        let mut buffer = vec![0; CHUNK.min(place.length as usize)];
        let mut done = 0;
        let mut unfinished: Option<Entry> = None;
        while done < place.length {
            let chunk = &mut buffer[..CHUNK.min((place.length - done) as usize)];
            let read = self.input.read_exact_at(chunk, place.start + done);
            read.map_err(|error| error.to_string())?;
            done += chunk.len() as u64;
            for sector in chunk.chunks(SECTOR) {
                let mut rest = sector;
                while let Some(parsed) = Record::parse(rest) {
                    let (record, length) = parsed?;
                    rest = &rest[length..];
                    self.record(at, &record, &mut unfinished, found);
                }
            }
        }
        if let Some(entry) = unfinished {
            self.problem(at, &entry.name, "the last part of its content is missing".into());
        }
        Ok(())
    }

    /// Takes a record in; files of several extents stay unfinished until the last.
    fn record(
        &mut self,
        at: usize,
        record: &Record<'_>,
        unfinished: &mut Option<Entry>,
        found: &mut Vec<Entry>,
    ) {
        if record.is_dots() || record.is_associated() {
            return;
        }
        let fields = match self.fields_of(record) {
            Ok(fields) if fields.relocated => return,
            Ok(fields) => fields,
            Err(what) => return self.problem(at, &self.plain_name(record), what),
        };
        let name = fields.name.clone().unwrap_or_else(|| self.plain_name(record));
        let entry = match self.entry(record, &fields, &name) {
            Ok(entry) => entry,
            Err(what) => return self.problem(at, &name, what),
        };
        let entry = match unfinished.take() {
            Some(mut first) if first.name == entry.name => {
                first.pieces.extend(entry.pieces);
                first
            }
            Some(first) => {
                self.problem(at, &first.name, "the last part of its content is missing".into());
                entry
            }
            None => entry,
        };
        if record.has_more() && entry.kind == Kind::File {
            *unfinished = Some(entry);
        } else {
            found.push(entry);
        }
    }

    /// What a record says beside its own numbers, to readers of these names.
    fn fields_of(&mut self, record: &Record<'_>) -> Result<Fields> {
        match self.names {
            Names::RockRidge => self.fields(record.system_use),
            Names::Joliet | Names::Plain => Ok(Fields::default()),
        }
    }

    /// The entry of a record.
    fn entry(&mut self, record: &Record<'_>, fields: &Fields, name: &[u8]) -> Result<Entry> {
        check_name(name)?;
        let mut place = self.place(record);
        if let Some(block) = fields.child {
            place = self.relocated(block)?;
        }
        let kind = kind(record, fields)?;
        let mut entry = entry(name.into(), kind, fields, short_time(record.time));
        match entry.kind {
            Kind::Directory => entry.pieces.push(place),
            Kind::File if record.interleaved => return Err("its content is interleaved".into()),
            Kind::File if place.length > 0 => {
                self.within(place, "its content")?;
                entry.pieces.push(place);
            }
            _ => {}
        }
        Ok(entry)
    }

    fn place(&self, record: &Record<'_>) -> Piece {
        let block = u64::from(record.start) + u64::from(record.extended);
        Piece { start: block * self.block_size, length: u64::from(record.length) }
    }

    /// Where a relocated directory is, by its own record at its start.
    fn relocated(&mut self, block: u32) -> Result<Piece> {
        let start = u64::from(block) * self.block_size;
        let (length, _) = self.own_record(start)?;
        Ok(Piece { start, length })
    }

    /// The "." of a directory: its length and fields.
    fn own_record(&mut self, start: u64) -> Result<(u64, Fields)> {
        let mut sector = [0; SECTOR];
        self.within(Piece { start, length: SECTOR as u64 }, "a directory")?;
        self.input.read_exact_at(&mut sector, start).map_err(|error| error.to_string())?;
        match Record::parse(&sector) {
            Some(Ok((record, _))) if record.identifier == [0] && record.is_directory() => {
                Ok((u64::from(record.length), self.fields(record.system_use)?))
            }
            _ => Err("there is no directory in the place it names".into()),
        }
    }

    /// The Rock Ridge fields of a record, continuations followed.
    fn fields(&mut self, system_use: &[u8]) -> Result<Fields> {
        let mut fields = Fields::default();
        let skip = usize::from(self.root_fields.skip.unwrap_or(0));
        let mut next = fields.take(system_use.get(skip..).unwrap_or_default())?;
        let mut buffer = Vec::new();
        for _ in 0..CONTINUATIONS_MAX {
            let Some(Continuation { block, offset, length }) = next else { return Ok(fields) };
            let start = u64::from(block) * self.block_size + u64::from(offset);
            self.within(Piece { start, length: u64::from(length) }, "a continuation")?;
            if length > CONTINUATION_MAX || u64::from(length) > self.continuation_budget {
                return Err("the continuations have more bytes than they may".into());
            }
            self.continuation_budget -= u64::from(length);
            buffer.resize(length as usize, 0);
            self.input.read_exact_at(&mut buffer, start).map_err(|error| error.to_string())?;
            next = fields.take(&buffer)?;
        }
        Err("there are too many continuations".into())
    }

    /// The name of a record without Rock Ridge.
    fn plain_name(&self, record: &Record<'_>) -> Vec<u8> {
        let name = match self.names {
            Names::Joliet => ucs2(record.identifier).into_bytes(),
            Names::RockRidge | Names::Plain => record.identifier.to_vec(),
        };
        if record.is_directory() {
            return name;
        }
        let version = name.iter().rposition(|&b| b == b';');
        let name = &name[..version.unwrap_or(name.len())];
        let dot = self.names != Names::Joliet && name.len() > 1;
        name.strip_suffix(b".").filter(|_| dot).unwrap_or(name).to_vec()
    }

    fn problem(&mut self, directory: usize, name: &[u8], what: String) {
        if self.problems.len() >= PROBLEMS_MAX {
            return;
        }
        let mut path = path_of(&self.entries, &self.entries[directory]).0;
        if !path.is_empty() && !name.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(name);
        self.problems.push(Problem { path: ImagePath(path), what });
        if self.problems.len() == PROBLEMS_MAX {
            let what = format!("there are more problems than {PROBLEMS_MAX}; they are not told");
            self.problems.push(Problem { path: ImagePath(Vec::new()), what });
        }
    }
}

/// Refuses what can't be the name of a file.
fn check_name(name: &[u8]) -> Result<()> {
    match name {
        b"" => Err("a name is empty".into()),
        b"." | b".." => Err("'.' and '..' are no names".into()),
        _ if name.contains(&b'/') => Err("a name holds a '/'".into()),
        _ if name.contains(&0) => Err("a name holds a NUL byte".into()),
        _ => Ok(()),
    }
}

/// What a record is, by its mode if it has one.
fn kind(record: &Record<'_>, fields: &Fields) -> Result<Kind> {
    let directory = record.is_directory() || fields.child.is_some();
    let Some(posix) = fields.posix else {
        return Ok(if directory { Kind::Directory } else { Kind::File });
    };
    let device = |kind| {
        let numbers = fields.device.map(|(major, minor)| Kind::Device(kind, major, minor));
        numbers.ok_or("a device has no numbers")
    };
    let kind = match posix.mode >> 12 {
        0o1 => Kind::Fifo,
        0o2 => device(DeviceKind::Character)?,
        0o4 => Kind::Directory,
        0o6 => device(DeviceKind::Block)?,
        0o10 => Kind::File,
        0o12 if fields.target.text.is_empty() => return Err("a link has no target".into()),
        0o12 if fields.target.text.contains(&0) => return Err("a target holds a NUL byte".into()),
        0o12 => Kind::Symlink(fields.target.text.clone()),
        0o14 => Kind::Socket,
        _ => return Err(format!("its type is unknown (mode {:o})", posix.mode)),
    };
    if directory != (kind == Kind::Directory) {
        return Err("its record and its mode disagree on whether it is a directory".into());
    }
    Ok(kind)
}

fn entry(name: Box<[u8]>, kind: Kind, fields: &Fields, time: i64) -> Entry {
    let plain = if kind == Kind::Directory { 0o555 } else { 0o444 };
    let is_file = kind == Kind::File;
    let meta = Meta {
        mode: fields.posix.map_or(plain, |posix| posix.mode & 0o7777),
        uid: fields.posix.map_or(0, |posix| posix.uid),
        gid: fields.posix.map_or(0, |posix| posix.gid),
        mtime: fields.modified.unwrap_or(time),
    };
    Entry {
        name,
        kind,
        meta,
        links: fields.posix.map_or(1, |posix| posix.links),
        serial: fields.posix.map_or(0, |posix| posix.serial),
        pieces: Vec::new(),
        compressed: fields.compressed && is_file,
        parent: 0,
        path_length: 0,
        children: 0..0,
    }
}
