//! Looking for what is wrong with an image, beyond what keeps entries from being read.

use std::collections::HashMap;

use super::input::Input;
use super::problem::{Problem, ReadError};
use super::scan::PROBLEMS_MAX;
use super::tree::{Entry, Kind, Names, Reader};
use super::volume::Volume;
use crate::error::ImagePath;

/// Path tables are read up to this size; 65,535 directories need less.
const PATH_TABLE_MAX: u32 = 1 << 25;

/// Checks the structure of an image and returns all that is wrong with it.
///
/// Checked are: the two orders of the numbers in the descriptors, the size of the volume, both path
/// tables against each other, every extent against the end of the image and against each other,
/// link counts, and all that [`Reader::problems`] has.
///
/// # Errors
/// If the image can't be read.
pub fn verify<I: Input>(reader: &Reader<I>) -> Result<Vec<Problem>, ReadError> {
    let mut problems = reader.problems().to_vec();
    let mut note = |path: ImagePath, what: String| problems.push(Problem { path, what });
    let root = || ImagePath(Vec::new());
    let volume = reader.own_volume();
    if !volume.consistent {
        note(root(), "numbers of the volume descriptor differ in their two orders".into());
    }
    let claimed = u64::from(volume.blocks) * u64::from(volume.block_size);
    if claimed > reader.length {
        note(root(), format!("the volume has {claimed} bytes, the image {}", reader.length));
    }
    if let Some(what) = path_tables(reader, volume)? {
        note(root(), what);
    }
    for (path, what) in overlaps(reader).chain(links(reader)).take(PROBLEMS_MAX) {
        note(path, what);
    }
    Ok(problems)
}

/// Reads both path tables and compares them entry by entry.
fn path_tables<I: Input>(reader: &Reader<I>, volume: &Volume) -> Result<Option<String>, ReadError> {
    if volume.path_table_size > PATH_TABLE_MAX {
        return Ok(Some("the path table is larger than 65535 directories need".into()));
    }
    let read = |block: u32| {
        let mut bytes = vec![0; volume.path_table_size as usize];
        let start = u64::from(block) * u64::from(volume.block_size);
        reader.input.read_exact_at(&mut bytes, start).map(|()| bytes).ok()
    };
    let (little, big) = (read(volume.path_table_little), read(volume.path_table_big));
    let (Some(little), Some(big)) = (little, big) else {
        return Ok(Some("a path table lies beyond the end of the image".into()));
    };
    let (mut from_little, mut from_big) = (&little[..], &big[..]);
    let mut number = 0;
    loop {
        match (next_directory(&mut from_little, false), next_directory(&mut from_big, true)) {
            (None, None) => return Ok(None),
            (a, b) if a != b => {
                return Ok(Some(format!("the path tables differ at directory {}", number + 1)));
            }
            (Some((_, parent, _)), _) if usize::from(parent) > number.max(1) || parent == 0 => {
                return Ok(Some(format!(
                    "directory {} of the path table has no parent",
                    number + 1
                )));
            }
            _ => number += 1,
        }
    }
}

/// Takes an entry off a path table: place, parent, identifier.
fn next_directory<'t>(table: &mut &'t [u8], big: bool) -> Option<(u32, u16, &'t [u8])> {
    let length = usize::from(*table.first()?);
    let start: [u8; 4] = table.get(2..6)?.try_into().ok()?;
    let parent: [u8; 2] = table.get(6..8)?.try_into().ok()?;
    let identifier = table.get(8..8 + length)?;
    *table = table.get(8 + length.next_multiple_of(2)..).unwrap_or_default();
    let (start, parent) = if big {
        (u32::from_be_bytes(start), u16::from_be_bytes(parent))
    } else {
        (u32::from_le_bytes(start), u16::from_le_bytes(parent))
    };
    (length > 0).then_some((start, parent, identifier))
}

/// Reads all contents, each byte of the image once however many files claim it, and returns the
/// files that can't be read.
pub fn verify_contents<I: Input>(reader: &Reader<I>) -> Vec<Problem> {
    let compressed = reader.entries().iter().filter(|entry| entry.compressed);
    let unread = |entry| {
        let what = "its content is compressed by zisofs, which is not supported".into();
        Problem { path: reader.path(entry), what }
    };
    let mut problems: Vec<Problem> = compressed.take(PROBLEMS_MAX).map(unread).collect();
    let mut buffer = vec![0; 1 << 18];
    let mut done = 0;
    for (start, length, entry) in extents(reader) {
        let end = start.saturating_add(length);
        let mut at = start.max(done);
        while at < end && problems.len() < PROBLEMS_MAX {
            let most = buffer.len().min(usize::try_from(end - at).unwrap_or(usize::MAX));
            if let Err(error) = reader.input.read_exact_at(&mut buffer[..most], at) {
                let what = format!("its content can't be read: {error}");
                problems.push(Problem { path: reader.path(entry), what });
                break;
            }
            at += most as u64;
        }
        done = done.max(end);
    }
    problems
}

/// The pieces of all contents, front to back: start, length and whose it is.
fn extents<I: Input>(reader: &Reader<I>) -> Vec<(u64, u64, &Entry)> {
    let mut extents: Vec<(u64, u64, &Entry)> = Vec::new();
    for entry in reader.entries().iter().filter(|entry| entry.kind == Kind::File) {
        extents.extend(entry.pieces.iter().map(|piece| (piece.start, piece.length, entry)));
    }
    extents.sort_by_key(|&(start, length, _)| (start, length));
    extents
}

/// Contents that lie over each other without being the same.
fn overlaps<I: Input>(reader: &Reader<I>) -> impl Iterator<Item = (ImagePath, String)> {
    let (mut end, mut last) = (0, None);
    let over = move |&(start, length, _): &(u64, u64, &Entry)| {
        let same = last.replace((start, length)) == Some((start, length));
        let over = start < end && !same;
        end = end.max(start.saturating_add(length));
        over
    };
    extents(reader).into_iter().filter(over).map(|(.., entry)| {
        (reader.path(entry), "its content lies over that of another file".into())
    })
}

/// Link counts that are not the number of names there are. Only Rock Ridge has any.
fn links<I: Input>(reader: &Reader<I>) -> impl Iterator<Item = (ImagePath, String)> {
    let mut names: HashMap<u32, u32> = HashMap::new();
    let linked = |entry: &&Entry| {
        reader.names() == Names::RockRidge && entry.kind != Kind::Directory && entry.serial != 0
    };
    for entry in reader.entries().iter().filter(linked) {
        *names.entry(entry.serial).or_default() += 1;
    }
    reader.entries().iter().filter(linked).filter_map(move |entry| {
        let counted = names.get(&entry.serial).copied().unwrap_or(0);
        let told = || format!("it claims {} links and has {counted}", entry.links);
        (counted != entry.links).then(|| (reader.path(entry), told()))
    })
}
