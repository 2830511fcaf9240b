//! How a node ended, by its console: its kernel's panic, and the lines that explain it. Pure, but for
//! [`panicked`] and [`failure_excerpt`].

use std::path::Path;

use super::host::NodeHost;
use super::tail::{end_of, whole_end_of};
use xc_vm::command::Paths;

/// How many lines of a console are looked at for a panic: a trace of calls may come after it.
const LAST_LINES: usize = 200;

/// The line on a console by which a kernel says that it has come to its end.
pub(super) fn panic_line(line: &str) -> Option<&str> {
    line.find("Kernel panic - not syncing").map(|at| line[at..].trim_end())
}

/// The line by which a kernel came to its end, if a console ends with that: after it nothing but
/// the kernel's own messages, which have a time stamp before them. What a node writes that was reset
/// since has none.
pub(super) fn panic_at_end(console: &str) -> Option<&str> {
    let lines: Vec<_> = console.lines().filter(|line| !line.trim().is_empty()).collect();
    let at =
        lines.iter().rposition(|line| panic_line(line).is_some_and(|l| !l.ends_with("]---")))?;
    let of_kernel = |line: &&str| line.trim_start().starts_with('[');
    lines[at + 1..].iter().all(of_kernel).then(|| panic_line(lines[at])).flatten()
}

/// Why a node's kernel came to its end, if it did and the node has not booted since: then the node
/// has said something later than what is on the console. A line that is half written says half of it.
pub(super) fn panicked(host: &dyn NodeHost, paths: &Paths) -> Option<String> {
    let console = whole_end_of(host, &paths.console_log, LAST_LINES);
    let panic = panic_at_end(&console)?;
    let at = |file| host.written(file).map(|written| written.at);
    let is_last = at(&paths.agent_log) <= at(&paths.console_log);
    is_last.then(|| panic.to_owned())
}

/// The lines of a console that tell how its node ended: the last ones, or if its kernel has come to
/// its end those around where it says so. What follows there is registers and a trace.
pub(super) fn failure_excerpt(host: &dyn NodeHost, console_log: &Path) -> String {
    excerpt(&end_of(host, console_log, LAST_LINES))
}

fn excerpt(console: &str) -> String {
    const BEFORE: usize = 6;
    const LINES: usize = 20;
    let lines: Vec<&str> = console.lines().collect();
    let last = lines.len().saturating_sub(LINES);
    let panic = panic_at_end(console)
        .and_then(|words| lines.iter().rposition(|line| panic_line(line) == Some(words)));
    let start = panic.map_or(last, |at| at.saturating_sub(BEFORE).min(last));
    lines[start..].iter().take(LINES).copied().collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::{Duration, SystemTime};

    use super::{excerpt, panic_at_end, panic_line, panicked};
    use crate::host::local;
    use xc_vm::command::Paths;

    #[test]
    fn panics_are_found_behind_time_stamps() {
        let line = "[    0.51] Kernel panic - not syncing: VFS: Unable to mount root fs\r";
        assert_eq!(
            panic_line(line),
            Some("Kernel panic - not syncing: VFS: Unable to mount root fs")
        );
        assert_eq!(panic_line("login:"), None);
    }

    #[test]
    fn console_that_ends_with_a_panic_is_told_from_one_that_went_on() {
        let panic = "[ 2.1] Kernel panic - not syncing: sysrq triggered crash\r\n";
        let after = "[ 2.1] CPU: 0 PID: 7\n[ 2.2] ---[ end Kernel panic - not syncing: x ]---\n\n";
        let rows = [
            (String::new(), None),
            (
                format!("vm-001 / > {panic}"),
                Some("Kernel panic - not syncing: sysrq triggered crash"),
            ),
            (format!("{panic}{after}"), Some("Kernel panic - not syncing: sysrq triggered crash")),
            (format!("{panic}{after}ready on 0.0.0.0:53\n"), None),
            (
                format!("{panic}{after}up\n[ 1.0] Kernel panic - not syncing: y"),
                Some("Kernel panic - not syncing: y"),
            ),
        ];
        for (console, expected) in rows {
            assert_eq!(panic_at_end(&console), expected, "{console:?}");
        }
    }

    #[test]
    fn excerpt_has_the_panic_and_what_led_to_it() {
        let numbered = |count: usize| (0..count).map(|n| format!("[ {n}] x")).collect::<Vec<_>>();
        let panic = vec!["[ 9] Kernel panic - not syncing: y".to_owned()];
        let rows = [
            ("no panic", numbered(50), 30..50),
            ("short", [numbered(3), panic.clone()].concat(), 0..4),
            ("little after it", [numbered(50), panic.clone(), numbered(5)].concat(), 36..56),
            ("much after it", [numbered(50), panic.clone(), numbered(90)].concat(), 44..64),
            ("went on", [panic, vec!["up".into()], numbered(50)].concat(), 32..52),
        ];
        for (case, lines, expected) in rows {
            assert_eq!(excerpt(&lines.join("\n")), lines[expected].join("\n"), "{case}");
        }
    }

    #[test]
    fn panic_of_a_former_boot_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str| directory.path().join(name);
        let paths = Paths {
            console: file("console"),
            console_log: file("log"),
            agent_log: file("agent"),
            qmp: file("qmp"),
        };
        let write = |path: &Path, text: &str, second: u64| {
            std::fs::write(path, text).unwrap();
            let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1000 + second);
            std::fs::File::options().write(true).open(path).unwrap().set_modified(at).unwrap();
        };
        write(&paths.console_log, "[ 2.1] Kernel panic - not syncing", 5);
        assert_eq!(panicked(&*local(), &paths), None, "the reason is yet to come");
        write(&paths.console_log, "[ 2.1] Kernel panic - not syncing: x\n", 5);
        assert_eq!(
            panicked(&*local(), &paths).unwrap(),
            "Kernel panic - not syncing: x",
            "it said nothing"
        );
        write(&paths.agent_log, "hello\nready vm-001\n", 3);
        assert!(panicked(&*local(), &paths).is_some());
        write(&paths.agent_log, "hello\nready vm-001\nhello\n", 7);
        assert_eq!(panicked(&*local(), &paths), None);
    }
}
