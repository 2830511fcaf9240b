//! Symbolic links below a script's inputs that lead out of them: what is there counts as well, as
//! the script reads through them.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use fs_err as fs;

use super::Ingredient;
use super::listing::digest;
use xc_store::listing::{FoundKind, Listing};
use xc_store::store::Store;
use xc_store::tree::Content;

/// File systems of the kernel's: what is below has no content that could be kept.
const OF_THE_KERNEL: [&str; 3] = ["/dev", "/proc", "/sys"];

/// The contents that links of a listing lead to, outside of its directory: an ingredient for each
/// link, and for those in directories that links lead to.
///
/// # Errors
/// When what is there can't be read. A link that leads nowhere is an ingredient, too.
pub(super) fn ingredients(
    label: &str,
    directory: &Path,
    listing: &Listing,
    store: &Store,
) -> Result<Vec<Ingredient>> {
    let inside = fs::canonicalize(directory)?;
    let mut seen: BTreeSet<PathBuf> = BTreeSet::new();
    let mut found = Vec::new();
    let mut waiting = links(label, directory, listing);
    while let Some((name, link)) = waiting.pop() {
        let what = format!("{name} leads to");
        let Ok(target) = fs::canonicalize(&link) else {
            found.push(Ingredient::new(what, "nothing"));
            continue;
        };
        // That counts anyway.
        if target.starts_with(&inside) {
            continue;
        }
        let value = match fs::metadata(&target)? {
            _ if is_kernels(&target) => format!("{}", target.display()),
            metadata if metadata.is_dir() => {
                let below = Listing::of(&target, store)
                    .with_context(|| format!("`{}` leads there", link.display()))?;
                if seen.insert(target.clone()) {
                    waiting.extend(links(&name, &target, &below));
                }
                format!("directory {}", below.digest())
            }
            metadata if metadata.is_file() => {
                let len = metadata.len();
                format!("file {}", digest(&Content::Path { path: target, len })?)
            }
            _ => "a special file".into(),
        };
        found.push(Ingredient::new(what, value));
    }
    found.sort_by(|a, b| a.what.cmp(&b.what));
    Ok(found)
}

/// The symbolic links of a listing, by name and place.
fn links(label: &str, directory: &Path, listing: &Listing) -> Vec<(String, PathBuf)> {
    let links = listing.iter().filter(|listed| listed.kind == FoundKind::Symlink);
    let one = |path: &[u8]| {
        let name = format!("{label}/{}", String::from_utf8_lossy(path));
        (name, directory.join(OsStr::from_bytes(path)))
    };
    links.map(|listed| one(listed.path)).collect()
}

fn is_kernels(target: &Path) -> bool {
    target == Path::new("/") || OF_THE_KERNEL.iter().any(|place| target.starts_with(place))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::ingredients;
    use xc_report::Reporter;
    use xc_store::listing::Listing;
    use xc_store::store::Store;

    /// A link to a file, to a directory with a link in it, to a link, each of them absolute or not.
    #[test]
    fn what_links_lead_to_counts() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in ["in/sub", "out/below", "other"] {
            fs::create_dir_all(at(name)).unwrap();
        }
        for name in ["in/sub/own", "out/file", "out/below/deep", "other/last", "lone"] {
            fs::write(at(name), "1").unwrap();
        }
        symlink("sub/own", at("in/inside")).unwrap();
        symlink("../lone", at("in/file")).unwrap();
        symlink(at("out"), at("in/sub/directory")).unwrap();
        symlink("hop", at("in/chain")).unwrap();
        symlink("../other/../other/last", at("in/hop")).unwrap();
        symlink("nowhere", at("in/dangling")).unwrap();
        symlink("../../other", at("out/below/on")).unwrap();
        symlink("/proc/self/stat", at("in/kernel")).unwrap();
        let store = Store::open(&at("store"), &Reporter::silent()).unwrap();
        let now = || {
            let listing = Listing::of(&at("in"), &store).unwrap();
            ingredients("script in", &at("in"), &listing, &store).unwrap()
        };
        let first = now();
        let names: Vec<&str> = first.iter().map(|i| i.what.as_str()).collect();
        let names: Vec<&str> = names.iter().map(|n| n.trim_end_matches(" leads to")).collect();
        let expected = [
            "script in/chain",
            "script in/dangling",
            "script in/file",
            "script in/hop",
            "script in/kernel",
            "script in/sub/directory",
            "script in/sub/directory/below/on",
        ];
        assert_eq!(names, expected);
        assert_eq!(now(), first);
        let mut last = first;
        for name in ["lone", "out/file", "out/below/deep", "other/last"] {
            fs::write(at(name), "22").unwrap();
            let changed = now();
            assert_ne!(changed, last, "{name}");
            last = changed;
        }
        fs::write(at("in/nowhere"), "").unwrap();
        assert_ne!(now(), last);
    }
}
