//! Whether KVM works on this host: found out, not assumed.
//!
//! That `/dev/kvm` exists and opens says little: there are hosts (virtual machines themselves, most
//! often) where a guest then spins for ever at its first instruction, and qemu's own
//! `-accel kvm -accel tcg` does not fall back from that. So the cheap signs are looked at first,
//! and then a guest is run: a 64 KiB firmware of four instructions, which makes qemu's
//! `isa-debug-exit` device end qemu with an exit code of our choice. It takes 0.1 s where KVM
//! works, and is given up after some seconds where it doesn't.
//!
//! ```text
//!   0x0000  00 00 …                     zeros
//!   0xfff0  ba 01 05   mov dx, 0x501    the reset vector: port of isa-debug-exit
//!           b0 2a      mov al, 0x2a
//!           ee         out dx, al       qemu exits with 0x2a·2 + 1
//!           f4         hlt
//! ```

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use fs_err as fs;
use rustix::fs::{Access, access};

use super::command::Accel;
use super::process::ProcessId;
use xc_sys::exec::Exec;

/// How long the probe's four instructions may take, qemu's own start included.
const PROBE_LIMIT: Duration = Duration::from_secs(5);

/// What the probe's guest makes qemu exit with.
const PROBE_EXIT: i32 = 0x2a * 2 + 1;

/// Which accelerator the user asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Choice {
    /// KVM if it works, else TCG.
    #[default]
    Auto,
    /// KVM or nothing.
    Kvm,
    /// TCG, even if KVM works.
    Tcg,
}

/// The accelerator that will be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// The accelerator.
    pub accel: Accel,
    /// Why it is not KVM, where that was wanted.
    pub fallback: Option<String>,
}

/// Chooses the accelerator for that qemu program.
///
/// # Errors
/// When the user wants KVM and it does not work, or the probe itself can't be run.
pub fn choose(choice: Choice, program: &str) -> Result<Chosen> {
    if choice == Choice::Tcg {
        return Ok(Chosen { accel: Accel::Tcg, fallback: None });
    }
    match why_not_kvm(program)? {
        None => Ok(Chosen { accel: Accel::Kvm, fallback: None }),
        Some(reason) if choice == Choice::Kvm => {
            bail!(
                "KVM was asked for and can't be used: {reason}; without --accel=kvm the nodes run by TCG, slower"
            )
        }
        fallback => Ok(Chosen { accel: Accel::Tcg, fallback }),
    }
}

/// The reason why KVM can't be used, if it can't.
fn why_not_kvm(program: &str) -> Result<Option<String>> {
    let device = Path::new("/dev/kvm");
    if !device.exists() {
        return Ok(Some("there is no /dev/kvm".into()));
    }
    if let Err(error) = access(device, Access::READ_OK | Access::WRITE_OK) {
        return Ok(Some(format!("/dev/kvm can't be opened ({error}); its group is usually `kvm`")));
    }
    let cpuinfo = fs::read_to_string("/proc/cpuinfo")?;
    if !has_virtualisation(&cpuinfo) {
        return Ok(Some("/dev/kvm is there, but the processor has neither vmx nor svm".into()));
    }
    Ok(probe(program, "kvm", PROBE_LIMIT)?.err())
}

/// Whether the processor's flags have one of the virtualisation extensions.
fn has_virtualisation(cpuinfo: &str) -> bool {
    let mut flags = cpuinfo.lines().filter(|l| l.starts_with("flags"));
    flags.any(|l| l.split_ascii_whitespace().any(|flag| matches!(flag, "vmx" | "svm")))
}

/// Runs the probe's guest by an accelerator. The inner error is the reason why it did not work.
fn probe(program: &str, accel: &str, limit: Duration) -> Result<Result<(), String>> {
    let mut firmware = tempfile::NamedTempFile::new().context("can't make the KVM probe")?;
    firmware.write_all(&probe_firmware()).context("can't write the KVM probe")?;
    let stderr = tempfile::tempfile().context("can't make the KVM probe's log")?;
    let null = File::options().write(true).open("/dev/null").context("can't open /dev/null")?;
    let mut child = Exec::new(program)
        .args(["-M", "pc", "-accel", accel, "-m", "16", "-nodefaults", "-no-user-config"])
        .args(["-display", "none", "-device", "isa-debug-exit", "-bios"])
        .arg(firmware.path())
        .detached(null, stderr.try_clone().context("can't share the KVM probe's log")?)?;
    let in_time = ended_in_time(child.id(), limit);
    if !in_time {
        child.kill().context("can't end the KVM probe")?;
    }
    let status = child.wait().context("can't wait for the KVM probe")?;
    Ok(match (in_time, status.code()) {
        (true, Some(PROBE_EXIT)) => Ok(()),
        (true, _) => Err(format!("qemu can't run a guest by {accel}: {}", last_line(stderr))),
        (false, _) => Err(format!(
            "{accel} opens, but a guest does not run (nothing in {} s)",
            limit.as_secs()
        )),
    })
}

/// Whether the child ends within the limit; it is our own, so its number can't be another's yet.
fn ended_in_time(pid: u32, limit: Duration) -> bool {
    let process = i32::try_from(pid).ok().and_then(ProcessId::of);
    match process.map(ProcessId::hold) {
        Some(Ok(Some(held))) => held.wait(Instant::now() + limit),
        Some(Err(_)) => false,
        None | Some(Ok(None)) => true,
    }
}

fn last_line(mut log: File) -> String {
    use std::io::{Read, Seek};
    let mut text = String::new();
    let read = log.rewind().and_then(|()| log.read_to_string(&mut text));
    match (read, text.lines().last()) {
        (Ok(_), Some(line)) => line.to_owned(),
        _ => "it says nothing".to_owned(),
    }
}

/// The firmware in the picture above.
fn probe_firmware() -> Vec<u8> {
    const SIZE: usize = 0x10000;
    const CODE: [u8; 7] = [0xba, 0x01, 0x05, 0xb0, 0x2a, 0xee, 0xf4];
    let mut image = vec![0; SIZE - 16];
    image.extend(CODE);
    image.resize(SIZE, 0);
    image
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Choice, Chosen, choose, has_virtualisation, probe};
    use crate::command::Accel;

    const QEMU: &str = "qemu-system-x86_64";

    #[test]
    fn flags_are_words() {
        let rows = [
            ("flags\t\t: fpu vmx sse\n", true),
            ("flags\t\t: fpu svm\n", true),
            ("flags\t\t: fpu svm_lock vmxnet\nvmx flags\t: vnmi\n", false),
            ("", false),
        ];
        for (text, expected) in rows {
            assert_eq!(has_virtualisation(text), expected, "{text}");
        }
    }

    #[test]
    fn probe_tells_a_guest_that_runs_from_one_that_does_not() {
        let long = Duration::from_secs(60);
        assert_eq!(probe(QEMU, "tcg", long).unwrap(), Ok(()));
        let stuck = probe(QEMU, "tcg", Duration::ZERO).unwrap().unwrap_err();
        assert!(stuck.contains("a guest does not run"), "{stuck}");
        let refused = probe(QEMU, "nonesuch", long).unwrap().unwrap_err();
        assert!(refused.contains("nonesuch"), "{refused}");
    }

    #[test]
    fn choice_of_tcg_is_no_fallback() {
        let chosen = choose(Choice::Tcg, "/nonexistent").unwrap();
        assert_eq!(chosen, Chosen { accel: Accel::Tcg, fallback: None });
    }
}
