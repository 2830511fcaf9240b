//! Whether the host has the memory that the nodes may use.
//!
//! A node's memory is taken from the host only as it is touched, so a cluster that fits on paper
//! fits; one that doesn't might, until the host kills something. That is refused unless the user
//! says otherwise.

use anyhow::{Context, Result, bail};
use fs_err as fs;

use crate::topology::Node;
use crate::vm::command::Accel;

/// What a qemu needs beside its node's memory, in MiB: its program, device state, and the code that
/// it has translated (measured after a boot).
fn qemu_mib(accel: Accel) -> u64 {
    match accel {
        Accel::Kvm => 48,
        Accel::Tcg => 160,
    }
}

/// Looks whether all nodes' memory is available.
///
/// # Errors
/// When it is not, naming what is needed and what there is.
pub(super) fn check(nodes: &[Node], accel: Accel) -> Result<()> {
    let meminfo = fs::read_to_string("/proc/meminfo")?;
    let available = available_mib(&meminfo).context("/proc/meminfo has no MemAvailable")?;
    fits(nodes, qemu_mib(accel), available)
}

fn fits(nodes: &[Node], qemu: u64, available: u64) -> Result<()> {
    let memory: u64 = nodes.iter().map(|n| u64::from(n.memory_mib)).sum();
    let needed = memory + qemu * nodes.len() as u64;
    if needed <= available {
        return Ok(());
    }
    bail!(
        "{} nodes need {needed} MiB of memory ({memory} for themselves, {qemu} each for qemu), \
         and the host has {available} MiB available; start fewer (--nvm, --nrouters, --ntesters) \
         or smaller ones (--mem), or start all the same with --overcommit",
        nodes.len()
    )
}

fn available_mib(meminfo: &str) -> Option<u64> {
    let rest = meminfo.lines().find_map(|l| l.strip_prefix("MemAvailable:"))?;
    let kib: u64 = rest.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024)
}

#[cfg(test)]
mod tests {
    use super::{available_mib, fits};
    use crate::vm::tests::node;

    #[test]
    fn available_memory_is_read_in_mib() {
        let text = "MemTotal:  24684544 kB\nMemAvailable:   2048 kB\n";
        assert_eq!(available_mib(text), Some(2));
        assert_eq!(available_mib("MemTotal: 1 kB\n"), None);
    }

    #[test]
    fn nodes_and_their_qemus_have_to_fit() {
        let nodes = [node(1, &[0]), node(2, &[0])];
        assert!(fits(&nodes, 64, 384).is_ok());
        let error = fits(&nodes, 64, 383).unwrap_err().to_string();
        assert!(error.starts_with("2 nodes need 384 MiB of memory (256 for"), "{error}");
    }
}
