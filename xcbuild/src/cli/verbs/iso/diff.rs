//! `xcbuild iso diff`.

use std::cmp::Ordering;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use xc_iso::read::{Entry, Kind, Reader};

use super::{open, show, warn_of_problems};
use crate::ui;
use xc_report::visible;

/// Compare two images: what is only in one, and what differs
///
/// Exit code 1 if anything does, or if something is left out because an image is wrong about it;
/// stderr says so. `-` is only in the first, `+` only in the second, `!` in both.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The first image
    a: PathBuf,
    /// The second image
    b: PathBuf,
}

/// Runs the verb.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let images = [open(&arguments.a)?, open(&arguments.b)?];
    let mut differ = warn_of_problems(&arguments.a, &images[0]);
    differ |= warn_of_problems(&arguments.b, &images[1]);
    let [one, other] = [&images[0], &images[1]].map(|image| &image.volume().id);
    if one != other {
        differ = true;
        ui::result(format_args!("! volume {one} → {other}"));
    }
    differ |= compare(&images)?;
    Ok(if differ { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Goes through both trees side by side and says what differs; whether anything does. No list of
/// all paths is made: those of a hostile image need far more room than it has itself.
fn compare(images: &[Reader<File>; 2]) -> Result<bool> {
    let [a, b] = images;
    let mut differ = false;
    let mut path: Vec<u8> = Vec::new();
    let mut stack = vec![(roots(a), roots(b), 0)];
    while let Some((left, right, length)) = stack.last_mut() {
        path.truncate(*length);
        let order = match (left.first(), right.first()) {
            (None, None) => {
                stack.pop();
                continue;
            }
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(left), Some(right)) => left.name.cmp(&right.name),
        };
        let left = if order.is_le() { left.split_off_first() } else { None };
        let right = if order.is_ge() { right.split_off_first() } else { None };
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(left.or(right).map_or(&b""[..], |entry| &entry.name));
        let told = told(images, left, right, &path).with_context(|| shown(&path))?;
        if let Some(line) = told {
            differ = true;
            ui::result(line);
        }
        let left = left.map_or(&[][..], |entry| a.children(entry));
        let right = right.map_or(&[][..], |entry| b.children(entry));
        stack.push((left, right, path.len()));
    }
    Ok(differ)
}

/// The root of an image, as the only entry of a list.
fn roots(image: &Reader<File>) -> &[Entry] {
    image.entries().get(..1).unwrap_or_default()
}

/// The line about a path that is in one image or in both; none if they are the same there.
fn told(
    images: &[Reader<File>; 2],
    left: Option<&Entry>,
    right: Option<&Entry>,
    path: &[u8],
) -> Result<Option<String>> {
    let (Some(left), Some(right)) = (left, right) else {
        let sign = if left.is_some() { '-' } else { '+' };
        return Ok(Some(format!("{sign} {}", shown(path))));
    };
    let changes = changes(images, left, right)?;
    Ok((!changes.is_empty()).then(|| format!("! {}: {}", shown(path), changes.join(", "))))
}

/// A path as text; the root's is a slash.
fn shown(path: &[u8]) -> String {
    if path.is_empty() { "/".into() } else { visible(path) }
}

/// What differs between two entries of the same path.
fn changes(images: &[Reader<File>; 2], a: &Entry, b: &Entry) -> Result<Vec<String>> {
    let mut changes = Vec::new();
    let mut compare = |what: &str, a: String, b: String| {
        if a != b {
            changes.push(format!("{what} {a} → {b}"));
        }
    };
    compare("mode", show::mode(a), show::mode(b));
    compare("owner", a.meta.uid.to_string(), b.meta.uid.to_string());
    compare("group", a.meta.gid.to_string(), b.meta.gid.to_string());
    compare("time", a.meta.mtime.to_string(), b.meta.mtime.to_string());
    if a.kind != Kind::Directory && b.kind != Kind::Directory {
        compare("links", a.links.to_string(), b.links.to_string());
    }
    if let (Kind::Symlink(a), Kind::Symlink(b)) = (&a.kind, &b.kind) {
        compare("target", visible(a), visible(b));
    }
    compare("size", show::size(a), show::size(b));
    if a.kind == Kind::File && b.kind == Kind::File && a.size() == b.size() {
        let [first, second] = images;
        if !same(first.content(a)?, second.content(b)?)? {
            changes.push("content".into());
        }
    }
    Ok(changes)
}

/// Whether two contents of the same length are the same.
fn same(mut a: impl Read, mut b: impl Read) -> Result<bool> {
    let mut buffers = [vec![0; 1 << 16], vec![0; 1 << 16]];
    loop {
        let [left, right] = &mut buffers;
        let got = a.read(left)?;
        if got == 0 {
            return Ok(true);
        }
        b.read_exact(&mut right[..got])?;
        if left[..got] != right[..got] {
            return Ok(false);
        }
    }
}
