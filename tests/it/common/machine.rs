//! A machine that knows nothing of us and boots a disk by its own firmware.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// The firmware for UEFI, of the package ovmf.
pub(crate) const OVMF: &str = "/usr/share/OVMF/OVMF_CODE_4M.fd";
/// Far more than an emulated machine needs on a busy host.
const PATIENCE: Duration = Duration::from_secs(240);

/// The machine; ended when dropped.
pub(crate) struct Machine {
    qemu: Child,
    serial: Receiver<Vec<u8>>,
    said: String,
}

impl Machine {
    /// Switches it on, with a disk as its only one; what is written to the disk is thrown away.
    pub(crate) fn boot(disk: &Path, format: &str, uefi: bool) -> Self {
        let mut command = Command::new("qemu-system-x86_64");
        command.args(["-M", "q35", "-accel", "tcg", "-m", "256", "-nodefaults", "-vga", "std"]);
        command.args(["-display", "none", "-no-reboot", "-serial", "stdio"]);
        command.args(["-device", "virtio-net-pci,netdev=n,mac=00:00:00:01:00:05"]);
        command.args(["-netdev", "user,id=n,restrict=on"]);
        if uefi {
            command.args(["-drive", &format!("if=pflash,format=raw,readonly=on,file={OVMF}")]);
        }
        command.arg("-drive");
        command.arg(format!("if=virtio,format={format},snapshot=on,file={}", disk.display()));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut qemu = command.spawn().unwrap();
        let mut out = qemu.stdout.take().unwrap();
        let (sender, serial) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(got @ 1..) = out.read(&mut buffer) {
                if sender.send(buffer[..got].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { qemu, serial, said: String::new() }
    }

    /// Waits until it has said something on its serial port, and gives all that it said since the
    /// last time.
    pub(crate) fn says(&mut self, awaited: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        while !self.said.contains(awaited) {
            match self.serial.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(more) => self.said += &String::from_utf8_lossy(&more),
                Err(e) => panic!("no `{awaited}`: {e}; it said:\n{}", self.said),
            }
        }
        std::mem::take(&mut self.said)
    }

    /// Types a line on its serial port.
    pub(crate) fn types(&mut self, line: &str) {
        writeln!(self.qemu.stdin.as_mut().unwrap(), "{line}").unwrap();
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}
