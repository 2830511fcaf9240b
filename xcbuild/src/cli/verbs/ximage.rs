//! `xcbuild ximage`: the base image, extended with overlays.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap_complete::ArgValueCompleter;

use crate::cli::build::disk::loaders;
use crate::cli::build::{base, cdrom};
use crate::cli::completion;
use crate::cli::verb::Verb;
use crate::settings::Invocation;
use crate::settings::table::verbs::CdromSettings;
use crate::ui::{self, Progress};
use xc_image::disk::{self, Spec};
use xc_image::{extend, index};
use xc_overlay::build::layers;
use xc_overlay::plan::plan;
use xc_store::store::Store;
use xc_store::tree::TreePath;

/// Extend the base image with overlays, in its place, and print its path
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The overlays, in order
    #[arg(value_name = "OVL", add = ArgValueCompleter::new(completion::overlays))]
    overlays: Vec<String>,
}

impl Verb for Arguments {
    const NAME: &'static str = "ximage";
    const TAKES_SETTINGS: bool = true;

    /// Runs the verb. An image that isn't there is built first.
    ///
    /// # Errors
    /// When the image is none of ours, an overlay can't be built, or the script fails; the image is
    /// then as it was.
    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        let settings = invocation.settings()?;
        let script = invocation.read::<CdromSettings>()?.script;
        let store = Store::open(&settings.places.store, &ui::reporter())?;
        if self.overlays.is_empty() && script.is_none() {
            bail!("name overlays to extend the image with, or a script (--script=)");
        }
        let image = &settings.places.image;
        if !image.exists() {
            base::build(&settings, &store)?;
        }
        let (seen, work) = (disk::probe(image)?, store.work_directory()?);
        let mut root = disk::root(image, seen, work.path())?;
        let params = cdrom::params(&settings, &store)?;
        let built = layers(&plan(&params.search, &self.overlays)?, &params, &store)?;
        let blobs: Vec<_> = built.iter().map(|layer| layer.blob).collect();
        extend::with_layers(&mut root, &blobs, &store)?;
        if let Some(script) = &script {
            let bar = Progress::spinner("running the script in the image");
            root = extend::with_script(root, script, work.path())?;
            drop(bar);
        }
        index::refresh(&mut root, &blobs, script.as_deref(), &store)?;
        // What it was, it stays: a disk of its size, bootable or not.
        let bootable = root.get(&TreePath::new("boot/isolinux")?).is_some();
        let loaders = bootable.then(|| loaders(&settings, &store)).transpose()?;
        let size = seen.boots.then_some(seen.size);
        let spec = Spec { format: seen.format, size };
        disk::write(root, loaders.as_ref(), spec, work.path(), image)?;
        for layer in &built {
            ui::status("Added", &layer.name);
        }
        ui::result(image.display());
        Ok(ExitCode::SUCCESS)
    }
}
