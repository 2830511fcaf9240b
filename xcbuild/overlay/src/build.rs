//! Overlays to layers: look the key up, build what is missing, publish it; all at once.
//!
//! The store has the blob `layer` by the key of a recipe, and locally, by an overlay's name, the
//! ingredients of what was built last: `--explain` compares with them.
//!
//! A key is built by one process at a time: [`Store::get_or_try_build`].

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use fs_err as fs;

use super::Params;
use super::find::Source;
use super::plan::Planned;
use super::reason::{Reason, changes};
use super::recipe::{Context, FORMAT, Ingredient, Recipe};
use super::script::Script;
use super::{merged, tarball};
use xc_image::debian::{ARCHITECTURE, Packages};
use xc_report::timeline::span;
use xc_store::key::{Digest, Key, KeyBuilder};
use xc_store::store::{Action, BlobRef, Fact, Outcome, Store};
use xc_store::tree::{Tree, write_tar};
use xc_sys::{cancel, jobs};

/// How often a layer is built whose files change meanwhile.
const ATTEMPTS: u32 = 3;
/// The blob of an action that is the layer.
const LAYER: &str = "layer";

/// A layer, and how it came about.
#[derive(Debug, Clone)]
pub struct Layer {
    /// The overlay's name.
    pub name: String,
    /// The tar in the store.
    pub blob: BlobRef,
    /// Why it was built; `None` if it was in the store.
    pub built: Option<Reason>,
    /// The time that it took, to look or to build.
    pub took: Duration,
}

/// The layers of overlays, in their order.
///
/// # Errors
/// The first error of any; the others are ended.
pub fn layers(plan: &[Planned], params: &Params, store: &Store) -> Result<Vec<Layer>> {
    let packages = Packages::new(store, &params.package_lock, ARCHITECTURE);
    jobs::try_map(plan, |planned| layer(planned, params, &packages))
}

/// The layer of one overlay.
///
/// # Errors
/// When the overlay can't be built; the error names it.
fn layer(planned: &Planned, params: &Params, packages: &Packages<'_>) -> Result<Layer> {
    cancel::check()?;
    let store = packages.store();
    let start = Instant::now();
    let name = &planned.overlay.name;
    let _span = span("layer", name);
    let found = match (&planned.overlay.source, &planned.manifest) {
        (Source::Script(directory), _) => Script { name, directory, params, store }.layer(),
        (Source::Tar(file), _) => from_tar(name, file, params, store),
        (Source::Manifest(directory), Some(manifest)) => {
            from_manifest(&Context { name, directory, manifest, params, packages })
        }
        (Source::Manifest(directory), None) => {
            Err(anyhow::anyhow!("the manifest of `{}` was not read", directory.display()))
        }
    };
    let (blob, built) = found.with_context(|| format!("can't build the overlay `{name}`"))?;
    Ok(Layer { name: name.clone(), blob, built, took: start.elapsed() })
}

/// What a build would do with an overlay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forecast {
    /// The overlay's name.
    pub name: String,
    /// Why it would be built; `None` if it is in the store.
    pub reason: Option<Reason>,
}

/// What a build would do, without doing it.
///
/// # Errors
/// When what an overlay names is not there.
pub fn forecast(plan: &[Planned], params: &Params, store: &Store) -> Result<Vec<Forecast>> {
    let packages = Packages::new(store, &params.package_lock, ARCHITECTURE);
    let one = |planned: &Planned| -> Result<Forecast> {
        let name = &planned.overlay.name;
        let reason = match (&planned.overlay.source, &planned.manifest) {
            (Source::Manifest(directory), Some(manifest)) => {
                let context = Context { name, directory, manifest, params, packages: &packages };
                let recipe = Recipe::of(&context)?;
                LayerCache { name, store }.forecast(&recipe.key(), || recipe.ingredients())?
            }
            (Source::Tar(file), _) => {
                let (key, ingredients) = tar_key(file)?;
                LayerCache { name, store }.forecast(&key, || ingredients)?
            }
            (Source::Script(directory), _) => {
                Script { name, directory, params, store }.forecast()?
            }
            _ => None,
        };
        Ok(Forecast { name: name.clone(), reason })
    };
    let named = |planned: &Planned| {
        one(planned).with_context(|| format!("the overlay `{}`", planned.overlay.name))
    };
    jobs::try_map(plan, named)
}

fn from_manifest(context: &Context<'_>) -> Result<(BlobRef, Option<Reason>)> {
    let look = || {
        let _span = span("recipe", context.name);
        Recipe::of(context)
    };
    let cache = LayerCache { name: context.name, store: context.packages.store() };
    retry_if_changed(|| {
        let recipe = look()?;
        let same = || Ok(look()?.key() == recipe.key());
        cache.get_or_build(&recipe.key(), || recipe.ingredients(), || recipe.make(), same)
    })
}

/// Builds again what changed while it was built, so that no key gets what belongs to another.
fn retry_if_changed(
    build: impl Fn() -> Result<Option<(BlobRef, Option<Reason>)>>,
) -> Result<(BlobRef, Option<Reason>)> {
    for _ in 0..ATTEMPTS {
        if let Some(built) = build()? {
            return Ok(built);
        }
    }
    bail!("its files changed each time while it was built; try again when they don't")
}

fn from_tar(
    name: &str,
    file: &Path,
    params: &Params,
    store: &Store,
) -> Result<(BlobRef, Option<Reason>)> {
    retry_if_changed(|| {
        let (key, ingredients) = tar_key(file)?;
        let same = || Ok(tar_key(file)?.0 == key);
        let make = || {
            let tree = tarball::read(file, store, params.unpack_max)?;
            merged::checked(tree, "the tar", name, store.reporter())
        };
        LayerCache { name, store }.get_or_build(&key, || ingredients.clone(), make, same)
    })
}

fn tar_key(file: &Path) -> Result<(Key, Vec<Ingredient>)> {
    let (digest, _) = Digest::of_reader(fs::File::open(file)?)?;
    let key = KeyBuilder::new("tar").number("format", FORMAT).digest("file", &digest).finish();
    Ok((key, vec![Ingredient::new("tar", digest.to_string())]))
}

/// Writes a tree into the store, as the tar of a layer.
fn put(tree: &Tree, store: &Store) -> Result<BlobRef> {
    let _span = span("store", "write the layer");
    let mut writer = store.writer()?;
    write_tar(tree, &mut writer)?;
    writer.commit()
}

/// An overlay as `--explain` knows it: what was built last under the same name.
struct LayerCache<'a> {
    name: &'a str,
    store: &'a Store,
}

impl LayerCache<'_> {
    /// The layer of a key; `None` if what it is made of is no longer what the key says.
    fn get_or_build(
        &self,
        key: &Key,
        ingredients: impl Fn() -> Vec<Ingredient>,
        make: impl FnOnce() -> Result<Tree>,
        same: impl FnOnce() -> Result<bool>,
    ) -> Result<Option<(BlobRef, Option<Reason>)>> {
        let mut reason = None;
        let build = || {
            reason = Some(self.reason(&ingredients()));
            let blob = put(&make()?, self.store)?;
            if !same()? {
                return Ok(None);
            }
            Ok(Some(Action::of_blob(LAYER, blob).with_fact("overlay", self.name)))
        };
        let built = self.store.get_or_try_build(key, &[LAYER], build)?;
        let Some((action, outcome)) = built else { return Ok(None) };
        if outcome != Outcome::Cached {
            self.remember(&ingredients())?;
        }
        Ok(Some((action.blob(LAYER)?, reason)))
    }

    fn forecast(
        &self,
        key: &Key,
        ingredients: impl FnOnce() -> Vec<Ingredient>,
    ) -> Result<Option<Reason>> {
        if self.stored(key)?.is_some() {
            return Ok(None);
        }
        Ok(Some(self.reason(&ingredients())))
    }

    fn stored(&self, key: &Key) -> Result<Option<BlobRef>> {
        Ok(self.store.action(key)?.and_then(|action| action.blobs.get(LAYER).copied()))
    }

    fn latest(&self) -> Key {
        KeyBuilder::new("latest").text("name", self.name).finish()
    }

    fn remember(&self, ingredients: &[Ingredient]) -> Result<()> {
        self.store.local().set(Fact::LastBuild, &self.latest(), &ingredients)
    }

    fn reason(&self, ingredients: &[Ingredient]) -> Reason {
        let old = self.store.local().get::<Vec<Ingredient>>(Fact::LastBuild, &self.latest());
        let Some(old) = old else { return Reason::New };
        if old == ingredients {
            return Reason::Lost;
        }
        Reason::Changed(changes(&old, ingredients))
    }
}

#[cfg(test)]
mod tests;
