//! What verbs need of overlays: where they are looked for.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::settings::Settings;
use xc_overlay::embedded::Embedded;
use xc_overlay::{Search, Source};
use xc_store::store::StoreLayout;

/// The places of `XCLUSTER_OVLPATH`, then our own overlays.
///
/// # Errors
/// When our own can't be written to the store's directory.
pub fn search(settings: &Settings) -> Result<Search> {
    let ours = Embedded::Overlays.directory(&StoreLayout::new(&settings.places.store))?;
    let current = std::env::current_dir().context("can't tell the current directory")?;
    Ok(Search::new(settings.places.overlays.iter().cloned().chain([ours]), &current))
}

/// The directory of an overlay.
///
/// # Errors
/// When there is none of that name, or it is a tar file.
pub fn directory(settings: &Settings, name: &str) -> Result<PathBuf> {
    match search(settings)?.find(name)?.source {
        Source::Manifest(path) | Source::Script(path) => Ok(path),
        Source::Tar(path) => {
            anyhow::bail!("the overlay `{name}` is the tar file `{}`, no directory", path.display())
        }
    }
}
