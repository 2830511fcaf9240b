//! `xcbuild iso ls`.

use std::ffi::{OsStr, OsString};
use std::io::{BufWriter, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use xc_iso::read::{Entry, Kind};

use super::{open, show, warn_of_problems};
use crate::ui;
use xc_report::visible;

/// List what is in an image
///
/// Exit code 1 if something is left out because the image is wrong about it; stderr says what.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The image
    image: PathBuf,
    /// What to list, with all below it; everything by default
    path: Option<OsString>,
    /// Mode, links, owner, group, size, time in seconds, and target too
    #[arg(short, long)]
    long: bool,
}

/// Runs the verb.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let reader = open(&arguments.image)?;
    let wanted = wanted(arguments.path.as_deref().unwrap_or_default());
    if reader.find(wanted).is_none() {
        bail!("`{}` has no `{}`", arguments.image.display(), visible(wanted));
    }
    let mut out = BufWriter::new(ui::stdout());
    let below = |path: &[u8]| {
        let rest = path.strip_prefix(wanted);
        wanted.is_empty() || rest.is_some_and(|rest| matches!(rest, [] | [b'/', ..]))
    };
    reader.walk(|path, entry| -> Result<()> {
        if below(path) {
            writeln!(out, "{}", line(path, entry, arguments.long))?;
        }
        Ok(())
    })?;
    out.flush()?;
    drop(out);
    let failed = warn_of_problems(&arguments.image, &reader);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// A path as it is in an image, without slashes at its ends.
fn wanted(path: &OsStr) -> &[u8] {
    let is_inside = |byte: &u8| *byte != b'/';
    let path = path.as_bytes();
    let start = path.iter().position(is_inside).unwrap_or(path.len());
    let end = path.iter().rposition(is_inside).map_or(start, |last| last + 1);
    &path[start..end]
}

fn line(path: &[u8], entry: &Entry, long: bool) -> String {
    let path = visible(path);
    if !long {
        return path;
    }
    let (mode, size, meta) = (show::mode(entry), show::size(entry), entry.meta);
    let target = match &entry.kind {
        Kind::Symlink(target) => format!(" -> {}", visible(target)),
        _ => String::new(),
    };
    let (links, uid, gid, mtime) = (entry.links, meta.uid, meta.gid, meta.mtime);
    format!("{mode} {links:3} {uid:5} {gid:5} {size:>12} {mtime:>11} {path}{target}")
}
