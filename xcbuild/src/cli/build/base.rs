//! What verbs need of the base image: built, and its files in the places that the settings name.

use std::path::Path;

use anyhow::{Context, Result, bail};

use super::coredns;
use crate::settings::{Places, Settings};
use crate::ui;
use xc_image::base::{self, BaseImage, KernelSource, Program, Recipe};
use xc_image::debian::{ARCHITECTURE, Packages};
use xc_image::disk;
use xc_store::publish;
use xc_store::store::Store;

/// The DNS server of the nodes, static; the build script makes it.
const XC_DNS: &[u8] = include_bytes!(env!("XC_DNS_STATIC"));
/// The base image's name, and the one that it had before, which leads to it.
const NAME: &str = "hd.img";
const OLD_NAME: &str = "base.iso";

/// The packages that the user's lock file pins.
pub(crate) fn packages<'s>(settings: &Settings, store: &'s Store) -> Packages<'s> {
    packages_of(&settings.places.package_lock(), store)
}

/// The packages that a lock file pins.
pub(crate) fn packages_of<'s>(lock_file: &Path, store: &'s Store) -> Packages<'s> {
    Packages::new(store, lock_file, ARCHITECTURE)
}

/// Builds the base image, or finds it in the store, and puts it where nodes are started from.
///
/// # Errors
/// When packages can't be had, or a place can't be written.
pub(crate) fn build(settings: &Settings, store: &Store) -> Result<BaseImage> {
    build_from(&packages(settings, store), settings)
}

/// As [`build`], with packages that another lock file pins.
///
/// # Errors
/// As for [`build`].
pub(crate) fn build_from(packages: &Packages<'_>, settings: &Settings) -> Result<BaseImage> {
    spare_own(&settings.places.image)?;
    let image = make_from(packages, settings)?;
    place(&image.iso, &settings.places.image)?;
    link_old_name(&settings.places.image)?;
    Ok(image)
}

/// As [`build`], but for the image itself, which is left in the store.
///
/// # Errors
/// As for [`build`].
pub(crate) fn make(settings: &Settings, store: &Store) -> Result<BaseImage> {
    make_from(&packages(settings, store), settings)
}

/// An image of the user's is never overwritten.
///
/// # Errors
/// When there is a file at the path that is not a base image of ours.
pub(crate) fn spare_own(image: &Path) -> Result<()> {
    if image.metadata().is_ok_and(|m| m.len() > 0) && !disk::probe(image)?.base {
        bail!(
            "`{}` is there already and is not a base image of xcbuild's; remove it, or choose another name (--image=)",
            image.display()
        );
    }
    Ok(())
}

fn make_from(packages: &Packages<'_>, settings: &Settings) -> Result<BaseImage> {
    let programs = [Program { path: "usr/bin/xc-dns", bytes: XC_DNS }];
    let recipe = Recipe { kernel: KernelSource::Debian, programs: &programs };
    let image = base::build(&recipe, packages)?;
    let places = &settings.places;
    place(&image.files, &places.own_base_libraries())?;
    place(&image.initramfs, &places.initramfs)?;
    // A kernel of the user's stays as it is.
    if !settings.is_set(&Places::kernel) {
        place(&image.kernel, &places.kernel)?;
    }
    coredns::place_stand_in(settings, XC_DNS);
    let verb = if image.cached { "Cached" } else { "Built" };
    let packages = image.packages.packages.len();
    ui::status(
        verb,
        format_args!("base image, {packages} packages, Linux {}", image.kernel_version),
    );
    Ok(image)
}

/// Leads the image's old name to it. What has that name and is not a base image stays as it is.
///
/// # Errors
/// When the link can't be made.
pub(crate) fn link_old_name(image: &Path) -> Result<()> {
    if image.file_name() != Some(NAME.as_ref()) {
        return Ok(());
    }
    let link = image.with_file_name(OLD_NAME);
    match link.symlink_metadata() {
        Ok(found) if found.is_symlink() => return Ok(()),
        Ok(_) if !disk::probe(&link)?.base => return Ok(()),
        Ok(_) => fs_err::remove_file(&link)?,
        Err(_) => {}
    }
    fs_err::os::unix::fs::symlink(NAME, &link)
        .with_context(|| format!("can't make the link `{}`", link.display()))
}

fn place(from: &Path, to: &Path) -> Result<()> {
    publish::link_or_copy(from, to)
        .with_context(|| format!("can't put the base image at `{}`", to.display()))
}
