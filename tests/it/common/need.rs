//! What tests need of the machine, where it has a name here.

use std::process::Command;

use xc_harness::Need;

use super::throwaway::Throwaway;

/// Nodes.
pub(crate) const QEMU: Need = Need::Program("qemu-system-x86_64");
/// What makes a terminal for a program.
pub(crate) const SCRIPT: Need = Need::Program("script");
/// What reads captures.
pub(crate) const TSHARK: Need = Need::Program("tshark");
/// Taps, which carry bridged networks to nodes.
pub(crate) const TAPS: Need = Need::Check(taps);
/// A [`Throwaway`] host.
pub(crate) const NAMESPACES: Need = Need::Check(namespaces);
/// A [`super::host::Host`].
pub(crate) const HOST: Need = Need::All(&[
    Need::Program("ip"),
    Need::Program("nft"),
    Need::Program("nsenter"),
    Need::Program("ping"),
    NAMESPACES,
]);
/// Mounts that only a process of the test's own sees, as whoever runs the tests.
pub(crate) const MOUNTS: Need = Need::Check(mounts);

/// What makes a namespace for mounts: root needs no other.
pub(crate) fn unshare_mounts() -> Command {
    let mut unshare = Command::new("unshare");
    unshare.arg(if rustix::process::geteuid().is_root() { "-m" } else { "-rm" });
    unshare
}

fn taps() -> Result<(), String> {
    let opened = std::fs::File::options().read(true).write(true).open("/dev/net/tun");
    opened.map(drop).map_err(|error| format!("/dev/net/tun can't be opened: {error}"))
}

fn namespaces() -> Result<(), String> {
    Throwaway::open().map(drop).map_err(|reason| format!("no namespaces to play a host: {reason}"))
}

fn mounts() -> Result<(), String> {
    succeeds(
        unshare_mounts().args(["mount", "-t", "tmpfs", "none", "/mnt"]),
        "mounts in a namespace can't be made",
    )
}

/// Runs what a test would need; the error is `what` and the end of what it said.
pub(crate) fn succeeds(command: &mut Command, what: &str) -> Result<(), String> {
    let done = command.output().map_err(|error| format!("{what}: {error}"))?;
    let said = String::from_utf8_lossy(&done.stderr);
    let last = said.lines().last().unwrap_or("it says nothing");
    if done.status.success() { Ok(()) } else { Err(format!("{what}: {last}")) }
}
