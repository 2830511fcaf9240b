//! What nodes start from: our base image in whatever format, or a disk of the user's.
//!
//! | `__image` | kernel | cdrom |
//! |---|---|---|
//! | our base image | `__kbin`, with our initramfs | directories that are stacked, or tars |
//! | a disk of the user's with a boot sector | its own, started by the firmware | tars |
//! | … and `__kbin` is a kernel of the user's | that one, with `root=/dev/vda`; an initramfs if `__initrd` is set | tars |
//! | a file system without a boot sector | ours, which mounts it as the root | tars |
//!
//! Every node may write to a disk of the user's; what it writes goes with the node. Nobody waits for
//! such nodes to be ready, since nothing in them says so.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use xc_iso::read::{Kind, Reader};

use crate::settings::{Places, Settings};
use crate::ui;
use xc_cluster::hint::Command;
use xc_cluster::start::BootParams;
use xc_image::disk::{self, Format, ImageInfo};
use xc_vm::command::{Boot, Disk};

/// A kernel of the user's mounts the first disk, and runs what the contract's images have.
const OWN_KERNEL: &str = "root=/dev/vda rw init=/init";
/// Our initramfs mounts the first disk.
const OWN_ROOT: &str = "xc.root=vda";

/// What the settings name, which has to be there.
///
/// # Errors
/// When an image is not there, or the cdrom is of no use to it.
pub(crate) fn of(settings: &Settings) -> Result<BootParams> {
    let image = readable(&settings.places.image, "base image", up(settings))?;
    let seen = disk::probe(&image)?;
    let mut start =
        if seen.base { ours(settings, &image, seen)? } else { own(settings, &image, seen)? };
    let cdrom = &settings.places.cdrom;
    // Nodes come up without overlays, too: `mkcdrom` without any removes the ISO.
    if cdrom.exists() {
        let cdrom = readable(cdrom, "cdrom", "`xcbuild mkcdrom`")?;
        if !seen.base {
            check_tars(&cdrom)?;
        }
        start.boot.disks.push(Disk::iso("cdrom", cdrom));
    }
    if !cdrom.exists() && seen.base {
        ui::warn(format_args!(
            "there is no cdrom `{}`: nodes start without overlays; `xcbuild mkcdrom OVL...` makes one",
            cdrom.display()
        ));
    }
    Ok(start)
}

/// Whether the image that the settings name is there and is the user's own.
///
/// # Errors
/// When it can't be read.
pub(crate) fn is_own(settings: &Settings) -> Result<bool> {
    let image = &settings.places.image;
    Ok(image.exists() && !disk::probe(image)?.base)
}

fn ours(settings: &Settings, image: &Path, seen: ImageInfo) -> Result<BootParams> {
    let places = &settings.places;
    // An ISO is read by all nodes; a disk may have room that each writes to.
    let scratch = seen.format != Format::Raw || seen.boots;
    let boot = Boot {
        kernel: Some(readable(&places.kernel, "kernel", up(settings))?),
        initrd: Some(readable(&places.initramfs, "initramfs", up(settings))?),
        disks: vec![base(image, seen, scratch)],
    };
    Ok(BootParams { boot, append: String::new(), reports_ready: true })
}

fn own(settings: &Settings, image: &Path, seen: ImageInfo) -> Result<BootParams> {
    let places = &settings.places;
    // `env` gives our own kernel as well: who exports all that it prints has chosen none.
    let kernel_is_own = settings.is_set(&Places::kernel) && places.kernel != places.own_kernel();
    let kernel = || readable(&places.kernel, "kernel", up(settings)).map(Some);
    let initrd = || readable(&places.initramfs, "initramfs", up(settings)).map(Some);
    let (kernel, initrd, append) = if kernel_is_own {
        (kernel()?, if settings.is_set(&Places::initramfs) { initrd()? } else { None }, OWN_KERNEL)
    } else if seen.boots {
        (None, None, "")
    } else {
        (kernel()?, initrd()?, OWN_ROOT)
    };
    let boot = Boot { kernel, initrd, disks: vec![base(image, seen, true)] };
    Ok(BootParams { boot, append: append.into(), reports_ready: false })
}

fn base(image: &Path, seen: ImageInfo, scratch: bool) -> Disk {
    let format = seen.format.name().to_owned();
    Disk { name: "base".into(), path: image.into(), format, scratch }
}

/// What makes the base image.
fn up(settings: &Settings) -> Command {
    settings.cluster.name.command("up")
}

fn readable(path: &Path, what: &str, maker: impl Display) -> Result<PathBuf> {
    fs_err::File::open(path)
        .with_context(|| format!("no {what} to start nodes with; {maker} makes it"))?;
    Ok(path.to_path_buf())
}

/// An image of the user's unpacks tars; directories it would not see.
fn check_tars(cdrom: &Path) -> Result<()> {
    let reader = Reader::open(fs_err::File::open(cdrom)?.into_parts().0)?;
    let numbered = |name: &[u8]| name.len() > 2 && name[..2].iter().all(u8::is_ascii_digit);
    let root = reader.entries().first().map(|root| reader.children(root)).unwrap_or_default();
    if root.iter().any(|e| e.kind == Kind::Directory && numbered(&e.name)) {
        bail!(
            "`{}` has overlays as directories, which an image of your own does not stack; \
             `xcbuild mkcdrom --layout=tar OVL...` makes tars, as does mkcdrom while __image is set",
            cdrom.display()
        );
    }
    Ok(())
}
