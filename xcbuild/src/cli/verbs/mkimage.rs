//! `xcbuild mkimage`: the base image, also as a disk that boots by itself.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::build::base;
use crate::cli::build::disk::loaders;
use crate::cli::verb::Verb;
use crate::settings::Invocation;
use crate::settings::table::verbs::ImageSettings;
use crate::ui::{self, Progress};
use xc_image::disk::{self, Format, Spec};
use xc_store::publish;
use xc_store::store::Store;
use xc_store::tree::{self, Blob};

/// Build the base image, with its kernel and initramfs, and print its path
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

impl Verb for Arguments {
    const NAME: &'static str = "mkimage";

    /// Runs the verb.
    ///
    /// # Errors
    /// When packages can't be had, or a file can't be written.
    fn run(&self, invocation: Invocation) -> Result<ExitCode> {
        let settings = invocation.settings()?;
        let store = Store::open(&settings.places.store, &ui::reporter())?;
        let image = &settings.places.image;
        base::spare_own(image)?;
        let wanted: ImageSettings = invocation.read()?;
        let is_disk = wanted.bootable || wanted.size.is_some();
        let format = match wanted.format.as_deref() {
            Some("qcow2") => Some(Format::Qcow2),
            None | Some("iso") if !is_disk => None,
            _ => Some(Format::Raw),
        };
        let built = base::make(&settings, &store)?;
        match format {
            None => publish::link_or_copy(&built.iso, image)?,
            Some(format) => {
                let root = tree::from_iso(&Blob::open(&built.iso)?)?;
                let loaders = wanted.bootable.then(|| loaders(&settings, &store)).transpose()?;
                let spec = Spec { format, size: wanted.size };
                let bar = Progress::spinner("writing the disk");
                let work = store.work_directory()?;
                disk::write(root, loaders.as_ref(), spec, work.path(), image)?;
                drop(bar);
            }
        }
        base::link_old_name(image)?;
        ui::result(image.display());
        Ok(ExitCode::SUCCESS)
    }
}
