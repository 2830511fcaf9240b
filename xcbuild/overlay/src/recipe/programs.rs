//! `programs`: programs of the host, with the shared libraries they need.
//!
//! A program goes to `/usr/bin`, a library to its own path. The C library's own parts are left out:
//! they have to fit the node's loader, and the base image has them.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use fs_err as fs;

use super::{Context, Ingredient, Step};
use xc_image::elf::{Directories, closure};
use xc_store::listing::Listing;
use xc_store::tree::{Content, Entry, Kind, Tree, TreePath};
use xc_sys::exec::find_program;

/// Parts of the C library, by the start of their names.
const OF_LIBC: &[&str] = &[
    "ld-linux",
    "libanl.",
    "libc.so",
    "libdl.",
    "libm.so",
    "libmvec.",
    "libnss_",
    "libpthread.",
    "libresolv.",
    "librt.",
    "libutil.",
];
/// Where programs go.
const PROGRAMS: &str = "usr/bin";

struct Copied {
    ingredients: Vec<Ingredient>,
    files: Vec<(TreePath, PathBuf)>,
}

/// The step of all programs, if there are any.
///
/// # Errors
/// When a program or a library that it needs is not on the host.
pub(super) fn step(context: &Context<'_>) -> Result<Option<Box<dyn Step>>> {
    let names = &context.manifest.programs;
    if names.is_empty() {
        return Ok(None);
    }
    let mut files = Vec::new();
    for name in names {
        let path = &context.params.programs;
        let Some(program) = find_program(&name.0, path) else {
            bail!("the program `{}` is not on the host's PATH ({})", name.0, path.display());
        };
        let place = TreePath::new(PROGRAMS)?.join(&TreePath::new(&name.0)?)?;
        files.push((place, program));
    }
    let programs: Vec<PathBuf> = files.iter().map(|(_, path)| path.clone()).collect();
    let needed = closure(&programs, &Directories::of_host())?;
    if let Some((library, by)) = needed.missing.first_key_value() {
        bail!("`{}` needs the library `{library}`, which is not on the host", by.display());
    }
    for library in needed.libraries.into_iter().filter(|l| !is_of_libc(l)) {
        files.push((TreePath::new(library.as_os_str().as_bytes())?, library));
    }
    let sources: Vec<PathBuf> = files.iter().map(|(_, path)| path.clone()).collect();
    let group = format!("programs of {}", context.directory.display());
    let listing = Listing::of_files(&group, &sources, context.packages.store())?;
    let named = files.iter().zip(listing.iter());
    let ingredients = named
        .map(|((place, _), l)| Ingredient::new(format!("host /{place}"), l.digest.to_string()))
        .collect();
    Ok(Some(Box::new(Copied { ingredients, files })))
}

/// Whether a library is a part of the C library.
fn is_of_libc(path: &Path) -> bool {
    let name = path.file_name().map(|n| n.to_string_lossy()).unwrap_or_default();
    OF_LIBC.iter().any(|start| name.starts_with(start))
}

impl Step for Copied {
    fn label(&self) -> String {
        "programs".into()
    }

    fn ingredients(&self) -> Vec<Ingredient> {
        self.ingredients.clone()
    }

    fn yields(&self, _: &Tree) -> Result<Tree> {
        let mut tree = Tree::new();
        for (place, path) in &self.files {
            let kind =
                Kind::File(Content::Path { path: path.clone(), len: fs::metadata(path)?.len() });
            tree.insert(place.clone(), Entry::new(0o755, kind));
        }
        Ok(tree)
    }
}
