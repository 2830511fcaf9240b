//! What verbs need of overlays: where they are looked for.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::settings::Settings;
use crate::ui;
use xc_overlay::embedded::Embedded;
use xc_overlay::plan::Planned;
use xc_overlay::{Overlay, Search, Source};
use xc_store::store::StoreLayout;

/// The places of `XCLUSTER_OVLPATH`, then our own overlays.
///
/// # Errors
/// When our own can't be written to the store's directory.
pub(crate) fn search(settings: &Settings) -> Result<Search> {
    let ours = Embedded::Overlays.directory(&StoreLayout::new(&settings.places.store))?;
    let current = std::env::current_dir().context("can't tell the current directory")?;
    Ok(Search::new(settings.places.overlays.iter().cloned().chain([ours]), &current))
}

/// The directory of an overlay.
///
/// # Errors
/// When there is none of that name, or it is a tar file.
pub(crate) fn directory(settings: &Settings, name: &str) -> Result<PathBuf> {
    match search(settings)?.find(name)?.source {
        Source::Manifest(path) | Source::Script(path) => Ok(path),
        Source::Tar(path) => {
            anyhow::bail!("the overlay `{name}` is the tar file `{}`, no directory", path.display())
        }
    }
}

/// One line on an overlay, whatever it is made of; a manifest that is wrong says so.
pub(crate) fn description(search: &Search, overlay: &Overlay) -> String {
    match &overlay.source {
        Source::Script(_) => "(made by a script)".into(),
        Source::Tar(_) => "(a tar file)".into(),
        Source::Manifest(_) => match Planned::find(search, &overlay.name) {
            Ok(planned) => planned.manifest.map(|m| m.description).unwrap_or_default(),
            Err(e) => format!("({})", ui::causes(&e)),
        },
    }
}
