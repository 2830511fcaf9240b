//! Looking into overlays: what one brings, and who wins where several have a path.

use anyhow::{Context as _, Result};

use super::Params;
use super::build::{Layer, layers};
use super::find::Source;
use super::plan::{Planned, plan};
use super::recipe::{Context, Origin, Recipe};
use xc_image::debian::{ARCHITECTURE, Packages};
use xc_store::store::Store;
use xc_store::tree::{Blob, Entry, Kind, Tree, TreePath, from_tar, merge, usr_merge};

/// Every path that an overlay brings, and what of the overlay gave it.
///
/// # Errors
/// When there is no such overlay, or it can't be built.
pub fn show(name: &str, params: &Params, store: &Store) -> Result<Vec<Origin>> {
    let planned = Planned::find(&params.search, name)?;
    let name = planned.overlay.name.as_str();
    if let (Source::Manifest(directory), Some(manifest)) =
        (&planned.overlay.source, &planned.manifest)
    {
        let packages = Packages::new(store, &params.package_lock, ARCHITECTURE);
        let context = Context { name, directory, manifest, params, packages: &packages };
        return Recipe::of(&context)?.origins();
    }
    let step = match planned.overlay.source {
        Source::Tar(_) => "the tar file",
        _ => "the script",
    };
    let layer = layers(std::slice::from_ref(&planned), params, store)?.remove(0);
    let origin = |(path, entry)| Origin { path, entry, step: step.to_owned() };
    Ok(merged(&layer, store)?.into_iter().map(origin).collect())
}

/// What one of several overlays has at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The overlay.
    pub overlay: String,
    /// What it has there.
    pub entry: Entry,
    /// Whether a node gets it, or a later overlay hides it.
    pub wins: bool,
}

/// The overlays that have a path, in their order; the last one wins.
///
/// # Errors
/// When an overlay is unknown or can't be built.
pub fn why(
    path: &TreePath,
    names: &[String],
    params: &Params,
    store: &Store,
) -> Result<Vec<Claim>> {
    let layers = layers(&plan(&params.search, names)?, params, store)?;
    let mut claims: Vec<Claim> = Vec::new();
    for layer in &layers {
        if let Some(entry) = merged(layer, store)?.get(path) {
            let claim = Claim { overlay: layer.name.clone(), entry: entry.clone(), wins: false };
            claims.push(claim);
        }
    }
    if let Some(last) = claims.last_mut() {
        last.wins = true;
    }
    Ok(claims)
}

/// A path that one overlay has and a later one hides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hidden {
    /// The path.
    pub path: TreePath,
    /// The overlay that wins.
    pub by: String,
}

/// The paths that overlays hide from each other. The same content in both hides nothing.
///
/// # Errors
/// When a layer can't be read.
pub fn conflicts(layers: &[Layer], store: &Store) -> Result<Vec<Hidden>> {
    let mut below = Tree::new();
    let mut hidden = Vec::new();
    for layer in layers {
        let upper = merged(layer, store)?;
        let whole = upper.clone();
        for conflict in merge(&mut below, upper)? {
            let winner = whole.get(&conflict.path);
            if !winner.is_some_and(|w| w.looks_like(&conflict.hidden)) {
                hidden.push(Hidden { path: conflict.path, by: layer.name.clone() });
            }
        }
    }
    Ok(hidden)
}

/// Start scripts that no node runs, since they aren't executable, with their overlay's name; of the
/// layers that were built just now.
///
/// # Errors
/// When a layer can't be read.
pub fn not_run(layers: &[Layer], store: &Store) -> Result<Vec<(String, TreePath)>> {
    let mut found = Vec::new();
    for layer in layers.iter().filter(|layer| layer.built.is_some()) {
        for (path, entry) in merged(layer, store)? {
            let name = path.to_string();
            let script = name.strip_prefix("etc/init.d/").is_some_and(|n| n.ends_with(".rc"));
            if script && matches!(entry.kind, Kind::File(_)) && entry.mode & 0o111 == 0 {
                found.push((layer.name.clone(), path));
            }
        }
    }
    Ok(found)
}

fn merged(layer: &Layer, store: &Store) -> Result<Tree> {
    Ok(usr_merge(tree(layer, store)?)?.tree)
}

fn tree(layer: &Layer, store: &Store) -> Result<Tree> {
    let missing = || format!("the layer of `{}` went missing from the store", layer.name);
    let path = store.blob(&layer.blob.digest)?.with_context(missing)?;
    Ok(from_tar(&Blob::open(&path)?)?)
}

#[cfg(test)]
mod tests {
    use super::{conflicts, layers, not_run, plan, show, why};
    use crate::{Params, Search};
    use xc_report::Reporter;
    use xc_store::store::Store;
    use xc_store::tree::TreePath;

    fn place() -> (tempfile::TempDir, Params, Store) {
        let dir = tempfile::tempdir().unwrap();
        for (overlay, path, text) in [
            ("a", "default/bin/x", "a"),
            ("a", "default/etc/same", "same"),
            ("a", "default/etc/init.d/50a.rc", "true"),
            ("b", "default/usr/bin/x", "b"),
            ("b", "default/etc/same", "same"),
        ] {
            let file = dir.path().join(overlay).join(path);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
            let manifest = "description = 'x'\n[links]\n'/bin/y' = 'x'\n";
            std::fs::write(dir.path().join(overlay).join("ovl.toml"), manifest).unwrap();
        }
        let places = vec![dir.path().to_path_buf()];
        let search = Search { directories: places, current: dir.path().to_path_buf() };
        let store = Store::open(&dir.path().join("store"), &Reporter::silent()).unwrap();
        (dir, Params { search, ..Params::default() }, store)
    }

    #[test]
    fn every_path_has_its_origin() {
        let (_dir, params, store) = place();
        let shown = show("a", &params, &store).unwrap();
        let shown: Vec<_> = shown.iter().map(|o| format!("{} {}", o.path, o.step)).collect();
        let expected = [
            "etc default/",
            "etc/init.d default/",
            "etc/init.d/50a.rc default/",
            "etc/same default/",
            "usr [link]",
            "usr/bin [link]",
            "usr/bin/x default/",
            "usr/bin/y [link]",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn the_last_wins_and_equal_files_are_no_conflict() {
        let (_dir, params, store) = place();
        let names = ["a".to_owned(), "b".to_owned()];
        let path = TreePath::new("usr/bin/x").unwrap();
        let claims = why(&path, &names, &params, &store).unwrap();
        let claims: Vec<_> = claims.iter().map(|c| (c.overlay.as_str(), c.wins)).collect();
        assert_eq!(claims, [("a", false), ("b", true)]);
        let layers = layers(&plan(&params.search, &names).unwrap(), &params, &store).unwrap();
        let hidden = conflicts(&layers, &store).unwrap();
        let hidden: Vec<_> = hidden.iter().map(|h| (h.path.to_string(), h.by.as_str())).collect();
        assert_eq!(hidden, [("usr/bin/x".to_owned(), "b")]);
    }

    #[test]
    fn start_scripts_that_are_not_executable_are_found_when_they_are_built() {
        let (_dir, params, store) = place();
        let plan = plan(&params.search, &["a".to_owned(), "b".to_owned()]).unwrap();
        let rows = [vec![("a".into(), TreePath::new("etc/init.d/50a.rc").unwrap())], vec![]];
        for expected in rows {
            let layers = layers(&plan, &params, &store).unwrap();
            assert_eq!(not_run(&layers, &store).unwrap(), expected);
        }
    }
}
