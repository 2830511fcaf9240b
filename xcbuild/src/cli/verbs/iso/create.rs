//! `xcbuild iso create`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use fs_err as fs;
use xc_iso::{BootEntry, Hybrid, Image, IsoNames, Joliet, Options, Platform, Summary};

use super::{interruptible, output, sources, spelling};
use crate::settings::HostSettings;
use crate::ui;

/// Make an image of directories and tar archives
///
/// The same input gives the same bytes. Options are those of genisoimage and xorrisofs; Rock Ridge
/// is on by default. What ISO 9660 can't hold is an error, nothing is dropped or renamed.
#[derive(Debug, clap::Args)]
#[allow(clippy::struct_excessive_bools)]
pub struct Arguments {
    /// Directories, whose content goes to the root, and uncompressed tar archives; `-` is one on stdin
    #[arg(required = true, value_name = "DIR|TAR")]
    inputs: Vec<PathBuf>,
    /// The image, `-` for stdout
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Options that make no difference, as they were given; see `spelling`
    #[arg(long = spelling::LEFT_OUT, hide = true, value_name = "OPTION")]
    left_out: Vec<String>,
    /// Volume identifier, up to 32 characters
    #[arg(short = 'V', long, alias = "volid", default_value = "CDROM", value_name = "ID")]
    volume_id: String,
    /// Rock Ridge: on by default, and here for those who give it
    #[arg(short = 'R', long = "rock", conflicts_with = "plain")]
    rock_ridge: bool,
    /// Everything is root's, all may read it and nobody write it, whoever makes the image
    #[arg(short = 'r', long, conflicts_with = "plain")]
    rational_rock: bool,
    /// No Rock Ridge: plain ISO 9660 and what else is asked for
    #[arg(long)]
    plain: bool,
    /// Joliet names, of up to 64 characters
    #[arg(short = 'J', long)]
    joliet: bool,
    /// Joliet names of up to 103 characters
    #[arg(long)]
    joliet_long: bool,
    /// ISO 9660 names of 8 and 3 characters instead of 31
    #[arg(long)]
    short_names: bool,
    /// 1 stands for `--short-names`; what is above is always so
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=4))]
    iso_level: Option<u8>,
    /// Names of 31 characters: always so, and here for those who give it
    #[arg(short = 'l', conflicts_with = "short_names")]
    long_names: bool,
    /// File that a BIOS boots, by its path in the image
    #[arg(short = 'b', long = "eltorito-boot", value_name = "PATH")]
    bios: Vec<String>,
    /// FAT image that UEFI boots, by its path in the image
    #[arg(short = 'e', long = "efi-boot", value_name = "PATH")]
    efi: Vec<String>,
    /// Path of the boot catalog: it has none and needs none, and here for those who give it
    #[arg(short = 'c', long = "eltorito-catalog", value_name = "PATH")]
    catalog: Option<String>,
    /// Tell the BIOS's boot file where it is, as isolinux and GRUB need
    #[arg(long, requires = "bios")]
    boot_info_table: bool,
    /// Sectors of 512 bytes that a BIOS loads
    #[arg(long, value_name = "N", requires = "bios")]
    boot_load_size: Option<u16>,
    /// MBR for booting the image from a disk, such as isolinux's `isohdpfx.bin`
    #[arg(long, value_name = "FILE")]
    isohybrid_mbr: Option<PathBuf>,
    /// A GPT that names the FAT image, beside the MBR
    #[arg(long, requires = "isohybrid_mbr")]
    isohybrid_gpt_basdat: bool,
    /// No floppy is emulated: always so, and here for those who give it
    #[arg(long)]
    no_emul_boot: bool,
    /// Between two boot files: not needed, and here for those who give it
    #[arg(long)]
    eltorito_alt_boot: bool,
    /// Publisher
    #[arg(short = 'P', long, default_value = "", hide_default_value = true)]
    publisher: String,
    /// Data preparer
    #[arg(short = 'p', long, default_value = "", hide_default_value = true)]
    preparer: String,
    /// Application
    #[arg(short = 'A', long, default_value = "", hide_default_value = true)]
    appid: String,
    /// System identifier
    #[arg(long, default_value = "LINUX")]
    sysid: String,
    /// Volume set identifier
    #[arg(long, default_value = "", hide_default_value = true)]
    volset: String,
    /// Let contents start at multiples of so many bytes; 4096 lets file systems share blocks
    #[arg(long, default_value_t = 2048, value_name = "BYTES")]
    alignment: u32,
    /// Time of the volume in seconds since 1970; else that in `SOURCE_DATE_EPOCH`, else 0
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    timestamp: Option<i64>,
}

/// Runs the verb.
pub fn run(arguments: &Arguments, host: &HostSettings) -> Result<ExitCode> {
    let options = arguments.options(host)?;
    if !arguments.left_out.is_empty() {
        let options = arguments.left_out.join(", ");
        ui::hint(format_args!("ignored, as they make no difference here: {options}"));
    }
    output::check(&arguments.output, &arguments.inputs)?;
    let reading = interruptible(|| {});
    let timestamp = options.timestamp;
    let mut image = Image::new(options);
    for input in &arguments.inputs {
        sources::add(&mut image, input, timestamp)?;
    }
    if arguments.rational_rock {
        image.rationalize();
    }
    for entry in arguments.boot_entries() {
        image.boot(entry);
    }
    if let Some(mbr) = &arguments.isohybrid_mbr {
        image.hybrid(Hybrid { mbr: fs::read(mbr)?, gpt: arguments.isohybrid_gpt_basdat });
    }
    drop(reading);
    let Summary { bytes, directories, files } = output::write(&image, &arguments.output)?;
    let path = arguments.output.display();
    ui::status(
        "Made",
        format_args!("{path}: {files} files, {directories} directories, {bytes} bytes"),
    );
    Ok(ExitCode::SUCCESS)
}

impl Arguments {
    fn options(&self, host: &HostSettings) -> Result<Options> {
        let from_environment = || host.source_date_epoch.as_deref().map(str::parse).transpose();
        let timestamp = match self.timestamp {
            Some(timestamp) => Some(timestamp),
            None => {
                from_environment().context("SOURCE_DATE_EPOCH: a number of seconds is needed")?
            }
        };
        Ok(Options {
            volume_id: self.volume_id.clone(),
            system_id: self.sysid.clone(),
            volume_set_id: self.volset.clone(),
            publisher: self.publisher.clone(),
            preparer: self.preparer.clone(),
            application: self.appid.clone(),
            timestamp: timestamp.unwrap_or(0),
            rock_ridge: !self.plain,
            joliet: match (self.joliet, self.joliet_long) {
                (_, true) => Joliet::Long,
                (true, false) => Joliet::Standard,
                (false, false) => Joliet::Off,
            },
            iso_names: match self.short_names || self.iso_level == Some(1) {
                true => IsoNames::Short,
                false => IsoNames::Long,
            },
            alignment: self.alignment,
        })
    }

    fn boot_entries(&self) -> impl Iterator<Item = BootEntry> {
        let entry = |path: &String, platform| BootEntry {
            path: path.trim_start_matches('/').into(),
            platform,
            load_sectors: self.boot_load_size.filter(|_| platform == Platform::Bios),
            info_table: self.boot_info_table && platform == Platform::Bios,
        };
        let bios = self.bios.iter().map(move |path| entry(path, Platform::Bios));
        bios.chain(self.efi.iter().map(move |path| entry(path, Platform::Efi)))
    }
}
