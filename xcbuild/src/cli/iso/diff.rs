//! `xcbuild iso diff`.

use std::cmp::Ordering;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use xc_iso::read::{Entry, Kind, Reader};

use super::{open, show};
use crate::ui;

/// Compare two images: what is only in one, and what differs
///
/// Exit code 1 if anything does. `-` is only in the first, `+` only in the second, `!` in both.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The first image
    a: PathBuf,
    /// The second image
    b: PathBuf,
}

/// Runs the verb.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let images = [open(&arguments.a)?, open(&arguments.b)?];
    let mut differ = false;
    let mut tell = |sign: char, path: &[u8], what: &str| {
        differ = true;
        ui::result(format_args!("{sign} {}{what}", show::text(path)));
    };
    let [a, b] = [&images[0], &images[1]].map(listed);
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    loop {
        let order = match (a.peek(), b.peek()) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => a.0.cmp(&b.0),
        };
        let left = if order.is_le() { a.next() } else { None };
        let right = if order.is_ge() { b.next() } else { None };
        match (left, right) {
            (Some((path, _)), None) => tell('-', path, ""),
            (None, Some((path, _))) => tell('+', path, ""),
            (Some((path, a)), Some((_, b))) => {
                let changes = changes(&images, a, b).with_context(|| show::text(path))?;
                if !changes.is_empty() {
                    tell('!', path, &format!(": {}", changes.join(", ")));
                }
            }
            (None, None) => {}
        }
    }
    Ok(if differ { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// All entries by path, in the order of the bytes of their paths.
fn listed(reader: &Reader<File>) -> Vec<(Vec<u8>, &Entry)> {
    let mut entries = Vec::new();
    let Ok(()) = reader.walk(|path, entry| -> Result<(), std::convert::Infallible> {
        entries.push((path.to_vec(), entry));
        Ok(())
    });
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    entries
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
    if let (Kind::Symlink(a), Kind::Symlink(b)) = (&a.kind, &b.kind) {
        compare("target", show::text(a), show::text(b));
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
