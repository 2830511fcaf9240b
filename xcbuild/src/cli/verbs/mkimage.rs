//! `xcbuild mkimage`: the base image, also as a disk that boots by itself.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::cli::build::base;
use crate::cli::build::disk::{Place, loaders};
use crate::cli::verb::Verb;
use crate::settings::{Settings, Variables, set_options};
use crate::ui::{self, Progress};
use xc_image::disk::{self, Format, Spec};
use xc_store::publish;
use xc_store::store::Store;
use xc_store::tree::{self, Blob};

/// Build the base image, with its kernel and initramfs, and print its path
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// iso, raw or qcow2 [default: iso, or raw with --size or --bootable]
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// How large the disk is, in bytes, or with K, M, G or T of 1024; what the image does not take
    /// is room that nodes write to
    #[arg(long, value_name = "BYTES", value_parser = size)]
    size: Option<u64>,
    /// Make it boot by itself, by BIOS and UEFI
    #[arg(long)]
    bootable: bool,
}

impl Verb for Arguments {
    const NAME: &'static str = "mkimage";

    /// Runs the verb.
    ///
    /// # Errors
    /// When packages can't be had, or a file can't be written.
    fn run(&self, mut variables: Variables) -> Result<ExitCode> {
        set_options(&mut variables, &self.place);
        let settings = Settings::resolve(variables)?;
        let store = Store::open(&settings.places.store, &ui::reporter())?;
        let image = &settings.places.image;
        base::spare_own(image)?;
        let is_disk = self.bootable || self.size.is_some();
        let format = match self.format.as_deref() {
            None if is_disk => Some(Format::Raw),
            None => None,
            Some("iso") if !is_disk => None,
            Some("iso" | "raw") => Some(Format::Raw),
            Some("qcow2") => Some(Format::Qcow2),
            Some(other) => bail!("--format={other}: iso, raw or qcow2 is expected"),
        };
        let built = base::make(&settings, &store)?;
        match format {
            None => publish::place(&built.iso, image)?,
            Some(format) => {
                let root = tree::from_iso(&Blob::open(&built.iso)?)?;
                let loaders = self.bootable.then(|| loaders(&settings, &store)).transpose()?;
                let spec = Spec { format, size: self.size };
                let bar = Progress::spinner("writing the disk");
                let work = store.work_directory()?;
                disk::write(root, loaders.as_ref(), spec, work.path(), image)?;
                drop(bar);
            }
        }
        ui::result(image.display());
        Ok(ExitCode::SUCCESS)
    }
}

/// Bytes, as `qemu-img` takes them.
fn size(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.trim_end_matches('B').strip_suffix(['K', 'M', 'G', 'T']) {
        Some(digits) => (
            digits,
            [("K", 10), ("M", 20), ("G", 30), ("T", 40)]
                .iter()
                .find(|(unit, _)| text.contains(unit))
                .map_or(0, |(_, shift)| *shift),
        ),
        None => (text, 0),
    };
    let number: u64 = digits.parse().map_err(|_| "a size as in 2G is expected".to_owned())?;
    number.checked_mul(1 << shift).ok_or_else(|| "that is too much".to_owned())
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_those_of_qemu_img() {
        assert_eq!(size("512"), Ok(512));
        assert_eq!(size("2G"), Ok(2 << 30));
        assert_eq!(size("300M"), Ok(300 << 20));
        assert!(size("2X").is_err() && size("").is_err() && size("99999999T").is_err());
    }
}
