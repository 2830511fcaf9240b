//! What programs are to a watcher: shells, copiers, our own helpers; and who runs a program.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::found::Meta;

/// Shells by their names.
const SHELLS: &[&str] = &["ash", "bash", "busybox", "dash", "ksh", "mksh", "sh", "zsh"];
/// Programs to which what they read is data: no variable's name in it means anything to them. A
/// compiler is not among them, since what it makes may be run.
const COPIERS: &[&str] = &[
    "as",
    "bzip2",
    "chmod",
    "cmp",
    "cp",
    "cpio",
    "du",
    "file",
    "find",
    "gzip",
    "install",
    "ld",
    "ld.bfd",
    "ln",
    "ls",
    "md5sum",
    "mv",
    "readelf",
    "rm",
    "rsync",
    "sha1sum",
    "sha256sum",
    "stat",
    "strip",
    "tar",
    "touch",
    "wc",
    "x86_64-linux-gnu-as",
    "x86_64-linux-gnu-ld.bfd",
    "x86_64-linux-gnu-readelf",
    "x86_64-linux-gnu-strip",
    "xz",
    "zstd",
];
/// Our own verbs whose reading is seen like any program's.
const HELPERS: &[&str] =
    &["completion", "cplib", "cploader", "env", "install_prog", "libs", "ovld", "--version"];
/// How much of a program is looked at.
const HEAD: u64 = 4096;

fn name(program: &Path) -> &str {
    program.file_name().and_then(|n| n.to_str()).unwrap_or_default()
}

/// Whether a program is a shell.
pub(super) fn is_shell(program: &Path) -> bool {
    SHELLS.contains(&name(program))
}

/// Whether a program reads random bytes at its start, for the order of its hashes, as others do by
/// getrandom(2), which no call shows.
pub(super) fn seeds_itself(program: &Path) -> bool {
    name(program).starts_with("perl")
}

/// Whether what a program reads is data to it, whatever it is. Only the host's own are known.
pub(super) fn only_copies(program: &Path) -> bool {
    COPIERS.contains(&name(program)) && program.starts_with("/usr/bin")
}

/// Whether a program is another copy of ours.
pub(super) fn is_ours(program: &Path) -> bool {
    name(program) == "xcbuild"
}

/// The verb of our own program, if its reading is not all there is to it.
pub(super) fn other_verb(arguments: &[Vec<u8>]) -> Option<String> {
    let verb = arguments.iter().skip(1).find(|a| !a.starts_with(b"-"));
    let verb = verb.map(|v| String::from_utf8_lossy(v).into_owned()).unwrap_or_default();
    (!HELPERS.contains(&verb.as_str()) && !verb.is_empty()).then_some(verb)
}

/// Whether a command prints all variables: `env` without a command, `printenv`, `xcbuild env`.
pub(super) fn shows_all(arguments: &[Vec<u8>]) -> bool {
    let text = |a: &Vec<u8>| String::from_utf8_lossy(a).into_owned();
    let mut words = arguments.iter().map(text);
    let program = words.next().unwrap_or_default();
    let rest: Vec<String> = words.filter(|w| !w.starts_with('-') && !w.contains('=')).collect();
    match name(Path::new(&program)) {
        "printenv" => true,
        "env" => rest.is_empty(),
        "busybox" => {
            matches!(rest.first().map(String::as_str), Some("env" | "printenv")) && rest.len() == 1
        }
        _ => rest.first().is_some_and(|verb| verb == "env") && rest.len() == 1,
    }
}

/// Whether a program gets rights that its caller has not, which a watched one would not get.
pub(super) fn gains_rights(meta: Meta) -> bool {
    let (user, group) = (meta.mode & 0o4000 != 0, meta.mode & 0o2010 == 0o2010);
    // Our own ids are 0 in a `Meta`, as root's are: root gains nothing by his own programs.
    !is_root() && (user || group)
}

/// Whether we are root.
pub(super) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Who runs a program: the `#!` line of a script, the loader of a dynamic one.
pub(super) fn interpreter(program: &Path) -> Option<PathBuf> {
    let mut head = Vec::new();
    std::fs::File::open(program).ok()?.take(HEAD).read_to_end(&mut head).ok()?;
    interpreter_in(&head)
}

fn interpreter_in(head: &[u8]) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    let path = |bytes: &[u8]| Some(PathBuf::from(std::ffi::OsStr::from_bytes(bytes)));
    if let Some(line) = head.strip_prefix(b"#!") {
        let line = line.split(|b| *b == b'\n').next()?.trim_ascii();
        return path(line.split(|b| b.is_ascii_whitespace()).next()?);
    }
    // ELF-64: program headers are at e_phoff, e_phnum of them; PT_INTERP is type 3.
    let number = |at: usize, length: usize| {
        let bytes = head.get(at..at + length)?;
        usize::try_from(bytes.iter().rev().fold(0_u64, |n, b| n << 8 | u64::from(*b))).ok()
    };
    if !head.starts_with(b"\x7fELF\x02") {
        return None;
    }
    let (start, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    let header =
        (0..count).map(|i| start.saturating_add(i * size)).find(|at| number(*at, 4) == Some(3))?;
    let (at, length) = (number(header + 8, 8)?, number(header + 32, 8)?);
    let text = head.get(at..at.checked_add(length)?)?;
    path(text.split(|b| *b == 0).next()?)
}

/// Whether an address lies in the loader's code, by a task's `/proc/PID/maps`.
pub(super) fn is_loader_at(maps: &str, address: u64) -> bool {
    maps.lines().any(|line| {
        let (range, rest) = line.split_once(' ').unwrap_or((line, ""));
        let bounds = range.split_once('-').and_then(|(from, to)| {
            Some(u64::from_str_radix(from, 16).ok()?..u64::from_str_radix(to, 16).ok()?)
        });
        let file = rest.rsplit(' ').next().unwrap_or_default();
        let loader = name(Path::new(file)).starts_with("ld-");
        bounds.is_some_and(|b| b.contains(&address)) && loader && file.contains(".so")
    })
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{interpreter, interpreter_in, is_loader_at, other_verb, shows_all};

    fn words(line: &str) -> Vec<Vec<u8>> {
        line.split(' ').map(|w| w.as_bytes().to_vec()).collect()
    }

    #[test]
    fn commands_that_show_all_variables() {
        for (line, all) in [
            ("env", true),
            ("/usr/bin/env -0", true),
            ("env A=b", true),
            ("env bash -c x", false),
            ("env A=b ls", false),
            ("printenv HOME", true),
            ("busybox env", true),
            ("busybox env ls", false),
            ("/x/xcbuild env", true),
            ("/x/xcbuild ovld env", false),
            ("ls env x", false),
        ] {
            assert_eq!(shows_all(&words(line)), all, "{line}");
        }
    }

    #[test]
    fn helpers_are_seen_and_other_verbs_are_not() {
        for (line, other) in [
            ("xcbuild ovld x", None),
            ("xcbuild install_prog --dest=/d nmap", None),
            ("xcbuild", None),
            ("xcbuild mkcdrom x", Some("mkcdrom")),
            ("xcbuild --quiet cache x", Some("cache")),
        ] {
            assert_eq!(other_verb(&words(line)).as_deref(), other, "{line}");
        }
    }

    #[test]
    fn interpreters_of_scripts_and_programs() {
        let of = |text: &str| interpreter_in(text.as_bytes());
        assert_eq!(of("#! /bin/sh -e\n"), Some(PathBuf::from("/bin/sh")));
        assert_eq!(of("#!/usr/bin/env python3\n"), Some(PathBuf::from("/usr/bin/env")));
        assert_eq!(of("echo"), None);
        assert_eq!(of("\x7fELF\x02"), None);
        let loader = interpreter(Path::new("/bin/sh")).unwrap();
        assert!(loader.to_str().unwrap().contains("/ld-linux"), "{}", loader.display());
    }

    #[test]
    fn loader_is_told_by_its_mapping() {
        let maps = "1000-2000 r-xp 00000000 08:01 1   /usr/bin/ls\n\
                    3000-4000 r-xp 00000000 08:01 2   /usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2\n";
        assert!(is_loader_at(maps, 0x3500));
        for other in [0x1500, 0x4000, 0x500] {
            assert!(!is_loader_at(maps, other), "{other:x}");
        }
    }
}
