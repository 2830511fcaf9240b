//! Build script: packs the overlays and templates of this repository into tars that the binary
//! carries.
//!
//! Tars keep what `include_dir!` drops: modes and symbolic links. They are normal (sorted, one
//! time, root's), so that equal sources give equal binaries.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// 1 January 1980, as all our trees have it.
const TIMESTAMP: u64 = 315_532_800;

/// Packs `ovl/` and `templates/` into the build's output directory.
fn main() -> io::Result<()> {
    let root = repository()?;
    let out = PathBuf::from(env("OUT_DIR")?);
    for name in ["ovl", "templates"] {
        println!("cargo:rerun-if-changed={}", root.join(name).display());
        fs::write(out.join(name).with_extension("tar"), packed(&root.join(name))?)?;
    }
    Ok(())
}

/// The repository's root, two levels above this crate.
fn repository() -> io::Result<PathBuf> {
    Ok(PathBuf::from(env("CARGO_MANIFEST_DIR")?).join("../.."))
}

fn env(name: &str) -> io::Result<String> {
    std::env::var(name).map_err(|e| io::Error::other(format!("{name}: {e}")))
}

fn packed(directory: &Path) -> io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    append(&mut tar, directory, Path::new(""))?;
    if directory.ends_with("ovl") {
        forwards(&mut tar, directory)?;
    }
    tar.into_inner()
}

/// Puts the script that other overlays' scripts call beside each manifest.
fn forwards(tar: &mut tar::Builder<Vec<u8>>, directory: &Path) -> io::Result<()> {
    let script = repository()?.join("templates/forward/tar");
    let script = fs::read(script)?;
    let mut names = fs::read_dir(directory)?
        .map(|entry| entry.map(|e| e.file_name()))
        .collect::<io::Result<Vec<_>>>()?;
    names.sort();
    for name in names.iter().filter(|name| directory.join(name).join("ovl.toml").is_file()) {
        let mut header = tar::Header::new_gnu();
        header.set_mtime(TIMESTAMP);
        header.set_size(script.len() as u64);
        header.set_mode(0o755);
        tar.append_data(&mut header, Path::new(name).join("tar"), script.as_slice())?;
    }
    Ok(())
}

fn append(tar: &mut tar::Builder<Vec<u8>>, directory: &Path, inside: &Path) -> io::Result<()> {
    let mut found = fs::read_dir(directory)?.collect::<io::Result<Vec<_>>>()?;
    found.sort_by_key(fs::DirEntry::file_name);
    for entry in found {
        let (path, inside) = (entry.path(), inside.join(entry.file_name()));
        let metadata = fs::symlink_metadata(&path)?;
        let mut header = tar::Header::new_gnu();
        header.set_mtime(TIMESTAMP);
        header.set_size(0);
        let executable = metadata.is_dir() || metadata.permissions().mode() & 0o100 != 0;
        header.set_mode(if executable { 0o755 } else { 0o644 });
        if metadata.is_symlink() {
            header.set_entry_type(tar::EntryType::Symlink);
            tar.append_link(&mut header, &inside, fs::read_link(&path)?)?;
        } else if metadata.is_dir() {
            header.set_entry_type(tar::EntryType::Directory);
            tar.append_data(&mut header, &inside, io::empty())?;
            append(tar, &path, &inside)?;
        } else {
            let bytes = fs::read(&path)?;
            header.set_size(bytes.len() as u64);
            tar.append_data(&mut header, &inside, bytes.as_slice())?;
        }
    }
    Ok(())
}
