//! `xcbuild iso create`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use fs_err as fs;
use serde_json::json;
use xc_iso::{
    BootEntry, Hybrid, Image, ImagePath, IsoNames, Joliet, JolietName, Options, Platform, Summary,
};

use super::{interruptible, output, sources, spelling};
use crate::settings::HostSettings;
use crate::ui;
use xc_report::visible;

/// Make an image of directories and tar archives
///
/// The same input gives the same bytes. Options are those of genisoimage and xorrisofs; Rock Ridge
/// is on by default. What ISO 9660 can't hold is an error, nothing is dropped or renamed.
#[derive(Debug, clap::Args)]
#[allow(clippy::struct_excessive_bools)]
pub(super) struct Arguments {
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
    /// Time of all files: `=SECONDS` since 1970, or YYYYMMDDhhmmss in UTC. `SOURCE_DATE_EPOCH` alone
    /// takes later times back to it
    #[arg(long, alias = "set_all_file_dates", value_name = "TIME", value_parser = file_time)]
    set_all_file_dates: Option<FileTime>,
    /// Say in JSON on stdout what was made, and which Joliet names are cut or changed
    #[arg(long)]
    json: bool,
}

/// Runs the verb.
pub(super) fn run(arguments: &Arguments, host: &HostSettings) -> Result<ExitCode> {
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
    match (arguments.set_all_file_dates, epoch(host)?) {
        (Some(FileTime::At(time)), _) => image.set_times(time),
        (_, Some(latest)) => image.clamp_times(latest),
        (_, None) => {}
    }
    let renamed = image.joliet_changes();
    arguments.check_names(&renamed)?;
    for entry in arguments.boot_entries() {
        image.boot(entry);
    }
    if let Some(mbr) = &arguments.isohybrid_mbr {
        image.hybrid(Hybrid { mbr: fs::read(mbr)?, gpt: arguments.isohybrid_gpt_basdat });
    }
    drop(reading);
    let Summary { bytes, directories, files } = output::write(&image, &arguments.output)?;
    let path = arguments.output.display();
    if arguments.json {
        let name =
            |name: &JolietName| json!({ "path": path_text(&name.path), "joliet": name.shown });
        let names: Vec<_> = renamed.iter().map(name).collect();
        ui::result(json!({
            "path": path.to_string(), "bytes": bytes, "files": files, "directories": directories,
            "joliet_changes": names,
        }));
    }
    ui::status(
        "Made",
        format_args!("{path}: {files} files, {directories} directories, {bytes} bytes"),
    );
    Ok(ExitCode::SUCCESS)
}

impl Arguments {
    fn options(&self, host: &HostSettings) -> Result<Options> {
        let timestamp = match self.timestamp {
            Some(timestamp) => Some(timestamp),
            None => epoch(host)?,
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

    /// Where nobody sees the real names, changed ones are an error; else a warning.
    fn check_names(&self, renamed: &[JolietName]) -> Result<()> {
        let Some(JolietName { path, shown }) = renamed.first() else { return Ok(()) };
        let shown = visible(shown.as_bytes());
        let first = format!("such as `{path}`, which is `{shown}` there");
        let count = renamed.len();
        if self.plain {
            bail!(
                "{count} names are too long for Joliet or have characters that it lacks, {first}; without --plain, readers of Rock Ridge see them whole"
            );
        }
        ui::warn(format_args!(
            "{count} Joliet names are cut or have other characters, {first}; --json lists them"
        ));
        Ok(())
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

/// `SOURCE_DATE_EPOCH`, the time that builds are to have.
fn epoch(host: &HostSettings) -> Result<Option<i64>> {
    let text = host.source_date_epoch.as_deref().map(str::parse).transpose();
    text.context("SOURCE_DATE_EPOCH: a number of seconds is needed")
}

fn path_text(path: &ImagePath) -> String {
    visible(&path.0)
}

/// The time of all files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FileTime {
    /// Each keeps its own.
    Own,
    /// This one, in seconds since 1970.
    At(i64),
}

/// The forms of a time that xorriso takes and that say the same everywhere.
fn file_time(text: &str) -> Result<FileTime, String> {
    let bad = || "expected =SECONDS, YYYYMMDDhhmmss in UTC, or set_to_mtime".to_owned();
    if text == "set_to_mtime" {
        return Ok(FileTime::Own);
    }
    if let Some(seconds) = text.strip_prefix('=') {
        return seconds.parse().map(FileTime::At).map_err(|_| bad());
    }
    // xorriso has hundredths of seconds after them.
    if !matches!(text.len(), 14 | 16) || !text.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(bad());
    }
    let (date, time) = text.split_at(8);
    let written = format!(
        "{}-{}-{}T{}:{}:{}Z",
        &date[..4],
        &date[4..6],
        &date[6..],
        &time[..2],
        &time[2..4],
        &time[4..6]
    );
    let time = humantime::parse_rfc3339(&written).map_err(|_| bad())?;
    let seconds = time.duration_since(std::time::UNIX_EPOCH).map_err(|_| bad())?.as_secs();
    i64::try_from(seconds).map(FileTime::At).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::{FileTime, file_time};

    #[test]
    fn times_are_read_as_xorriso_reads_them() {
        let rows = [
            ("set_to_mtime", FileTime::Own),
            ("=1000000000", FileTime::At(1_000_000_000)),
            ("=-1", FileTime::At(-1)),
            ("20010909014640", FileTime::At(1_000_000_000)),
            ("2001090901464099", FileTime::At(1_000_000_000)),
        ];
        for (given, expected) in rows {
            assert_eq!(file_time(given), Ok(expected), "{given}");
        }
        for bad in ["", "=", "=x", "yesterday", "20011309014640", "2001090901464", "+1"] {
            assert!(file_time(bad).is_err(), "{bad}");
        }
    }
}
