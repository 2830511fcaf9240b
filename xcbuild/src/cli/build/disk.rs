//! The base image as a disk.

use anyhow::Result;

use super::base;
use crate::settings::Settings;
use xc_image::base::not_installed;
use xc_image::debian::{Request, merged_tree};
use xc_image::disk::{self, Loaders};
use xc_store::store::Store;

/// The boot loaders, for our kernel and initramfs.
///
/// # Errors
/// When their packages can't be had.
pub(crate) fn loaders(settings: &Settings, store: &Store) -> Result<Loaders> {
    let packages = base::packages(settings, store);
    let wants: Vec<String> = disk::PACKAGES.iter().map(ToString::to_string).collect();
    let without = not_installed();
    let set = packages.resolve(&Request { wants: &wants, without: &without, over: None })?;
    let tree = merged_tree(&packages, &set)?;
    Loaders::new(&tree, &settings.places.kernel, &settings.places.initramfs)
}
