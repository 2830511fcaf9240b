//! A machine that boots an image and tells what it said on its serial port.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use xc_harness::Need;

/// The emulator.
const PROGRAM: &str = "qemu-system-x86_64";
pub(crate) const QEMU: Need = Need::Program(PROGRAM);
/// The firmware for UEFI.
pub(crate) const OVMF: &str = "/usr/share/OVMF/OVMF_CODE_4M.fd";
/// Far more than an emulated machine needs on a busy host.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Firmware {
    Bios,
    Uefi,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Medium {
    Cd,
    Disk,
}

/// Boots an image until it has said what is waited for, and returns all that it said.
pub(crate) fn boot(image: &Path, firmware: Firmware, medium: Medium, awaited: &str) -> String {
    let mut command = Command::new(PROGRAM);
    command.args(["-M", "q35", "-accel", "tcg", "-m", "256", "-nodefaults", "-display", "none"]);
    command.args(["-no-reboot", "-serial", "stdio", "-boot", "order=cd", "-vga", "std"]);
    if firmware == Firmware::Uefi {
        let flash = format!("if=pflash,format=raw,readonly=on,file={OVMF}");
        command.args(["-drive", &flash]);
    }
    let media = if medium == Medium::Cd { "cdrom" } else { "disk" };
    let drive = format!(
        "if=ide,format=raw,readonly={},media={media},file={}",
        match medium {
            Medium::Cd => "on",
            Medium::Disk => "off",
        },
        image.display()
    );
    command.args(["-drive", &drive]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let mut machine = command.spawn().unwrap();
    let mut serial = machine.stdout.take().unwrap();
    let (sender, received) = channel();
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(got @ 1..) = serial.read(&mut buffer) {
            if sender.send(buffer[..got].to_vec()).is_err() {
                return;
            }
        }
    });
    let deadline = Instant::now() + PATIENCE;
    let mut said = Vec::new();
    while !String::from_utf8_lossy(&said).contains(awaited) {
        match received.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(more) => said.extend(more),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
    }
    machine.kill().unwrap();
    machine.wait().unwrap();
    String::from_utf8_lossy(&said).into_owned()
}
