//! The contract's cache: overlays built by hand into `.tar.xz` files, for machines that lack what
//! they are built with.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fs_err as fs;
use liblzma::write::XzEncoder;

use super::Params;
use super::build::layers;
use super::plan::Planned;
use xc_store::store::Store;
use xc_sys::files::write_atomic;

/// How the files end.
const ENDING: &str = ".tar.xz";
/// xz's own default: a good size for the time.
const LEVEL: u32 = 6;

/// Builds overlays into a directory, each as `NAME.tar.xz`, and gives the files.
///
/// # Errors
/// When an overlay is unknown or can't be built, or a file can't be written.
pub fn build(
    names: &[String],
    params: &Params,
    store: &Store,
    directory: &Path,
) -> Result<Vec<PathBuf>> {
    let find = |name: &String| Planned::find(&params.search, name);
    let plan: Vec<Planned> = names.iter().map(find).collect::<Result<_>>()?;
    let mut files = Vec::new();
    for layer in layers(&plan, params, store)? {
        let missing = || format!("the layer of `{}` went missing from the store", layer.name);
        let tar = store.blob(&layer.blob.digest)?.with_context(missing)?;
        let mut xz = XzEncoder::new(Vec::new(), LEVEL);
        std::io::copy(&mut fs::File::open(tar)?, &mut xz)?;
        xz.flush()?;
        let file = directory.join(format!("{}{ENDING}", layer.name));
        write_atomic(&file, &xz.finish()?)?;
        files.push(file);
    }
    Ok(files)
}

/// The names of the overlays in a directory.
///
/// # Errors
/// When it can't be read; one that isn't there has none.
pub fn list(directory: &Path) -> Result<Vec<String>> {
    if !directory.is_dir() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        names.extend(name.strip_suffix(ENDING).map(ToOwned::to_owned));
    }
    names.sort();
    Ok(names)
}

/// Removes overlays from a directory: those named, or all.
///
/// # Errors
/// When one can't be removed. One that isn't there is no error.
pub fn clear(directory: &Path, names: &[String]) -> Result<()> {
    for name in list(directory)? {
        if names.is_empty() || names.contains(&name) {
            fs::remove_file(directory.join(format!("{name}{ENDING}")))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{build, clear, list};
    use crate::{Params, Search, tarball};
    use xc_report::Reporter;
    use xc_store::store::Store;
    use xc_store::tree::TreePath;

    #[test]
    fn built_listed_and_removed() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a", "b"] {
            let etc = dir.path().join(name).join("default/etc");
            std::fs::create_dir_all(&etc).unwrap();
            std::fs::write(etc.join(name), name).unwrap();
            std::fs::write(dir.path().join(name).join("ovl.toml"), "description = 'x'").unwrap();
        }
        let places = vec![dir.path().to_path_buf()];
        let search = Search { directories: places, current: dir.path().to_path_buf() };
        let params = Params { search, ..Params::default() };
        let store = Store::open(&dir.path().join("store"), &Reporter::silent()).unwrap();
        let cache = dir.path().join("cache/default");
        assert_eq!(list(&cache).unwrap(), Vec::<String>::new());
        let names = ["a".to_owned(), "b".to_owned()];
        let files = build(&names, &params, &store, &cache).unwrap();
        assert_eq!(files, [cache.join("a.tar.xz"), cache.join("b.tar.xz")]);
        let tree = tarball::read(&files[1], &store, None).unwrap();
        assert!(tree.get(&TreePath::new("etc/b").unwrap()).is_some());
        assert_eq!(list(&cache).unwrap(), names);
        clear(&cache, &names[..1]).unwrap();
        assert_eq!(list(&cache).unwrap(), ["b"]);
    }
}
