//! Bootable images are booted: by BIOS and UEFI, as a CD and as a disk.
#![allow(clippy::unwrap_used)]

// `#[test]` is the harness' own from here on, in all modules.
#[macro_use]
extern crate xc_harness;

mod efi;
mod machine;

use std::fs;
use std::process::Command;

use machine::{Firmware, Medium, OVMF, QEMU};
use xc_harness::Need;
use xc_iso::{BootEntry, Hybrid, Image, Meta, Options, Platform, Source};

const META: Meta = Meta { mode: 0o644, uid: 0, gid: 0, mtime: 0 };
const ISOLINUX: &str = "/usr/lib/ISOLINUX/isolinux.bin";
const LDLINUX: &str = "/usr/lib/syslinux/modules/bios/ldlinux.c32";
const ISOHDPFX: &str = "/usr/lib/ISOLINUX/isohdpfx.bin";
/// The prompt of isolinux on the serial port: it has found its module and its configuration, which
/// asks for both.
const BIOS_GREETING: &str = "boot: ";

/// What an image takes that boots either way.
const LOADERS: Need = Need::All(&[
    Need::File(ISOLINUX, "isolinux"),
    Need::File(ISOHDPFX, "isolinux"),
    Need::File(LDLINUX, "syslinux-common"),
]);

/// An image that says so when it is booted, one way or the other. It needs [`LOADERS`].
fn image() -> Image {
    let mut image = Image::new(Options { volume_id: "BOOT".into(), ..Options::default() });
    let config = "SERIAL 0 115200\nPROMPT 1\n";
    image.dir("isolinux", Meta { mode: 0o755, ..META }).unwrap();
    image.file("isolinux/isolinux.cfg", META, Source::Bytes(config.into())).unwrap();
    image.file("isolinux/isolinux.bin", META, Source::Path(ISOLINUX.into())).unwrap();
    image.file("isolinux/ldlinux.c32", META, Source::Path(LDLINUX.into())).unwrap();
    image.file("efi.img", META, Source::Bytes(efi::file_system())).unwrap();
    image.boot(BootEntry {
        path: b"isolinux/isolinux.bin".into(),
        platform: Platform::Bios,
        load_sectors: None,
        info_table: true,
    });
    image.boot(BootEntry {
        path: b"efi.img".into(),
        platform: Platform::Efi,
        load_sectors: None,
        info_table: false,
    });
    image.hybrid(Hybrid { mbr: fs::read(ISOHDPFX).unwrap(), gpt: true });
    image
}

fn boots(firmware: Firmware, medium: Medium, greeting: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("boot.iso");
    image().write_to_file(&fs::File::create(&file).unwrap()).unwrap();
    let said = machine::boot(&file, firmware, medium, greeting);
    assert!(said.contains(greeting), "{firmware:?} {medium:?} said:\n{said}");
}

#[test(needs = [LOADERS, QEMU])]
fn a_bios_boots_the_cd() {
    boots(Firmware::Bios, Medium::Cd, BIOS_GREETING);
}

#[test(needs = [LOADERS, QEMU])]
fn a_bios_boots_the_disk() {
    boots(Firmware::Bios, Medium::Disk, BIOS_GREETING);
}

#[test(needs = [LOADERS, QEMU, Need::File(OVMF, "ovmf")])]
fn uefi_boots_the_cd() {
    boots(Firmware::Uefi, Medium::Cd, efi::GREETING);
}

#[test(needs = [LOADERS, QEMU, Need::File(OVMF, "ovmf")])]
fn uefi_boots_the_disk() {
    boots(Firmware::Uefi, Medium::Disk, efi::GREETING);
}

#[test(needs = [LOADERS, Need::Program("xorriso")])]
fn xorriso_reports_what_is_bootable() {
    let image = image();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("boot.iso");
    let mut bytes = Vec::new();
    image.write(&mut bytes).unwrap();
    fs::write(&file, &bytes).unwrap();
    let mut to_file = Vec::new();
    image.write_to_file(&fs::File::create(folder.path().join("other")).unwrap()).unwrap();
    std::io::Read::read_to_end(
        &mut fs::File::open(folder.path().join("other")).unwrap(),
        &mut to_file,
    )
    .unwrap();
    assert!(bytes == to_file, "both ways give the same bytes");
    let mut command = Command::new("xorriso");
    command.arg("-indev").arg(&file);
    command.args(["-report_el_torito", "plain", "-report_system_area", "plain"]);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    for expected in [
        "El Torito boot img :   1  BIOS  y   none  0x0000  0x00      4",
        "El Torito boot img :   2  UEFI  y   none  0x0000  0x00   2880",
        "El Torito img path :   1  /isolinux/isolinux.bin",
        "El Torito img opts :   1  boot-info-table isohybrid-suitable",
        "El Torito img path :   2  /efi.img",
        "System area summary: MBR isohybrid cyl-align-on GPT",
        "GPT type GUID      :   1  28732ac11ff8d211ba4b00a0c93ec93b",
    ] {
        assert!(said.contains(expected), "no '{expected}' in:\n{said}");
    }
}

#[test]
fn what_cannot_be_booted_is_an_error() {
    let entry = |path: &str, info_table| BootEntry {
        path: path.into(),
        platform: Platform::Bios,
        load_sectors: None,
        info_table,
    };
    let table = [
        (entry("gone", false), "/gone: not in the image"),
        (entry("dir", false), "/dir: only a regular file can be booted"),
        (entry("empty", false), "/empty: an empty file can't be booted"),
        (entry("short", true), "/short: a boot information table needs a file of 64 bytes"),
    ];
    for (entry, expected) in table {
        let mut image = Image::new(Options::default());
        image.dir("dir", META).unwrap();
        image.file("empty", META, Source::Bytes(Vec::new())).unwrap();
        image.file("short", META, Source::Bytes(vec![0; 63])).unwrap();
        image.boot(entry);
        let message = image.write(&mut std::io::sink()).unwrap_err().to_string();
        assert!(message.contains(expected), "{message} / {expected}");
    }
}

fn main() -> std::process::ExitCode {
    xc_harness::main()
}
