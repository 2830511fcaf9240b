//! `xcbuild iso ls`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use xc_iso::read::{Entry, Kind};

use super::{open, show};
use crate::ui;

/// List what is in an image
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The image
    image: PathBuf,
    /// What to list, with all below it; everything by default
    path: Option<String>,
    /// Mode, links, owner, group, size, time in seconds, and target too
    #[arg(short, long)]
    long: bool,
}

/// Runs the verb.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let reader = open(&arguments.image)?;
    for problem in reader.problems() {
        ui::warn(problem);
    }
    let wanted = arguments.path.as_deref().unwrap_or_default().trim_matches('/').as_bytes();
    if reader.find(wanted).is_none() {
        bail!("`{}` has no `{}`", arguments.image.display(), show::text(wanted));
    }
    let mut lines = String::new();
    let below = |path: &[u8]| {
        let rest = path.strip_prefix(wanted);
        wanted.is_empty() || rest.is_some_and(|rest| matches!(rest, [] | [b'/', ..]))
    };
    reader.walk(|path, entry| -> Result<()> {
        if below(path) {
            lines.push_str(&line(path, entry, arguments.long));
            lines.push('\n');
        }
        Ok(())
    })?;
    ui::result_bytes(lines.as_bytes());
    Ok(ExitCode::SUCCESS)
}

fn line(path: &[u8], entry: &Entry, long: bool) -> String {
    let path = show::text(path);
    if !long {
        return path;
    }
    let (mode, size, meta) = (show::mode(entry), show::size(entry), entry.meta);
    let target = match &entry.kind {
        Kind::Symlink(target) => format!(" -> {}", show::text(target)),
        _ => String::new(),
    };
    let (links, uid, gid, mtime) = (entry.links, meta.uid, meta.gid, meta.mtime);
    format!("{mode} {links:3} {uid:5} {gid:5} {size:>12} {mtime:>11} {path}{target}")
}
