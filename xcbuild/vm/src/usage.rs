//! What a process takes of the host: processor time and memory.
//!
//! Reference: proc_pid_stat(5), proc_pid_status(5).

use serde::Serialize;

/// Milliseconds of a clock tick in `/proc`: the kernel shows them as hundredths of a second
/// (`USER_HZ`), whatever its own clock does.
const TICK_MS: u64 = 10;

/// What a process has taken so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Processor time, user's and kernel's, in milliseconds.
    pub cpu_ms: u64,
    /// Memory that is resident, in MiB; what it shares with others counts in each.
    pub memory_mib: u64,
}

/// What the process of that number takes; `None` if there is none.
pub fn usage(pid: i32) -> Option<Usage> {
    let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).ok();
    Some(Usage { cpu_ms: cpu_ms(&read("stat")?)?, memory_mib: memory_mib(&read("status")?)? })
}

/// Fields 14 and 15. The second, the name, is in parentheses and may have anything in it.
fn cpu_ms(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    Some((ticks()? + ticks()?) * TICK_MS)
}

fn memory_mib(status: &str) -> Option<u64> {
    let rest = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = rest.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024)
}

#[cfg(test)]
mod tests {
    use super::{cpu_ms, memory_mib, usage};

    #[test]
    fn fields_are_found_behind_odd_names() {
        let stat = "42 (a) b) S 1 42 42 0 -1 4194560 9 0 0 0 120 30 0 0 20 0 1 0 77 1000 5";
        assert_eq!(cpu_ms(stat), Some(1500));
        assert_eq!(memory_mib("Name:\tx\nVmRSS:\t   20480 kB\n"), Some(20));
        let own = usage(i32::try_from(std::process::id()).unwrap()).unwrap();
        assert!(own.memory_mib > 0, "{own:?}");
        assert_eq!(usage(i32::MAX), None);
    }
}
