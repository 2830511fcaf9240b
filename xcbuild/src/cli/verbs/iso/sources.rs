//! What an image is made of: directories, and tar archives, whose members are read in place.

use std::fs::File;
use std::io::{self, Seek};
use std::os::fd::AsFd;
use std::path::Path;

use anyhow::{Context, Result};
use fs_err as fs;
use xc_iso::Image;
use xc_store::tree::Blob;

use super::archive;
use xc_sys::files::Writing;

/// Adds a directory or an archive, stdin if it is `-`, to the root of an image.
///
/// `timestamp` is the time of directories that an archive takes for granted.
pub(super) fn add(image: &mut Image, input: &Path, timestamp: i64) -> Result<()> {
    let named = || format!("`{}`", input.display());
    if input == Path::new("-") {
        let stdin = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        return add_archive(image, stdin, Path::new(""), timestamp).context("stdin");
    }
    if fs::metadata(input)?.is_dir() {
        return image.tree("", input).with_context(named);
    }
    let file = fs::File::open(input)?.into_parts().0;
    add_archive(image, file, input, timestamp).with_context(named)
}

fn add_archive(image: &mut Image, mut file: File, path: &Path, timestamp: i64) -> Result<()> {
    let in_place = file.metadata()?.is_file() && file.stream_position()? == 0;
    let file = if in_place { file } else { spooled(&mut file)? };
    archive::add(image, &Blob::of(file, path), timestamp)
}

/// A copy of what comes out of a pipe, on disk: members are read in another order than they come.
fn spooled(pipe: &mut impl io::Read) -> Result<File> {
    let failed = || {
        let folder = std::env::temp_dir();
        format!("can't keep the archive in `{}`; TMPDIR says where else", folder.display())
    };
    let mut file = tempfile::tempfile().with_context(failed)?;
    let full = || Writing(std::env::temp_dir().join("archive"));
    io::copy(pipe, &mut file).with_context(full).with_context(failed)?;
    Ok(file)
}
